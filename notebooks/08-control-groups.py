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
# # 08 · Control groups
#
# **Who gets the CPU when everybody wants it?**
#
# Namespaces decide what a process *sees*. They don't decide how much it may *take*: a container with namespaces of all kinds can still eat the whole
# machine. The second half of the work is done by **control groups**, cgroups for short: a tree of groups of processes, and files in each group, in which one writes what the
# group may have and reads what it has had.
#
# The source document says: no cgroups, no container. That is too strong; lesson 09 makes a container without one. What is lost is the neighbours' peace.
#
# Four things are often believed: that a limit is a reservation; that shares are a limit; that a container which wants too much memory gets an error; and that
# pausing a container stops its clock.

# %%
from minidocker.lab import Lab, Quiz, facts, limits, predict

lab = Lab(view="cgroups")
lab

# %% [markdown]
# ## Two that want everything
#
# Two containers spin on one and the same processor (`--cpuset-cpus 0`), with 256 and 768 *shares*.

# %%
lab.docker("run -d --name small --cpuset-cpus 0 --cpu-shares 256 lab sh -c 'while :; do :; done'", show=False)
lab.docker("run -d --name big --cpuset-cpus 0 --cpu-shares 768 lab sh -c 'while :; do :; done'")

# %%
split = predict(
    "Both spin. What per cent of the processor does the container with 256 shares get?",
    number="%",
    within=0.15,
    fact=facts.cpu_percent("small"),
    name="08-split",
)

# %%
lab.docker("stats --no-stream small big", after=split)

# %% [markdown]
# <details><summary>When you have stepped through it</summary>
#
# 256 of 1024, a quarter. Shares are *weights*: they are divided by the sum of all who want the processor at this moment. On their own the numbers mean nothing; 1 and
# 3 would do as well, were they allowed.
#
# </details>
#
# ## And when one sleeps?
#
# Now the big one is paused, so only the small one wants anything.

# %%
alone = predict(
    "What per cent of the processor does the container with 256 shares get now?",
    number="%",
    within=0.15,
    fact=facts.cpu_percent("small"),
    name="08-alone",
)

# %%
lab.docker("pause big", show=False)
lab.docker("stats --no-stream small big", after=alone)

# %% [markdown]
# <details><summary>When you have stepped through it</summary>
#
# All of it: a weight is no limit. What nobody wants is given away. If a container shall never have more than half a processor, even on an idle machine, that is a
# *quota*: `--cpus 0.5`. So many microseconds in each period of 100 milliseconds, and when they are used up, the group stands still until the next.
#
# </details>

# %%
quota = predict(
    "docker update --cpus 0.5 small, while big is still paused. What per cent now?",
    number="%",
    within=0.15,
    fact=facts.cpu_percent("small"),
    name="08-quota",
)

# %%
lab.docker("update --cpus 0.5 small", show=False)
lab.docker("stats --no-stream small", after=quota)

# %% [markdown]
# <details><summary>When you have stepped through it</summary>
#
# Half, to the per cent, on a machine on which nobody else wants the processor. The limit is a number in a file, and `update` wrote it while the container ran: look for it in the view *Control groups*. What the container could have had is lost.
#
# </details>

# %%
lab.docker("rm -f small big", show=False)

# %% [markdown]
# ## What a pause stops
#
# `docker pause` doesn't send a signal. It asks the kernel's *freezer* not to let the group run.

# %%
timer = predict(
    "A container sleeps for one second. It is paused at once, for three seconds. When it goes on, how long does it still sleep?",
    choices=["not at all: the second is over", "one second: its clock stood still", "it never wakes up"],
    fact=facts.ended_soon("napper", "not at all: the second is over", "one second: its clock stood still"),
    name="08-timer",
)


# %%
@lab.after(timer)
def _():
    lab.docker("run -d --name napper lab sleep 1", show=False)
    lab.docker("pause napper", show=False)
    lab.advance(3)
    lab.docker("unpause napper", show=False)
    lab.advance(0.2)
    return lab.docker("ps -a", show=False)


