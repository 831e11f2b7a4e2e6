"""``python -m lilliput``: the same as the ``lilliput`` command."""

from __future__ import annotations

import sys

from lilliput.cli import main

if __name__ == "__main__":
    sys.exit(main())
