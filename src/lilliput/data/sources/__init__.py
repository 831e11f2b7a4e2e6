"""What a user may point at: a zip, a folder, Parquet, or one of the two sets known by name."""

from __future__ import annotations

from lilliput.data.sources.open import SOURCES, open_source
from lilliput.data.sources.source import Listing, Picture, Source

__all__ = ["SOURCES", "Listing", "Picture", "Source", "open_source"]
