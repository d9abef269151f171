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
# # 07 · Namespaces
#
# **How can two processes both be number 1?**
#
# The source document compares Linux's namespaces with those of C++: the same name means different things in different places. That is a good
# comparison. `count` in one namespace is another variable than `count` in the next; process 1 in one is another process than process 1 in the next.
#
# What the comparison doesn't say is *which* names. The kernel has many tables in which a number or a word stands for something: process ids, mount
# points, network interfaces, message queues, user ids, the host's name. A **namespace** is one such table. Each process has one of each
# kind, and mostly it is the same one that its parent has.
#
# Three things are often believed: that namespaces are a kind of *permission*; that root in a container is somebody less than root outside; and that
# the host can't see into a container. Each of them will have its turn.

# %%
from minidocker.lab import Lab, Quiz, facts, predict

lab = Lab(view="namespaces")
lab

# %% [markdown]
# ## Two number ones
#
# Two containers, each of which sleeps for a long time.

# %%
lab.docker("run -d --name one lab sleep 1000", show=False)
lab.docker("run -d --name two lab sleep 1000")

# %% [markdown]
# `docker exec` starts one more program in a container that runs. This one lists the processes that it can see.

# %%
inside = predict(
    "In container one, ps lists the processes. Which number has sleep?",
    choices=["1", "2", "another one"],
    fact=facts.pid_in_ps("sleep"),
    name="07-inside",
)

# %%
lab.docker("exec one ps -o pid,comm", after=inside)

# %% [markdown]
# ## The same question from outside
#
# `--pid host` gives a container no PID namespace of its own, but the daemon's.

# %%
outside = predict(
    "And a ps in the daemon's PID namespace: how many processes called sleep does it show?",
    choices=["0", "1", "2"],
    fact=facts.stdout,
    name="07-outside",
)

# %%
lab.docker("run --rm --pid host lab sh -c 'ps -o comm > /tmp/list; grep -c sleep /tmp/list'", after=outside)

# %% [markdown]
# <details><summary>When you have stepped through it</summary>
#
# A process has *one number for each namespace that it can be seen from*: in its own it is 1, in the one around it something else. PID namespaces lie inside each
# other, and one can look in, never out. So "the host can't see into a container" is wrong, and there is no second list of
# processes somewhere: there is one process with two names. Turn to the view *Namespaces* in the stepper: a row a process, a column a namespace.
#
# </details>
#
# ## What `kill 1` does
#
# Number 1 is special. It inherits every orphan, and when it ends, the kernel ends everybody else in its namespace. So the kernel takes care of it.

# %%
suicide = predict(
    "In container one: kill -9 1. What becomes of the container?",
    choices=["it runs on", "it exits with 137", "it exits with 9"],
    fact=facts.still_runs("one"),
    name="07-kill-1",
)

# %%
lab.docker("exec one kill -9 1", after=suicide)

# %%
murder = predict(
    "And docker kill, from outside?",
    choices=["it runs on", "it exits with 137", "it exits with 9"],
    fact=facts.still_runs("one"),
    name="07-kill",
)

# %%
lab.docker("kill one", after=murder)

# %% [markdown]
# <details><summary>When you have stepped through it</summary>
#
# From inside, number 1 gets only those signals for which it has a handler, and nobody has one for SIGKILL. From the namespace around it, SIGKILL and SIGSTOP
# do what they always do. This is why a program that was never meant to be number 1 often doesn't react to `docker stop`: it has no handler for SIGTERM, so
# ten seconds pass, and then it is killed.
#
# </details>
#
# ## A name of one's own
#
# UTS is the smallest namespace: two words. The document says that it isolates "kernel and version identification".

# %%
uts = predict(
    "Two containers print hostname and kernel release. What is different?",
    choices=["both", "only the host name", "only the release", "nothing"],
    fact=facts.differing_lines(["only the host name", "only the release"]),
    name="07-uts",
)



# %%
@lab.after(uts)
def _():
    words = "lab sh -c 'hostname; uname -r'"
    return [lab.docker(f"run --rm --hostname {name} {words}", show=False) for name in ("red", "blue")]


