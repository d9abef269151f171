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
# # 00 · Start
#
# **What will this lab show me that a picture can't?**
#
# A picture of Docker shows boxes: an image at the bottom, a container on top, arrows between them. It can't be asked. What if
# I remove a file? What if two containers write to the same one? A picture answers the questions that its author had.
#
# Here is a machine instead of a picture. You type a docker command, it really runs, and you get every single thing that it did
# as a list of steps: what the client asked, what the daemon did, each system call, and what the kernel did inside that call. You
# go through the steps forwards and backwards, like through the pages of a book.
#
# Two kernels can do the work. One is **simulated**: a small Linux written in Python, which runs anywhere and which you may
# read. The other is **this machine's**, where this machine has a Linux and lets us use it. Both are told the same, and are compared.

# %%
from minidocker.lab import Lab, Quiz, facts, predict

lab = Lab()
lab

# %% [markdown]
# ## An image of three layers
#
# An image is a pile of *layers*; each is a directory of files that was stored once and never changes again. There is a small one
# built in, `lab`: a shell and the usual programs. We put two layers on it. A name with `None` is a **whiteout**: the
# mark of a layer which says that there is nothing of this name here, whatever lies below.

# %%
lab.image(
    "shelf:1",
    [
        {"/shelf/a": "from below\n", "/shelf/b": "from below\n"},
        {"/shelf/b": None, "/shelf/c": "from above\n"},
    ],
)

# %% [markdown]
# Then somebody starts a container of that image, and leaves a file on the shelf. `docker` here means the lab's own engine; the
# command line is Docker's.

# %%
lab.docker("run --name somebody shelf:1 sh -c 'echo mine > /shelf/d'")

# %% [markdown]
# You see a *stepper*. Click on a call at the left, move the slider, or press ← and →. At the right is the pile: the view of the
# container at the top, its own writable layer below, then the layers of the image. A line leads from each name down to the layer
# that serves it.
#
# ## Predict
#
# In this lab you say first what you expect. The answer is locked in, and only then the command runs: there is nothing to peep
# at. To be wrong is the best that can happen to you; it shows where your picture is.

# %%
files = predict(
    "A second container of shelf:1 lists /shelf. Which of these four does it see?",
    several=["/shelf/a", "/shelf/b", "/shelf/c", "/shelf/d"],
    fact=lambda run: run.stdout.split(),
    name="00-files",
)

# %%
lab.docker("run --rm shelf:1 sh -c 'ls -d /shelf/*'", after=files)

# %% [markdown]
# <details><summary>When you have stepped through it</summary>
#
# Follow the line of each name from the top down. `/shelf/a` is in the first of our layers and in nothing above it: seen. `/shelf/b` is
# there too, but on the way down the search meets the whiteout first, and ends. `/shelf/c` comes from the second layer. And `/shelf/d` is
# nowhere in this pile: it lies in the *writable layer of the other container*, and each container has its own.
#
# </details>
#
# ## Is that how Linux does it, or how somebody imagined it?
#
# A simulator can be made up. This one must not be: what it says is compared with a real kernel, step by step. If this
# machine's kernel can be used, it has just run the same command; if not, what a real one did was recorded for you. The badge beside a
# command tells which.

# %%
same = predict(
    "Here is a run that reads, appends, hides and fails. Are the model's steps those of a real Linux, every one?",
    choices=["yes", "no"],
    fact=facts.agreement,
    name="00-same",
)

# %%
lab.docker("run --name busy shelf:1 sh -c 'cat /shelf/a; echo more >> /shelf/a; rm /shelf/c; mv /etc /e'", after=same)

# %% [markdown]
# <details><summary>When you have stepped through it</summary>
#
# What was compared: each call of each process, its arguments, its result or error, and what it left in the writable layer. What was not: numbers
# that are never the same twice, such as process ids and times. On a real kernel nobody can look into overlayfs while it works, so
# there the lab looks at the upper directory before and after each call; the steps that it concludes from this are marked as *observed*.
#
# </details>
#
# ## Things go wrong, too
#
# A lab in which everything works teaches little. What becomes of a program that isn't there? A program ends with an *exit code*, 0 if
# all is well; Docker has a few of its own.

# %%
missing = predict(
    "docker run --rm shelf:1 dance. No layer has a program called dance. With which exit code does docker run end?",
    choices=["0", "1", "125", "126", "127"],
    fact=facts.exit_code,
    name="00-missing",
)

# %%
lab.docker("run --rm shelf:1 dance", after=missing)

# %% [markdown]
# <details><summary>When you have stepped through it</summary>
#
# The container was made, its layers were mounted, a process was started, and only there, when it looked for the program along `$PATH`, was
# there nothing to become. 127 is what a shell says, too, of a command that it can't find. 126 means *found, but can't be run*, and
# 125 that Docker itself refused, before any program came into play. The longest part of the message is the chain of those who passed it on.
#
# </details>
#
# ## Vary one thing
#
# Change the command below as you like, and run the cell again. `%docker` takes the line as it is; nothing in it is Python.

# %%
# %load_ext minidocker.lab
# %docker run --rm -e WHO=you shelf:1 sh -c 'echo hello $WHO; hostname; id'

# %% [markdown]
# ## Level

# %%
level = lab.level("00-where-motd-goes")
level

# %%
run = level.command()

# %%
level.check(1)  # your step's number instead of 1; level.hint() helps

# %% [markdown]
# ## Where this is in Linux
#
# | what you saw | where to read on |
# |---|---|
# | many trees as one | `mount(8)`, type overlay; `Documentation/filesystems/overlayfs.rst` in the kernel's source |
# | a process that sees only its own world | `namespaces(7)`, `clone(2)`, `pivot_root(2)` |
# | the order in which a container is put together | `minidocker/runtime.py`: read `init`, about ten lines |
# | how model and kernel are compared | `minidocker/compare.py` |
#
# ## Five questions
#
# Each is made anew from a seed, played on the lab's kernels, and graded by what came out. Another number gives other questions.

# %%
Quiz(lab, seed=1)
