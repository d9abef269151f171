# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 09 · A container from nothing
#
# **What is left when you take Docker away?**
#
# People say *a container*, as they say *a file* or *a process*, and look for it in the kernel. There is none. The kernel has processes, mounts, namespaces and control groups;
# a container is what one *calls* a process for which somebody has set up enough of these. This lesson takes the sentence at its word: about thirty
# system calls, made by you, one after the other. No engine, no image store, no `docker`.
#
# Then you leave out one line at a time, and see what each was for.

# %%
from minidocker.lab import Lab, Quiz, facts, predict

lab = Lab(view="namespaces")
lab

# %% [markdown]
# ## Two functions
#
# `outside` is what a runtime does: it starts a child in new namespaces, does for it what only somebody outside can do, lets it go, and waits. `inside` is what the child does to
# *itself* before it becomes the program. That is the larger part, and the odd thing about containers: nobody is put into one. One goes in by oneself.
#
# `LOWER`, `UPPER`, `WORK` and `ROOT` are directories that the lab has made: the layers of its base image, and three empty ones. `GROUP` is where a control group can be. Names in capitals are Linux's
# own. `await` marks the moment of the call: there your function stops, and the kernel works.


# %%
async def outside(k):
    """Start a child in new namespaces, do for it what it can't do itself, and wait for its end."""
    await k.mount("", "/", "", MS_REC | MS_SHARED)
    await k.msgget(42, IPC_CREAT | 0o600)
    await k.mount("overlay", ROOT, "overlay", 0, f"lowerdir={LOWER},upperdir={UPPER},workdir={WORK}")
    closed, gate = await k.pipe2(O_CLOEXEC)
    new = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWNET
    child = await k.clone(inside, flags=new, fds={1: 1, 2: 2, 3: closed})
    await k.mkdir(GROUP)
    await write(k, f"{GROUP}/pids.max", "6")
    await write(k, f"{GROUP}/cgroup.procs", f"{child}")
    await k.newlink("own0", "veth", peer="eth0")
    await k.setlink("eth0", netns=await k.open(f"/proc/{child}/ns/net", O_RDONLY | O_CLOEXEC))
    await k.newaddr("own0", "10.9.0.1/24")
    await k.setlink("own0", up=True)
    await k.write(gate, b"!")
    _, status = await k.wait4(child)
    await k.write(1, f"outside is called {await k.gethostname()}\n".encode())
    return status >> 8


