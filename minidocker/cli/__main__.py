"""``python -m minidocker.cli`` is ``minidocker``."""

import sys

from minidocker.cli import main

sys.exit(main())
