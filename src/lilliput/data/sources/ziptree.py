"""A zip read in place: never extracted, its members checked before any is read."""

from __future__ import annotations

import hashlib
import re
import stat
import struct
import threading
import weakref
import zipfile
import zlib
from io import BytesIO
from itertools import pairwise
from pathlib import Path
from typing import BinaryIO

from lilliput.data.sources.tree import is_ignored
from lilliput.errors import SourceError

MAX_MEMBER_BYTES = 256 << 20
MAX_TOTAL_BYTES = 256 << 30
MAX_RATIO = (
    200  # of a member above 1 MiB: pictures hardly shrink in a zip, bombs grow a thousandfold
)

_LOCAL_HEADER = struct.Struct("<4s22xHH")
_COPY_AGAIN = "copy or download the zip again"
_NAME_HINT = "give the member an ordinary name, or remove it, and zip the folder again"
_TWICE_HINT = "keep one of the two: extract the zip and give the folder, or zip it again"
_EXTRACT = "if you trust it, extract it and give the folder instead"
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


class ZipTree:
    """The files of a zip as a tree (see ``tree.Tree``). ``content`` stands in for a zip that is not on disk.

    Raises: SourceError naming zip and member, for a damaged or hostile zip.
    """

    def __init__(self, path: Path, content: bytes | None = None) -> None:
        self.path = path
        self._content = content
        self._handles = threading.local()
        self._inside: dict[str, tuple[list[str], list[str]]] = {"": ([], [])}
        self._members: dict[str, zipfile.ZipInfo] = {}
        self._ignored = {"": False}
        for info in self._directory():
            self._add(info)
        self._check_total()
        for folders, files in self._inside.values():
            folders.sort()
            files.sort()
        self.stamp = zip_stamp(path) if content is None else hashlib.sha256(content).hexdigest()

    def folders(self, folder: str) -> list[str]:
        """See ``tree.Tree``."""
        return self._inside.get(folder, ([], []))[0]

    def files(self, folder: str) -> list[str]:
        """See ``tree.Tree``."""
        return self._inside.get(folder, ([], []))[1]

    def position(self, file: str) -> int:
        """See ``tree.Tree``: where the member starts."""
        return self._members[file].header_offset

    def read(self, file: str) -> bytes:
        """See ``tree.Tree``. Raises: SourceError for a member that is not what the directory says."""
        member = self._members[file]
        try:
            data = _inflate(self._packed(member), member)
        except (OSError, zlib.error, struct.error, ValueError) as error:
            raise self._bad(member, f"is damaged: {error}", _COPY_AGAIN) from error
        if zlib.crc32(data) != member.CRC:
            raise self._bad(member, "is damaged: its checksum is wrong", _COPY_AGAIN)
        return data

    def _directory(self) -> list[zipfile.ZipInfo]:
        try:
            with self._open() as file, zipfile.ZipFile(file) as directory:
                return directory.infolist()
        except (
            zipfile.BadZipFile,
            EOFError,
            struct.error,
            NotImplementedError,
            ValueError,
        ) as error:
            problem = f"{self.path} is not a whole zip: {str(error).rstrip('.')}"
            raise SourceError(problem, _COPY_AGAIN) from error
        except OSError as error:
            raise SourceError(f"cannot read {self.path}: {error.strerror or error}") from error

    def _open(self) -> BinaryIO:
        return open(self.path, "rb") if self._content is None else BytesIO(self._content)

    def _add(self, info: zipfile.ZipInfo) -> None:
        name = _file_name(info)
        problem, hint = _problem(info, name)
        if problem:
            raise self._bad(info, problem, hint)
        folder, _, base = name.rpartition("/")
        if name in self._members or (base and name in self._inside):
            raise self._bad(info, "is there twice", _TWICE_HINT)
        if folder not in self._ignored:
            self._add_folder(folder, info)
        if base and not self._ignored[folder] and not is_ignored(base):
            self._inside[folder][1].append(base)
            self._members[name] = info

    def _add_folder(self, folder: str, info: zipfile.ZipInfo) -> None:
        if folder in self._ignored:
            return
        above, _, base = folder.rpartition("/")
        if base in ("", ".", ".."):
            raise self._bad(info, "has an unsafe name", _NAME_HINT)
        if folder in self._members:
            raise self._bad(info, "is there twice, as a file and as a folder", _TWICE_HINT)
        self._add_folder(above, info)
        self._ignored[folder] = self._ignored[above] or is_ignored(base)
        if not self._ignored[folder]:
            self._inside[folder] = ([], [])
            self._inside[above][0].append(base)

    def _check_total(self) -> None:
        members = sorted(self._members.values(), key=lambda member: member.header_offset)
        for member, following in pairwise(members):
            end = member.header_offset + _LOCAL_HEADER.size + member.compress_size
            if end > following.header_offset:
                raise self._bad(following, f"lies inside '{_shown(member)}'", _COPY_AGAIN)
        if sum(member.file_size for member in members) > MAX_TOTAL_BYTES:
            raise SourceError(
                f"{self.path} would expand to more than {MAX_TOTAL_BYTES >> 30} GiB", _EXTRACT
            )

    def _packed(self, member: zipfile.ZipInfo) -> bytes:
        """The bytes of a member as they stand in the file, found through its local header."""
        header = self._read_at(member.header_offset, _LOCAL_HEADER.size)
        signature, name_bytes, extra_bytes = _LOCAL_HEADER.unpack(header)
        if signature != b"PK\x03\x04":
            raise ValueError("no file starts where the directory says")
        start = member.header_offset + _LOCAL_HEADER.size + name_bytes + extra_bytes
        data = self._read_at(start, member.compress_size)
        if len(data) < member.compress_size:
            raise ValueError("the zip ends within it")
        return data

    def _read_at(self, offset: int, count: int) -> bytes:
        if self._content is not None:
            return self._content[offset : offset + count]
        handle = getattr(self._handles, "file", None)
        if (
            handle is None
        ):  # one per thread, so no lock; read far ahead, as neighbours are read in turn
            handle = self._handles.file = open(self.path, "rb", buffering=1 << 20)  # noqa: SIM115
            weakref.finalize(self, handle.close)
        handle.seek(offset)
        return handle.read(count)

    def _bad(self, member: zipfile.ZipInfo, problem: str, hint: str) -> SourceError:
        return SourceError(f"{self.path}: member '{_shown(member)}' {problem}", hint)