# %% [markdown]
# <details><summary>When you have stepped through it</summary>
#
# What `uname` prints comes from one structure, and two of its fields, host name and domain name, belong to the namespace. Release and version are the kernel's, and there is only one
# kernel. A container that "is Debian 12" on a host with kernel 6.18 has files of Debian 12, and that is all.
#
# </details>
#
# ## Whose mounts?
#
# Container two mounts an empty file system. (Mounting needs a right that containers don't have; `exec --privileged` gives it to this one program.)

# %%
mounted = predict(
    "In container two, a tmpfs is mounted at /mnt. Who has it in his mount table?",
    several=["container two", "another container", "the daemon"],
    fact=facts.who_has_mount("/mnt", {"container two": "two", "another container": "three", "the daemon": ""}),
    name="07-mount",
)

# %%
lab.docker("run -d --name three lab sleep 1000", show=False)
lab.docker("exec --privileged two mount -t tmpfs scratch /mnt", after=mounted, view="mounts")

# %% [markdown]
# <details><summary>When you have stepped through it</summary>
#
# A mount namespace is a *copy* of the table, made when the namespace was. What is mounted later stays in the copy. Not because of a permission: nobody is
# forbidden to see it. It simply is not in the other tables. (It could have been: a mount can be *shared*, and then it spreads
# to the copies. Systemd makes the host's mounts shared at boot. This is why the very first thing that a container does to itself is `mount("", "/", "", MS_REC|MS_PRIVATE)`.
# Look for it in the steps of any `docker run`.)
#
# </details>
#
# ## Messages that don't arrive
#
# System V message queues have numbers as names, as old things do. `ipcmk -Q` makes one, `ipcs -q` lists them.

# %%
queues = predict(
    "Container two makes a message queue. How many queues do they list: two, three, and a new one with --ipc container:two?",
    choices=["1, 1, 1", "1, 0, 0", "1, 0, 1", "1, 1, 0"],
    fact=facts.joined_lines,
    name="07-ipc",
)


# %%
@lab.after(queues)
def _():
    lab.docker("exec two ipcmk -Q", show=False)
    listing = "sh -c 'ipcs -q | grep -c 0x'"
    return [
        lab.docker(f"exec two {listing}", show=False),
        lab.docker(f"exec three {listing}", show=False),
        lab.docker(f"run --rm --ipc container:two lab {listing}", show=False),
    ]


# %% [markdown]
# <details><summary>When you have stepped through it</summary>
#
# The IPC namespace holds what has no path in any file system: System V's queues, semaphores and shared memory, and POSIX's message queues. To join one is to share it: there is
# no copy and no sending. Kubernetes' *pods* are this: containers that share the IPC and network namespaces, and keep their own mounts.
#
# </details>
#
# ## An interface of one's own
#
# A new network namespace is empty but for `lo`, the loopback, and even that is down. Docker puts an interface into it. `--network container:two` instead joins that of
# container two.

# %%
links = predict(
    "Which interfaces does a container see that joins container two's network?",
    choices=["only lo", "lo and eth0, the same eth0 as two", "lo and an eth0 of its own", "the host's"],
    fact=facts.joined_network("two", ["lo and eth0, the same eth0 as two", "lo and an eth0 of its own"]),
    name="07-net",
)

# %%
lab.docker("run --rm --network container:two lab ip addr", after=links, view="network")

# %% [markdown]
# <details><summary>When you have stepped through it</summary>
#
# `setns` on `/proc/PID/ns/net` is all there is to it: the new process takes over that table, with interfaces, addresses, routes and ports. Whoever listens on port 80
# there now listens for both. The view *Network* draws it: one box, two containers in it.
#
# </details>
#
# ## Is root root?
#
# The document lists USER among the namespaces that Docker uses. It can; by default it doesn't.

# %%
root = predict(
    "A container's /proc/self/uid_map says which ids outside its ids are. Which id outside is its root?",
    choices=["0, root itself", "100000", "nobody: it has no id outside"],
    fact=facts.root_outside({"0": "0, root itself", "100000": "100000"}),
    name="07-root",
)

