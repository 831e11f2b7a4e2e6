"""The one place outside of the user's own folders where Lilliput keeps things: packs and downloads."""

from __future__ import annotations

import os
from pathlib import Path


def home() -> Path:
    """LILLIPUT_HOME if it is set, else the user's cache directory. Nothing is created."""
    told = os.environ.get("LILLIPUT_HOME")
    if told:
        return Path(told).expanduser()
    import platformdirs

    return Path(platformdirs.user_cache_dir("lilliput", appauthor=False))
