"""Reading ``.npz`` archives that anything may have happened to."""

from __future__ import annotations

import zipfile
import zlib

# numpy parses an array's header as Python: damage shows as anything.
DAMAGE = (
    OSError,
    ValueError,
    KeyError,
    EOFError,
    SyntaxError,
    MemoryError,
    NotImplementedError,
    RuntimeError,
    AttributeError,
    TypeError,
    zipfile.BadZipFile,
    zlib.error,
)
"""Every error with which reading a damaged archive has been seen to end."""
