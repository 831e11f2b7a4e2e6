"""What is sent, read into memory with a limit and a deadline, before anything looks at it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import NamedTuple

from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import ClientDisconnect, Request

from lilliput.delivery.server.limits import Limits
from lilliput.delivery.server.memory import Take
from lilliput.delivery.server.refusal import Refusal

_HOW = "curl --data-binary @cat.jpg URL, or curl -F file=@cat.jpg -F file=@dog.jpg URL"
_CLOSE = {"Connection": "close"}
# Who sends too much is heard out for so long, so that the answer is not lost with the connection.
_LINGER_SECONDS, _LINGER_BODIES = 1.0, 4


class Sent(NamedTuple):
    """A picture file, not yet looked at; ``file`` is its name as the client gave it, "" if it gave none."""

    file: str
    data: bytes


async def pictures_sent(request: Request, limits: Limits, take: Take) -> tuple[list[Sent], bool]:
    """The picture files of a request, and whether it was a form. Raises: Refusal."""
    body = await read_body(request, limits, take)
    if not body:
        raise Refusal(400, "NoPicture", "the request has no body", _HOW)
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "multipart/form-data":
        return [Sent("", body)], False
    return await _files_of(request, body, limits), True


async def read_body(request: Request, limits: Limits, take: Take) -> bytes:
    """All of a request's body. Raises: Refusal when it is too large or takes too long, or where ``take`` does."""
    declared = request.headers.get("content-length", "")
    is_over = declared.isdecimal() and int(declared[:20]) > limits.body_bytes
    parts: list[bytes] = []
    seen = 0
    try:
        async with (
            asyncio.timeout(_LINGER_SECONDS if is_over else limits.body_seconds),
            aclosing(request.stream()) as stream,
        ):
            async for part in stream:
                seen += len(part)
                if not is_over and seen <= limits.body_bytes:
                    take(len(part))
                    parts.append(part)
                    continue
                is_over = True
                parts.clear()
                if seen > _LINGER_BODIES * limits.body_bytes:
                    break
    except TimeoutError:
        if not is_over:
            raise _too_slow(limits) from None
    except ClientDisconnect:
        raise Refusal(400, "ClientGone", "the client has gone") from None
    if is_over:
        raise _too_large(limits)
    return b"".join(parts)


async def _files_of(request: Request, body: bytes, limits: Limits) -> list[Sent]:
    parser = MultiPartParser(request.headers, _whole(body), max_files=limits.files, max_fields=8)
    parser.spool_max_size = limits.body_bytes + 1  # in memory, where the body is already
    try:
        form = await parser.parse()
    except MultiPartException as error:
        raise Refusal(
            400, "DamagedForm", f"the form cannot be read: {error.message}", _HOW
        ) from None
    uploads = [one for _, one in form.multi_items() if isinstance(one, UploadFile)]
    sent = [Sent(one.filename or "", await one.read()) for one in uploads]
    await form.close()
    if not sent:
        raise Refusal(400, "NoPicture", "the form holds no file", _HOW)
    return sent


async def _whole(body: bytes) -> AsyncGenerator[bytes, None]:
    yield body


def _too_large(limits: Limits) -> Refusal:
    return Refusal(
        413,
        "BodyTooLarge",
        f"a request may have {limits.body_bytes / (1 << 20):g} MB",
        "send fewer pictures at once, or smaller ones",
        _CLOSE,
    )


def _too_slow(limits: Limits) -> Refusal:
    return Refusal(
        408,
        "BodyTooSlow",
        f"the request did not arrive within {limits.body_seconds:g} seconds",
        "send it again, or a smaller picture",
        _CLOSE,
    )
