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
# # 04 · Union file system
#
# **How do many read-only trees look like one?**
#
# A container sees one tree of files: `/bin`, `/etc`, all that a Linux has. On the disk there is no such tree. There is a pile of directories,
# one for each step in which somebody built the image. The source document that this lab follows calls it 层叠, *stacked in layers*, and says that the
# container nevertheless sees a single file system.
#
# The part of Linux that does it is **overlayfs**, one of the union file systems. It stores nothing itself. You name a list of
# directories, and it answers each question about the *merged* tree by asking them in turn.
#
# Two things are often believed: that a later layer *overwrites* what an earlier one had, and that a file *removed* in a later layer
# is no longer in the image. You are going to see what becomes of both.

# %%
from contextlib import suppress

from minidocker.lab import Lab, Quiz, facts, predict

lab = Lab()
lab

# %% [markdown]
# ## A directory that three layers have
#
# `lab.union` mounts layers that you write down, the lowest first, with an empty writable one on top. No image and no container is in the way
# here; what you get is the union itself, with calls named like those of Python's `os`. This is ours:
#
# | layer | `/d` in it |
# |---|---|
# | 3 (top) | `x`, and a whiteout `z` |
# | 2 | `y` |
# | 1 (lowest) | `x`, `z` |

# %%
u = lab.union(
    [
        {"/d/x": "one", "/d/z": "one"},
        {"/d/y": "two"},
        {"/d/x": "three", "/d/z": None},
    ]
)

# %%
listing = predict(
    "Which names does a listing of /d show?",
    several=["x", "y", "z", ".wh.z"],
    fact=facts.names_in("/d"),
    name="04-listing",
)


# %%
@lab.after(listing)
def _():
    u.listdir("/d")
    return u


# %% [markdown]
# <details><summary>When you have stepped through it</summary>
#
# Directories are special: all others with the same name *hide* each other, directories *merge*. Overlayfs reads `/d` in each of the three
# layers and gives each name once. `z` is met first as a whiteout; that is a character device with the numbers 0 and 0, and
# such a name is left out. In an image's archive the same mark is an empty file called `.wh.z`; on the disk there is no such file.
#
# </details>
#
# ## Who serves what
#
# Two layers have `/d/x`, with different contents.

# %%
server = predict(
    "Somebody reads /d/x. Which layer do the bytes come from?",
    choices=["layer 1", "layer 2", "layer 3", "the writable layer"],
    fact=facts.served_by("/d/x"),
    name="04-server",
)

# %%
lower = predict(
    "Layer 3 was laid on layer 1. What is now in layer 1's own /d/x?",
    choices=["one", "three", "nothing"],
    fact=lambda u: u.lower(1).get("/d/x", "nothing"),
    name="04-lower",
)


# %%
@lab.after(server)
def _():
    u.read_text("/d/x")
    return u


# %%
@lab.after(lower)
def _():
    return u


# %% [markdown]
# <details><summary>When you have stepped through it</summary>
#
# Nothing was overwritten. The search begins at the top and ends at the first layer that has the name; what lies below is *hidden*, and stays as it is, byte
# for byte. The green line in the stepper is that search. Take layer 3 away, and the old file is there again: that is why ten images can
# share layer 1 while each sees something else.
#
# </details>
#
# ## What a removal saves
#
# A Dockerfile says `RUN make-big-file`, works with it, and in the next line `RUN rm /big`. We build the two layers that come of it.

# %%
lab.image("fat:1", [{"/big": {"size": 1_000_000}}])
lab.image("thin:1", [{"/big": {"size": 1_000_000}}, {"/big": None}])

# %%
lab.docker("run --rm fat:1 ls -l /big")

# %%
removed = predict(
    "In thin:1 the last layer removes /big. How much do all its layers hold together?",
    choices=["about 1 MB", "almost nothing"],
    fact=facts.at_least(facts.image_bytes, 1_000_000, "about 1 MB", "almost nothing"),
    name="04-removed",
)

# %%
lab.docker("run --rm thin:1 ls -l /big", after=removed)

