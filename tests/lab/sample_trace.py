"""Sample traces for the stepper's tests: a run of a six-layer image, and one as large as is asked for."""

import hashlib
import random
from collections.abc import Mapping
from typing import Any

from minidocker.state import Change, State, apply, diff, empty_state
from minidocker.trace import DOCKER, ENGINE, INSIDE, SYSCALL, Step, Trace, chain_digest

OVERLAY = "Documentation/filesystems/overlayfs.rst"
MERGED = "/var/lib/docker/overlay2/4f1c9d/merged"
KERNEL = {"kind": "sim", "release": "6.18.44", "rootless": False, "overlay": ["index=off", "redirect_dir=off"]}


def file(size: int, **more: Any) -> dict[str, Any]:
    """Return a file's entry."""
    return {"kind": "file", "mode": 0o644, "uid": 0, "gid": 0, "size": size, **more}


def directory(**more: Any) -> dict[str, Any]:
    """Return a directory's entry."""
    return {"kind": "dir", "mode": 0o755, "uid": 0, "gid": 0, **more}


def whiteout() -> dict[str, Any]:
    """Return a whiteout's entry."""
    return {"kind": "whiteout", "mode": 0, "uid": 0, "gid": 0}


def symlink(target: str) -> dict[str, Any]:
    """Return a symbolic link's entry."""
    return {"kind": "symlink", "mode": 0o777, "uid": 0, "gid": 0, "target": target}


def layer(name: str, created_by: str, entries: Mapping[str, Any]) -> dict[str, Any]:
    """Return a layer with these entries."""
    size = sum(entry.get("size", 0) for entry in entries.values())
    digest = "sha256:" + hashlib.sha256(name.encode()).hexdigest()
    return {
        "name": name,
        "digest": digest,
        "created_by": created_by,
        "bytes": size,
        "entries": dict(entries),
        "complete": True,
    }


class Tape:
    """Makes steps of changed states."""

    def __init__(self, initial: State | None = None) -> None:
        """Begin with a state."""
        self.initial = self.state = initial or empty_state()
        self.steps: list[Step] = []

    def step(
        self, depth: int, actor: str, text: str, puts: Mapping[tuple[str, ...], Any] | None = None, **more: Any
    ) -> None:
        """Add a step that puts values at paths of the state."""
        new = apply(self.state, [Change(path, None, value) for path, value in (puts or {}).items()])
        changes = tuple(change for path in (puts or {}) for change in _between(self.state, new, path))
        name = text.partition("(")[0].split()[0]
        step = Step(
            index=len(self.steps),
            depth=depth,
            actor=actor,
            text=text,
            call=name,
            changes=changes,
            **{"task": "0", **more},
        )
        previous = self.steps[-1].digest if self.steps else ""
        self.steps.append(Step.from_json({**step.to_json(), "digest": chain_digest(previous, step)}))
        self.state = new


def _between(old: State, new: State, path: tuple[str, ...]) -> list[Change]:
    before: Any = old
    after: Any = new
    for key in path:
        before = before.get(key) if before else None
        after = after.get(key) if after else None
    return [Change(path, before, after)] if before != after else []


def cow_layers() -> dict[str, Any]:
    """Return the layers of an image much like the one of the lessons, the base first."""
    base = {
        f"/bin/{name}": symlink("busybox") for name in ("ash", "cat", "chmod", "cp", "ls", "mkdir", "mv", "rm", "sh")
    }
    base |= {
        f"/usr/share/zoneinfo/Europe/{name}": file(2300 + len(name)) for name in ("Berlin", "Paris", "Rome", "Vienna")
    }
    base |= {"/": directory(), "/bin": directory(), "/bin/busybox": file(1_131_168, mode=0o755), "/etc": directory()}
    base |= {"/etc/passwd": file(340), "/etc/group": file(307), "/etc/shadow": file(136), "/etc/hosts": file(22)}
    base |= {"/usr": directory(), "/usr/share": directory(), "/usr/share/zoneinfo": directory()}
    base |= {
        "/usr/share/zoneinfo/Europe": directory(),
        "/tmp": directory(mode=0o1777),
        "/proc": directory(),
        "/dev": directory(),
    }
    return {
        "sha256:0": layer("busybox · 1", "ADD file:4f1c in /", base),
        "sha256:1": layer(
            "cow-tour:1 · 2",
            "/bin/sh -c echo one > /keep; echo two > /a; ln -s /a /link",
            {
                "/": directory(),
                "/keep": file(5),
                "/a": file(4),
                "/link": symlink("/a"),
                "/d": directory(),
                "/d/old": file(9),
            },
        ),
        "sha256:2": layer(
            "cow-tour:1 · 3",
            "/bin/sh -c rm /a && rm -r /d && mkdir /d",
            {"/": directory(), "/a": whiteout(), "/d": directory(opaque=True)},
        ),
        "sha256:3": layer(
            "cow-tour:1 · 4",
            "/bin/sh -c echo >/d/f; dd of=/big",
            {"/": directory(), "/d": directory(), "/d/renamed": file(4), "/d/f": file(1), "/big": file(64_000)},
        ),
        "sha256:4": layer("cow-tour:1 · 5", "RUN rm /big # buildkit", {"/": directory(), "/big": whiteout()}),
        "sha256:5": layer(
            "cow-tour:1 · 6", 'CMD ["sh"]', {"/": directory(), "/etc": directory(), "/etc/motd": file(21)}
        ),
    }