# %% [markdown]
# <details><summary>When you have stepped through it</summary>
#
# Time goes on for everybody. What stands still is the process: it can't *notice*. After three seconds its timer had long run out, and the moment it was let go it was told so.
# A program that measures how long something took by looking at the clock is in for a surprise.
#
# </details>
#
# ## Too much memory
#
# Sixteen megabytes are allowed, and `dd` wants a buffer of sixty-four.

# %%
memory = predict(
    "docker run -m 16m … dd bs=64M. How does it end?",
    choices=["dd says: cannot allocate memory", "exit code 137", "exit code 143", "it swaps, and works"],
    fact=facts.ended(
        {137: "exit code 137", 143: "exit code 143", 1: "dd says: cannot allocate memory", 0: "it swaps, and works"}
    ),
    name="08-memory",
)

# %%
lab.docker("run --name fat -m 16m --memory-swap 16m lab dd if=/dev/zero of=/dev/null bs=64M count=1", after=memory)

# %% [markdown]
# <details><summary>When you have stepped through it</summary>
#
# `mmap` succeeded: asking for memory costs nothing and is nearly always granted. The pages are counted when they are *touched*, and there no error can be
# returned: a store into memory has no return value. So the kernel first takes back what it can (clean pages of files), and then it kills: SIGKILL, 128 + 9. Who is chosen depends on who has most.
# A limit is a wall, not a promise: had the machine been out of memory itself, sixteen megabytes allowed would have helped nobody.
#
# </details>

# %%
lab.docker("inspect --format '{{json .State}}' fat")

# %% [markdown]
# ## Too many processes

# %%
forks = predict(
    "Eight sleepers are started in the background with --pids-limit 5. What happens?",
    choices=["all run, slower", "the shell says: can't fork", "the container is killed"],
    fact=facts.says("fork", "the shell says: can't fork", "all run, slower"),
    name="08-pids",
)

# %%
lab.docker("run --rm --pids-limit 5 lab sh -c 'for i in 1 2 3 4 5 6 7 8; do sleep 9 & done'", after=forks)

# %% [markdown]
# ## Vary one thing
#
# A limit in figures is one line of a file, and can be changed while the container runs. Change the two numbers: at which limit does the program get through? What does it need *besides* the memory that it asks for?

# %%
lab.docker("run --rm -m 40m lab stress --vm 1 --vm-bytes 24M --vm-hang 0 --timeout 1")

# %% [markdown]
# ## Which file is it?
#
# All of this is files. There are two generations of them: v1, with a tree for each *controller*, and v2, with one tree for all. Most hosts of today have v2; this is what each flag
# writes in either.

# %%
limits("-m 64m --memory-reservation 32m --cpus 0.5 --cpu-shares 512 --cpuset-cpus 0 --pids-limit 20")

# %% [markdown]
# ## Levels

# %%
three = lab.level("08-three-quarters")
three

# %%
three.check("--cpu-shares 1024")  # your flags

# %%
survive = lab.level("08-survive")
survive

# %%
survive.check("-m 16m")  # your flags

# %%
which = lab.level("08-which-file")
which

# %%
which.check("memory.max")  # the file's name

# %% [markdown]
# ## Where this is in Linux
#
# | what you saw | where to read on |
# |---|---|
# | the tree and its files | `cgroups(7)`; `Documentation/admin-guide/cgroup-v2.rst`, `cgroup-v1/` |
# | weights, quotas | `Documentation/scheduler/sched-design-CFS.rst`, `sched-bwc.rst` |
# | who is killed | `Documentation/admin-guide/cgroup-v2.rst`, *memory.oom.group*; `proc(5)`, *oom_score_adj* |
# | the freezer | `Documentation/admin-guide/cgroup-v1/freezer-subsystem.rst` |
# | which flag writes which file | `minidocker/cgroup_files.py` |
# | the same in the simulated kernel | `minidocker/sim/cgroup/` |
#
# ## Five questions

# %%
Quiz(lab, seed=8, about="limits")