# %% [markdown]
# <details><summary>When you have stepped through it</summary>
#
# `ls` doesn't find it, and yet the million bytes are stored, pushed and pulled with every copy of the image: *hidden but kept*, says the line under
# the layers. A layer can't reach into the one below; it can only say *not any more*. People have filed this as a bug against Docker for years. If a file
# is not to be shipped, it must be made and removed within *one* layer: in one `RUN` line, or in a stage of the build that is thrown away.
# It is the same with a password: what one layer has, no later layer takes back.
#
# </details>
#
# ## Starting a directory anew
#
# A whiteout hides one name. To hide all that a directory had, there is another mark, put on the directory itself: **opaque**.

# %%
v = lab.union(
    [
        {"/conf/a": "old", "/conf/b": "old"},
        {"/conf/": {"opaque": True}, "/conf/c": "new"},
        {"/conf/d": "newer"},
    ]
)

# %%
fresh = predict(
    "Layer 2 marks /conf opaque, and layer 3 adds a file. Which names are in /conf?",
    several=["a", "b", "c", "d"],
    fact=facts.names_in("/conf"),
    name="04-opaque",
)


# %%
@lab.after(fresh)
def _():
    v.listdir("/conf")
    return v


# %% [markdown]
# <details><summary>When you have stepped through it</summary>
#
# The search for `/conf/a` comes from the top, finds nothing in layer 3, nothing in layer 2, and would go on to layer 1. But layer 2's `/conf` says that here is the
# end. Layer 3 lies *above* the mark: what it has is seen. Marks look down, never up.
#
# </details>
#
# ## What you may not do
#
# Whiteouts are what overlayfs makes when you remove something. Could a program in a container make one by itself? It is only a device node, after all,
# and we are root.

# %%
node = predict(
    "mknod('/w', character device 0/0) in the merged tree. How does it end?",
    choices=["it works", "EPERM", "EEXIST", "EROFS"],
    fact=facts.result_of("mknod"),
    name="04-mknod",
)


# %%
@lab.after(node)
def _():
    with suppress(OSError):
        v.mknod("/w", 0o020000, 0)
    return v


# %% [markdown]
# <details><summary>When you have stepped through it</summary>
#
# Such a node in the writable layer would mean *hide this name*; a program that could make one would have a file that it made and can't see. So
# the kernel refuses this one pair of numbers, to root as well. In a directory that is not part of an overlay, root may make it:
# that is how the layers that you gave were built.
#
# </details>
#
# ## Vary one thing
#
# The same three layers in another order. Change the order, and say before you run it what `/d` will show.

# %%
w = lab.union(
    [
        {"/d/x": "three", "/d/z": None},
        {"/d/x": "one", "/d/z": "one"},
        {"/d/y": "two"},
    ]
)
print(sorted(w.listdir("/d")), w.read_text("/d/x"))
w.show()

# %% [markdown]
# ## Levels
#
# A level says what shall be seen. How you get there is yours; what is judged is the view.

# %%
view = lab.level("04-the-same-view")
view

# %%
view.check([{"/a": "new"}])  # your layers here, the lower one first; view.hint() helps

# %%
mark = lab.level("04-one-mark")
mark

# %%
mark.check([{"/conf/new": "5"}])

# %%
squash = lab.level("04-squash")
squash

# %%
squash.check([{"/big": {"size": 500_000}, "/lib": "so"}, {"/big": None, "/app": "v2"}, {"/readme": "hi"}])

# %% [markdown]
# ## Where this is in Linux
#
# | what you saw | where to read on |
# |---|---|
# | lower, upper, merged, whiteouts, opaque directories | `Documentation/filesystems/overlayfs.rst` |
# | the mount itself | `mount(2)`, `mount(8)` under *overlay* |
# | whiteouts in archives | github.com/opencontainers/image-spec, `layer.md` |
# | the search from the top down, in twenty lines | `minidocker/provider.py`, `provider` |
# | the same in the simulated kernel | `minidocker/sim/overlay/lookup.py`, `readdir.py` |
#
# ## Five questions

# %%
Quiz(lab, seed=4)
