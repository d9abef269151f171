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
# # 05 · Copy-on-write
#
# **What does one byte written to a 1 GB file cost?**
#
# The layers of an image are read-only: hundreds of containers may stand on them at once. And yet every container writes to its files as if they were
# its own. The source document calls what makes this possible 写时复制, *copy when written*: the file is brought from its layer into the
# container's writable one, and changed there; the original stays, hidden by its copy.
#
# The kernel calls the bringing **copy-up**. Three things are often believed of it: that only the bytes that change are copied; that `chmod`
# changes no data and so costs nothing; and that containers of one image see each other's writes. In this lesson you put a figure on each of these.
#
# The files here have a million bytes, not a thousand million: you can do the rest in your head.

# %%
from contextlib import suppress

from minidocker.lab import Lab, Quiz, check, facts, measure, predict
from minidocker.linux import O_RDONLY

lab = Lab()
lab

# %% [markdown]
# ## One byte more
#
# One layer with a file of 1,000,000 bytes, and an empty writable layer on it.

# %%
MB = {"/big": {"size": 1_000_000}, "/note": "one\n", "/d/x": "1", "/d/y": "2"}
u = lab.union([MB])
u.show()

# %%
one_byte = predict(
    "One byte is appended to /big. How many bytes are in the writable layer then?",
    number="bytes",
    fact=facts.upper_bytes,
    name="05-append",
)


# %%
@lab.after(one_byte)
def _():
    u.append_text("/big", "!")
    return u


# %% [markdown]
# <details><summary>When you have stepped through it</summary>
#
# Look at *when* it happens: not at `write`, but already at `open`, as soon as the file is opened for writing. The whole file goes up, then one
# byte is added to the copy. For 1 GB that is 1 GB, and the one who waits for it is the program in its call of `open`. Overlayfs knows files, not blocks. (On file
# systems such as btrfs and XFS the copy can be a *reflink*, which shares the blocks until they change.)
#
# </details>
#
# ## Not even a byte
#
# `chmod` changes permissions. It doesn't touch data.

# %%
u2 = lab.union([MB])
mode = predict(
    "chmod 600 /big, and nothing else. How many bytes are in the writable layer then?",
    number="bytes",
    fact=facts.upper_bytes,
    name="05-chmod",
)


# %%
@lab.after(mode)
def _():
    u2.chmod("/big", 0o600)
    return u2


# %% [markdown]
# <details><summary>When you have stepped through it</summary>
#
# Permissions, owner and times are in the *inode*, and an inode without its data is of no use in the upper directory. So everything is copied, for twelve bits. It is the same
# with `chown` and `touch`, even if they set what was set before. A `RUN chown -R` in a Dockerfile is the classic: it doubles an image. (Overlayfs
# has an option against it, `metacopy`; Docker doesn't use it by default, and this mount says `metacopy=off`.)
#
# </details>
#
# ## Moving
#
# `rename` gives an inode another name and is known to be cheap: no data moves. First a file, then a directory.

# %%
u3 = lab.union([MB])
move_file = predict(
    "rename('/big', '/huge'): how many bytes are in the writable layer then?",
    number="bytes",
    fact=facts.upper_bytes,
    name="05-mv-file",
)

# %%
move_dir = predict(
    "rename('/d', '/e'), a directory with two tiny files. How does it end?",
    choices=["it works", "EXDEV", "ENOTEMPTY", "EROFS"],
    fact=facts.result_of("rename", -1),
    name="05-mv-dir",
)


# %%
@lab.after(move_file)
def _():
    u3.rename("/big", "/huge")
    return u3


# %%
@lab.after(move_dir)
def _():
    with suppress(OSError):
        u3.rename("/d", "/e")
    return u3


# %% [markdown]
# <details><summary>When you have stepped through it</summary>
#
# The file: copied up under its old name, given the new one, and a whiteout where it was, because layer 1 still has it there.
#
# The directory: `EXDEV`, *Invalid cross-device link*, as if the two names were on two disks. To move it, overlayfs would have to copy up all that is below, or
# leave a note where the contents are to be found (`redirect_dir`, off by default). It says no, and leaves it to the program: `mv` copies, and then removes.
# A program that doesn't expect this fails in a container though it works outside of one; package managers have had that bug.
#
# </details>
#
# ## Removing
#
# Now `/big` is to go.

# %%
u4 = lab.union([MB])
removed = predict(
    "unlink('/big'). What lies at /big in the writable layer?",
    choices=["nothing", "whiteout", "file", "directory"],
    fact=facts.in_upper("/big"),
    name="05-rm",
)

# %%
anew = predict(
    "And when a new, empty /big has been made after that?",
    choices=["nothing", "whiteout", "file", "whiteout and file"],
    fact=facts.in_upper("/big"),
    name="05-rm-create",
)


# %%
@lab.after(removed)
def _():
    u4.unlink("/big")
    return u4


# %%
@lab.after(anew)
def _():
    u4.write_text("/big", "")
    return u4


