"""The network of the simulated kernel: links, addresses, routes, frames and sockets. Start with ``namespace.py``."""