async def inside(k):
    """Become a container, and then a program."""
    await k.read(3, 1)
    await k.mount("", "/", "", MS_REC | MS_PRIVATE)
    await k.mount("proc", f"{ROOT}/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC)
    await k.mount("tmpfs", f"{ROOT}/dev", "tmpfs", MS_NOSUID, "mode=755")
    await k.mknod(f"{ROOT}/dev/null", S_IFCHR | 0o666, 1 << 8 | 3)
    await k.newaddr("eth0", "10.9.0.2/24")
    await k.setlink("eth0", up=True)
    await k.sethostname("nothing")
    await k.chdir(ROOT)
    await k.pivot_root(".", ".")
    await k.umount2(".", MNT_DETACH)
    await k.prctl(PR_CAPBSET_DROP, CAP_SYS_ADMIN)
    await k.execve("/bin/sh", ["sh", "-c", WITNESS], {"PATH": "/bin"})


async def write(k, path, text):
    """Write a text into a file: all that there is to control groups."""
    fd = await k.open(path, O_WRONLY)
    await k.write(fd, text.encode())
    await k.close(fd)


mine = lab.calls(outside, inside, write)

# %% [markdown]
# The program that it becomes is a shell with a small script, `WITNESS`. It looks round and says, line by line, what it has to itself. Each run has a new
# machine, and ends with it: nothing that you break here stays broken.

# %%
whole = predict(
    "How many of those lines are system calls that only Docker can make?",
    choices=["none", "clone, pivot_root and prctl", "all of them"],
    fact=facts.ended({0: "none"}),
    name="09-docker",
)

# %%
mine.run(after=whole)

# %% [markdown]
# <details><summary>When you have stepped through it</summary>
#
# That is a container. It has its own files, processes, name, queues and interface, can reach the host over a cable of two ends, and may have six tasks. Look at the view *Namespaces* while it comes into being,
# and at *Layers* once the overlay is mounted. What Docker adds is everything around: images and where they come from, many of these at once, what happens when they end.
#
# </details>
#
# ## One line less
#
# Now take things away. `mine` shows its lines with their numbers; `mine.without("…")` leaves out the line that has these words.

# %%
mine

# %%
private = predict(
    "Without mount(…, MS_REC | MS_PRIVATE): what happens?",
    choices=["nothing that can be seen", "pivot_root fails with EINVAL", "its mounts are seen outside"],
    fact=facts.says("pivot_root", "pivot_root fails with EINVAL", "nothing that can be seen"),
    name="09-private",
)

# %%
mine.without("MS_PRIVATE").run(after=private, view="mounts")

# %% [markdown]
# <details><summary>When you have stepped through it</summary>
#
# The first line of `outside` makes all mounts *shared*, as systemd does on nearly every host. The child's copy of the mount table is then tied to the host's: what is mounted here appears there.
# With such a tie `pivot_root` refuses to turn the tree over, because the host's would turn with it. So the tie is cut first.
#
# </details>

# %%
root = predict(
    "Without umount2('.', MNT_DETACH): what does the witness say?",
    choices=["files: not its own", "mounts: not its own", "all is its own", "pivot_root fails"],
    fact=facts.changed_line({"mounts: not its own", "files: not its own"}, "all is its own"),
    name="09-umount",
)

# %%
mine.without("umount2").run(after=root, view="mounts")

# %% [markdown]
# <details><summary>When you have stepped through it</summary>
#
# `pivot_root(".", ".")` puts the old root onto the same place as the new one. The way to its files is covered, but it is still there, with every mount of the host in `/proc/mounts`; who may unmount, or holds a
# descriptor, gets back. Letting go of it is a call of its own.
#
# </details>

# %%
name = predict(
    "Without CLONE_NEWUTS the child still says sethostname('nothing'). Whose name is changed?",
    choices=["nobody's: it may not", "only its own", "the host's"],
    fact=facts.says("outside is called nothing", "the host's", "only its own"),
    name="09-uts",
)

# %%
mine.replaced("CLONE_NEWUTS", "0").run(after=name)

# %% [markdown]
# <details><summary>When you have stepped through it</summary>
#
# The witness is content: the name is `nothing`, as it should be. Look at the last line instead. A namespace is no permission; it is the *thing* that one has permission
# for. Without one of its own, root in the container changed the one that there was.
#
# </details>

# %%
rights = predict(
    "Without prctl(PR_CAPBSET_DROP, CAP_SYS_ADMIN): what can the container do that it couldn't?",
    choices=["nothing: it was root before", "mount", "see the host's files"],
    fact=facts.says("it may mount", "mount", "nothing: it was root before"),
    name="09-rights",
)

# %%
mine.without("PR_CAPBSET_DROP").run(after=rights)

# %% [markdown]
# <details><summary>When you have stepped through it</summary>
#
# Root is no single power: there are forty-one *capabilities*, and this one is the largest. The bounding set says which of them a program can get by `execve` at most; what is dropped there never comes back. Docker
# leaves a container fourteen, and puts a filter on the system calls besides.
#
# </details>
#
# ## The gate
#
# `inside` begins by reading one byte, and `outside` writes it only when all is arranged. What if it never does?

# %%
gate = predict(
    "Without k.write(gate, b'!'): how does it end?",
    choices=["as before", "outside waits for inside, and inside for outside", "inside fails with EPIPE"],
    fact=facts.ended({137: "outside waits for inside, and inside for outside", 0: "as before"}),
    name="09-gate",
)

# %%
mine.without("write(gate").run(after=gate)

# %% [markdown]
# <details><summary>When you have stepped through it</summary>
#
# Each waits for the other, and neither is doing anything wrong. (The lab has patience for five seconds.) Why is there a gate at all? The child's number must be known before it can be put
# into a group, and its network namespace before a cable can be led into it; and meanwhile the child must not yet be the program. runc has the same gate, in the same place.
#
# </details>
#
# ## Vary one thing
#
# Leave out another line, or two. Which can go without anybody noticing, and is it therefore useless?

# %%
mine.without("MS_SHARED").run()

# %% [markdown]
# ## Level
#
# Here are the lines of an `inside`, shuffled. Give an order in which they work.

# %%
order = lab.level("09-order")
order

# %%
order.check([4, 2, 5, 1, 6, 3])  # your order

# %% [markdown]
# ## Where this is in Linux
#
# | what you saw | where to read on |
# |---|---|
# | the calls | `clone(2)`, `mount(2)`, `pivot_root(2)` (its notes explain the two dots), `umount2(2)`, `sethostname(2)`, `prctl(2)`, `execve(2)` |
# | shared and private mounts | `mount_namespaces(7)`, *SHARED SUBTREES* |
# | the cable | `veth(4)`, `rtnetlink(7)` |
# | the same recipe, as the lab's engine has it | `minidocker/runtime.py` and `minidocker/rootfs.py` |
# | the same in the world | runc's `libcontainer/rootfs_linux.go`, `init_linux.go` |
#
# ## Five questions

# %%
Quiz(lab, seed=9, about=mine)
