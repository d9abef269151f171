"""overlayfs: several directories seen as one, the topmost writable (Documentation/filesystems/overlayfs.rst).

One file a phenomenon; start with ``lookup.py`` (what a name leads to) and ``copy_up.py`` (the first write).
"""