def cow_trace() -> Trace:
    """Return a run that appends, removes, makes, and fails to rename."""
    tape = Tape(apply(empty_state(), diff({}, {"tasks": {"0": _task("daemon", "")}})))
    layers = cow_layers()
    command = "docker run --name web cow-tour:1 sh -c 'echo more >> /keep; rm /d/renamed; mkdir /new; mv /etc /e'"
    tape.step(
        DOCKER,
        "client",
        command,
        why="The client asks the daemon; all else is the daemon's work.",
        ref={"docker": "docker run"},
    )
    container = {
        "id": "4f1c9d8e22aa",
        "image": "cow-tour:1",
        "command": ["sh", "-c", "echo more >> /keep; …"],
        "status": "created",
        "stack": "web",
    }
    tape.step(
        ENGINE,
        "daemon",
        "create container web",
        {
            ("containers", "web"): container,
            ("stacks", "web"): {"lowers": sorted(layers, reverse=True), "merged": MERGED},
            ("uppers", "web"): {},
        },
        why="A container is an empty directory on top of the image's layers, and a few settings.",
    )
    _start(tape)
    _write(tape)
    _remove(tape)
    exited = {"name": "sh", "parent": "0", "namespaces": _spaces(2), "status": "zombie", "exit_code": 1}
    tape.step(
        SYSCALL,
        "sh",
        "exit(1)",
        {("tasks", "0.1"): exited},
        task="0.1",
        why="The shell ends with the code of its last command.",
    )
    tape.step(
        ENGINE,
        "daemon",
        "container web exited",
        {("containers", "web", "status"): "exited", ("containers", "web", "exit_code"): 1},
        why="What the container wrote stays, until docker rm.",
    )
    return Trace(
        command=command,
        steps=tuple(tape.steps),
        kernel=KERNEL,
        layers=layers,
        initial=tape.initial,
        stderr="mv: can't rename '/etc': Invalid cross-device link\n",
        exit_code=1,
    )


def _task(name: str, parent: str, number: int = 1) -> dict[str, Any]:
    return {"name": name, "parent": parent, "namespaces": _spaces(number), "status": "running"}


def _spaces(number: int) -> dict[str, str]:
    return {kind: f"{kind}:{number}" for kind in ("mnt", "pid", "uts")}


def _start(tape: Tape) -> None:
    mount = {
        "source": "overlay",
        "fstype": "overlay",
        "options": "lowerdir=l/6:l/5:l/4:l/3:l/2:l/1,upperdir=diff,workdir=work",
    }
    tape.step(
        SYSCALL,
        "daemon",
        'mkdir("/var/lib/docker/overlay2/4f1c9d/diff", 0755)',
        result="0",
        ref={"linux": "mkdir(2)"},
        why="The writable layer starts empty: nothing of the image is copied.",
    )
    tape.step(
        SYSCALL,
        "daemon",
        f'mount("overlay", "{MERGED}", "overlay", 0, "{mount["options"]}")',
        {("mounts", "mnt:1", MERGED): mount},
        result="0",
        why="One tree out of seven: each name is served by the topmost layer that has it.",
        ref={"linux": "mount(2)"},
    )
    tape.step(
        ENGINE,
        "daemon",
        "start container web",
        {("containers", "web", "status"): "running"},
        why="The settings become a process.",
    )
    tape.step(
        SYSCALL,
        "daemon",
        "clone(init, flags=CLONE_NEWNS|CLONE_NEWPID|CLONE_NEWUTS)",
        {("tasks", "0.1"): _task("init", "0", 2), ("mounts", "mnt:2"): {MERGED: mount}},
        result="4711",
        local=True,
        ref={"linux": "clone(2)"},
        why="A child task starts, with namespaces of its own.",
    )
    tape.step(
        SYSCALL,
        "init",
        'pivot_root(".", ".old")',
        {("mounts", "mnt:2"): {"/": mount}},
        task="0.1",
        result="0",
        ref={"linux": "pivot_root(2)"},
        why="The merged tree becomes the root; the old root is put aside.",
    )
    tape.step(
        SYSCALL,
        "init",
        'execve("/bin/sh", ["sh", "-c", "echo more >> /keep; …"])',
        {("tasks", "0.1", "name"): "sh"},
        task="0.1",
        result="0",
        ref={"linux": "execve(2)"},
        why="The task stays the same; the program in it is another now.",
    )