def zip_stamp(path: Path) -> str:
    """Changes when the zip is another: name, size and time of writing."""
    status = path.stat()
    text = f"zip\0{path.name}\0{status.st_size}\0{status.st_mtime_ns}"
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()


def _inflate(packed: bytes, member: zipfile.ZipInfo) -> bytes:
    if member.compress_type == zipfile.ZIP_STORED:
        return packed
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    data = inflater.decompress(packed, member.file_size + 1)
    if len(data) != member.file_size:
        raise ValueError("its length is not what the directory says")
    return data


def _file_name(info: zipfile.ZipInfo) -> str:
    """The name in Unicode; macOS writes UTF-8 without saying so."""
    name = info.orig_filename
    if not info.flag_bits & 0x800 and not name.isascii():
        try:
            return name.encode("cp437").decode("utf-8")
        except UnicodeError:
            pass
    return name


def _shown(member: zipfile.ZipInfo) -> str:
    """The member's name for a message: what a terminal would obey is escaped."""
    return _CONTROL.sub(lambda found: f"\\x{ord(found[0]):02x}", member.orig_filename)


def _problem(info: zipfile.ZipInfo, name: str) -> tuple[str, str]:
    """Why a member must not be touched and what to do about it, or "" twice."""
    base = name.rpartition("/")[2]  # the folders are checked once each, in _add_folder
    odd = "\\" in name or name[:1] == "/" or name[1:2] == ":" or _CONTROL.search(name)
    if odd or base in (".", "..") or not name:
        return "has an unsafe name", _NAME_HINT
    if info.flag_bits & 1:
        return "is encrypted", "extract it with its password and give the folder instead"
    if stat.S_ISLNK(info.external_attr >> 16):
        return "is a symbolic link", "zip the folder again with the files that its links lead to"
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        return f"is compressed by method {info.compress_type}", "zip it again with deflate"
    if info.compress_type == zipfile.ZIP_STORED and info.compress_size != info.file_size:
        return "has contradicting sizes", _COPY_AGAIN
    if info.file_size > MAX_MEMBER_BYTES:
        return f"would expand to {info.file_size:,} bytes", _EXTRACT
    if info.file_size > max(1 << 20, MAX_RATIO * info.compress_size):
        return f"would expand {info.file_size // max(info.compress_size, 1)} times", _EXTRACT
    return "", ""