# %%
lab.docker("run --rm lab cat /proc/self/uid_map", after=root)

# %% [markdown]
# <details><summary>When you have stepped through it</summary>
#
# So a file that a container's root writes into a directory of the host's belongs to the host's root. What keeps it from doing worse is something else: it has only some of root's
# *capabilities*, and a filter on system calls. In lesson 09 you'll take them away yourself.
#
# </details>
#
# ## A root of one's own
#
# A user namespace is where root becomes relative. These lines are your own calls: `lab.calls` runs them as a task, on each kernel. User 1000, who may do
# nothing, makes himself a user namespace, and is root in it.


# %%
async def ordinary(k):
    """Become nobody special, and have somebody write who is who."""
    await k.mount("none", "/mnt", "tmpfs", 0, "mode=777")
    ready, told = await k.pipe2(), await k.pipe2()
    child = await k.clone(relative_root, ready[1], told[0])
    await k.read(ready[0], 1)
    fd = await k.open(f"/proc/{child}/uid_map", O_WRONLY)
    await k.write(fd, b"0 1000 1\n")
    await k.write(told[1], b"!")
    await k.wait4(child)
    await k.write(1, f"seen from outside: {(await k.stat('/mnt/file')).st_uid}\n".encode())


async def relative_root(k, ready, told):
    """Be root where that means something only here."""
    await k.setgid(1000)
    await k.setuid(1000)
    await k.unshare(CLONE_NEWUSER)
    await k.write(ready, b"!")
    await k.read(told, 1)
    await k.close(await k.open("/mnt/file", O_WRONLY | O_CREAT, 0o644))
    inside = (await k.stat("/mnt/file")).st_uid
    await k.write(1, f"I am {await k.getuid()}, and the file is {inside}'s\n".encode())


own = lab.calls(ordinary, relative_root)

# %%
owner = predict(
    "Root of the user namespace makes a file. Which uid has it outside?",
    choices=["0", "1000", "65534"],
    fact=facts.last_word,
    name="07-owner",
)

# %%
own.run(after=owner)

# %% [markdown]
# <details><summary>When you have stepped through it</summary>
#
# A file has one owner, and the kernel keeps one number for it. The map is applied when the number is *shown*, in each namespace by its own. An id that a map
# leaves out is shown as 65534, "nobody". And the capabilities of that root count for what *belongs to his namespace*: he may mount there, and can't load a kernel module.
#
# </details>
#
# ## Vary one thing
#
# `unshare` makes namespaces on the command line; `--fork --pid --mount-proc` is a PID namespace inside of the container's. Leave out `--mount-proc`: whose processes does ps list then, and why?

# %%
lab.docker("run --rm --privileged lab unshare --fork --pid --mount-proc ps -o pid,comm")

# %% [markdown]
# ## Levels

# %%
smallest = lab.level("07-smallest-set")
smallest

# %%
smallest.check(["CLONE_NEWNS", "CLONE_NEWPID", "CLONE_NEWUTS", "CLONE_NEWIPC", "CLONE_NEWNET"])  # leave out what isn't needed

# %%
join = lab.level("07-join-the-network")
join

# %%
join.check("--network none")  # your flags

# %% [markdown]
# ## Where this is in Linux
#
# | what you saw | where to read on |
# |---|---|
# | all of them | `namespaces(7)`, and one page for each: `pid_namespaces(7)`, `mount_namespaces(7)`, `network_namespaces(7)`, `user_namespaces(7)` … |
# | making, joining | `clone(2)`, `unshare(2)`, `setns(2)`; `unshare(1)`, `nsenter(1)` |
# | which ones a process is in | `/proc/PID/ns/` |
# | who is root where | `capabilities(7)`, `user_namespaces(7)` |
# | which flags a container gets | `minidocker/runtime.py` |
# | the tables themselves | `minidocker/sim/namespaces.py`, about two hundred lines |
#
# ## Five questions

# %%
Quiz(lab, seed=7, about="namespaces")