def _write(tape: Tape) -> None:
    keep = ("uppers", "web", "/keep")
    ref = {"linux": OVERLAY, "code": "minidocker/sim/overlay/copy_up.py"}
    tape.step(
        SYSCALL,
        "sh",
        'open("/keep", O_WRONLY|O_CREAT|O_APPEND, 0666)',
        task="0.1",
        result="3",
        ref={"linux": "open(2)"},
        why="A write to a file that only a lower layer has: before it can be opened, the whole file is copied up.",
    )
    tape.step(
        INSIDE,
        "kernel",
        'copy_up("/keep")',
        {keep: file(5, origin=True, sum="aa")},
        task="0.1",
        ref=ref,
        why="The lower file stays as it is, hidden from now on by its copy in the writable layer.",
    )
    tape.step(
        SYSCALL,
        "sh",
        'write(3, "more\\n", 5)',
        {keep: file(10, origin=True, sum="bb")},
        task="0.1",
        result="5",
        ref={"linux": "write(2)"},
        why="Only the copy changes. The image's layer still holds the old 5 bytes.",
    )


def _remove(tape: Tape) -> None:
    ref = {"linux": OVERLAY, "code": "minidocker/sim/overlay/whiteout.py"}
    tape.step(
        SYSCALL,
        "rm",
        'unlink("/d/renamed")',
        task="0.1.1",
        result="0",
        ref={"linux": "unlink(2)"},
        why="The name is in a lower layer, and that is read-only: a mark must hide it.",
    )
    tape.step(
        INSIDE,
        "kernel",
        'copy_up("/d")',
        {("uppers", "web", "/d"): directory(origin=True)},
        task="0.1.1",
        ref={**ref, "code": "minidocker/sim/overlay/copy_up.py"},
        why="The mark needs a directory to be in.",
    )
    tape.step(
        INSIDE,
        "kernel",
        'whiteout("/d/renamed")',
        {("uppers", "web", "/d/renamed"): whiteout()},
        task="0.1.1",
        ref=ref,
        why="A character device 0/0 in the writable layer says “nothing here”. No byte is freed below.",
    )
    tape.step(
        SYSCALL,
        "mkdir",
        'mkdir("/new", 0777)',
        {("uppers", "web", "/new"): directory()},
        task="0.1.2",
        result="0",
        ref={"linux": "mkdir(2)"},
        why="A new directory, in the writable layer.",
    )
    tape.step(
        SYSCALL,
        "sh",
        'open("/new/file", O_WRONLY|O_CREAT|O_TRUNC, 0666)',
        {("uppers", "web", "/new/file"): file(0, uid=1000, gid=1000)},
        task="0.1",
        result="3",
        ref={"linux": "open(2)"},
        why="A path becomes a number.",
    )
    tape.step(
        SYSCALL,
        "mv",
        'rename("/etc", "/e")',
        task="0.1.3",
        result="-1 EXDEV (Invalid cross-device link)",
        errno="EXDEV",
        ref={"linux": "rename(2)"},
        why="Overlayfs cannot move a directory that a lower layer has; mv copies and deletes instead.",
    )
    tape.step(
        SYSCALL,
        "mkdir",
        'mkdir("/d", 0777)',
        task="0.1.4",
        result="-1 EEXIST (File exists)",
        errno="EEXIST",
        ref={"linux": "mkdir(2)"},
        why="The name is already there.",
    )


def big_trace(steps: int = 1000, layers: int = 30, names: int = 500, seed: int = 7) -> Trace:
    """Return a long trace on a tall stack of many names."""
    draw = random.Random(seed)
    paths = [f"/dir{number % 20:02}/file{number:03}" for number in range(names)]
    directories = {"/": directory()} | {f"/dir{number:02}": directory() for number in range(20)}
    made = {}
    for number in range(layers):
        chosen = draw.sample(paths, max(1, 3 * names // layers))
        entries = {
            path: whiteout() if number and draw.random() < 0.1 else file(draw.randrange(1, 5000)) for path in chosen
        }
        made[f"sha256:{number:03}"] = layer(f"tower:1 · {number + 1}", f"RUN make part{number}", directories | entries)
    tape = Tape(
        apply(
            empty_state(),
            diff(
                {},
                {
                    "stacks": {"tower": {"lowers": sorted(made, reverse=True), "merged": MERGED}},
                    "uppers": {"tower": {}},
                    "mounts": {"mnt:1": {MERGED: {"source": "overlay", "fstype": "overlay", "options": ""}}},
                    "tasks": {"0": _task("daemon", "")},
                },
            ),
        )
    )
    touched = paths if steps > 200 else draw.sample(paths, min(len(paths), max(1, steps)))
    while len(tape.steps) < steps:
        path = draw.choice(touched)
        put = draw.choice([file(draw.randrange(9000), origin=True), file(draw.randrange(9000)), whiteout()])
        tape.step(
            SYSCALL,
            "sh",
            f'write("{path}", …)',
            {("uppers", "tower", path): put},
            task="0.1",
            result="1",
            why="A change.",
        )
    return Trace(
        command="docker run tower:1 make",
        steps=tuple(tape.steps[:steps]),
        kernel=KERNEL,
        layers=made,
        initial=tape.initial,
    )