# %% [markdown]
# <details><summary>When you have stepped through it</summary>
#
# There is one entry of a name in a directory. The new file takes the whiteout's place, and hides layer 1's file by being there. Remove it once more, and
# the whiteout comes back. No byte was freed below in all this, and none was copied up: who removes needs no data.
#
# For a *directory* that is removed and made anew, being there isn't enough: it would merge with the old one. The kernel marks it opaque. You'll make it do so in a level.
#
# </details>
#
# ## Two names, one file
#
# Two names of one inode, *hard links*: what is written through one is read through the other. That is what they are for.

# %%
u5 = lab.union([{"/first": "old", "/second": {"link": "/first"}}])
print([u5.stat(path).st_nlink for path in ("/first", "/second")], "names each")
linked = predict(
    "'new' is written to /first. What does /second say then?",
    choices=["old", "new"],
    fact=lambda u: u.tree()["/second"],
    name="05-link",
)


# %%
@lab.after(linked)
def _():
    u5.write_text("/first", "new")
    u5.read_text("/second")
    return u5


# %% [markdown]
# <details><summary>When you have stepped through it</summary>
#
# The copy-up copied `/first`, and only that name. The link is broken: one file has become two. `stat` goes on telling of two names for `/second`, as its inode in layer 1
# does. (The option `index=on` mends this; Docker doesn't set it.)
#
# </details>
#
# ## A door that was open before
#
# A program opens a file for reading. *Then* somebody else writes to it. The program holds a descriptor of the file in the lower layer, of which we know that it never changes.

# %%
u6 = lab.union([MB])
fd = u6.open("/note", O_RDONLY)
before = u6.stat("/note")
u6.write_text("/note", "two\n")
after = u6.stat("/note")

# %%
door = predict(
    "The descriptor was opened before 'two' was written. What does reading from it give?",
    choices=["one", "two"],
    fact=lambda text: text.strip(),
    name="05-descriptor",
)

# %%
inode = predict(
    "The file lies in another directory now. Has its inode number, as stat tells it, changed?",
    choices=["yes", "no"],
    fact=lambda numbers: "no" if numbers[0] == numbers[1] else "yes",
    name="05-inode",
)


# %%
@lab.after(door)
def _():
    return u6.read(fd, 100).decode()


# %%
@lab.after(inode)
def _():
    return before.st_ino, after.st_ino


# %% [markdown]
# <details><summary>When you have stepped through it</summary>
#
# Since Linux 4.19 an open file belongs to the *merged* file: each read asks anew where the data is. Until then the descriptor went on reading the
# old bytes, and a database that had opened its log twice could be surprised.
#
# The inode number is what programs such as `tar`, `cp` and `find` know a file by. So overlayfs keeps showing the number of the lower file after the copy-up: the
# copy carries a note where it came from (*origin*).
#
# </details>

# %%
u6.show()

# %% [markdown]
# ## Two containers
#
# The same with docker. One container appends a line to the greeting.

# %%
digest = lab.fingerprint("lab")
lab.docker("run --name writer lab sh -c 'echo I was here >> /etc/motd; cat /etc/motd'")

# %%
other = predict(
    "Another container of the same image reads /etc/motd. How many lines does it see?",
    choices=["0", "1", "2"],
    fact=lambda run: len(run.stdout.splitlines()),
    name="05-other",
)

# %%
lab.docker("run --rm lab cat /etc/motd", after=other)

# %%
lab.docker("diff writer")

# %%
check("the image's layers are what they were, byte for byte", lambda: lab.fingerprint("lab") == digest)

# %% [markdown]
# ## In seconds, and in memory
#
# What it costs can only be told by a real kernel. The first opening for writing copies, the second finds the copy:

# %%
measure.first_write(lab)

# %% [markdown]
# And the reason why one does all this. Ten containers read the same file of their image; then each of them opens it for writing.

# %%
measure.page_cache(lab)

# %% [markdown]
# As long as they only read, the ten share what the kernel keeps in memory, for it is the same file. Each copy-up makes a file of its own, and memory of its own.
#
# ## Vary one thing
#
# Opening for writing copies up, even if nothing is written. And reading? And `O_CREAT` of a file that is there? Change the line, say what you expect, and run the cell.

# %%
u7 = lab.union([MB])
u7.close(u7.open("/big", O_RDONLY))
print(u7.upper)
u7.show()

# %% [markdown]
# ## Levels

# %%
given = lab.level("05-a-given-upper")
given

# %%
u8 = given.start()
u8.unlink("/a")  # your calls here; given.hint() helps
given.check()

# %%
opaque = lab.level("05-opaque")
opaque

# %%
u9 = opaque.start()
opaque.check()

# %%
moved = lab.level("05-move-a-directory")
moved

# %%
u10 = moved.start()
moved.check()

# %% [markdown]
# ## Where this is in Linux
#
# | what you saw | where to read on |
# |---|---|
# | what copies up, and what doesn't | `Documentation/filesystems/overlayfs.rst`, *Non-directories* and *Non-standard behavior* |
# | the descriptor that sees the new data | Linux 4.19, *ovl: stack file ops* |
# | `EXDEV` | `rename(2)`; overlayfs.rst, *Renaming directories* |
# | copy-up in the simulated kernel | `minidocker/sim/overlay/copy_up.py` |
# | how a copy-up is noticed on a real kernel | `minidocker/observe.py` |
# | `docker diff` | `minidocker/diff.py` |
#
# ## You are overlayfs: five questions

# %%
Quiz(lab, seed=5)
