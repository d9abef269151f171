"""minidocker: one Docker engine over two kernels, a simulated one and this machine's, to step through.

Start with ``minidocker.lab`` in a notebook, or ``minidocker --help`` on the command line. To read the source, start
with :mod:`minidocker.kernel` (the port), then :mod:`minidocker.engine` above it and ``minidocker/sim/`` below it.
"""

__version__ = "0.1.0"
