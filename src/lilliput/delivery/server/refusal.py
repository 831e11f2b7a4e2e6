"""A request that is not answered, and why: the one form of every error of the server."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from starlette.responses import JSONResponse


class AsciiJSON(JSONResponse):
    """JSON in ASCII: names of files and classes may hold what UTF-8 cannot."""

    def render(self, content: Any) -> bytes:
        """The content as bytes."""
        return json.dumps(content, allow_nan=False).encode("ascii")


class Refusal(Exception):
    """``status`` is HTTP's; ``kind`` is for programs, ``message`` and ``hint`` are for people."""

    def __init__(
        self,
        status: int,
        kind: str,
        message: str,
        hint: str = "",
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.kind = kind
        self.hint = hint
        self.headers = dict(headers or {})

    @property
    def facts(self) -> dict[str, str]:
        """As it is told, within ``{"error": ...}``."""
        return {"kind": self.kind, "message": str(self), "hint": self.hint}

    def response(self) -> AsciiJSON:
        """As an answer."""
        return AsciiJSON({"error": self.facts}, self.status, self.headers)
