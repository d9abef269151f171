"""The overlay file system (Documentation/filesystems/overlayfs.rst)."""
