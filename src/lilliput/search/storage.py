"""Where a study is kept while it runs: a journal file in its folder, or a database that many machines share."""

from __future__ import annotations

import os
import random
import time
import warnings
from importlib.util import find_spec
from pathlib import Path

from optuna import logging
from optuna.exceptions import OptunaError
from optuna.storages import BaseStorage, JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock
from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError

from lilliput.errors import LilliputError, MissingExtraError, UsageError
from lilliput.results.atomic import storage_errors

JOURNAL = "journal.log"
_ATTEMPTS = 6


def open_storage(url: str, folder: Path) -> BaseStorage:
    """The database at ``url``, or, when that is empty, the journal in ``folder``.

    Raises: UsageError for an address that is none; MissingExtraError; LilliputError when the database does not answer.
    """
    logging.set_verbosity(logging.ERROR)
    if not url:
        return _open_journal(folder)
    driver = _with_driver(url)
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # about the age of a database's tables
                return RDBStorage(driver, engine_kwargs={"pool_pre_ping": True})
        except (SQLAlchemyError, OptunaError, RuntimeError) as error:
            # Processes that find an empty database all make its tables; all but one of them must look again.
            if attempt == _ATTEMPTS or _is_unreachable(error):
                raise _no_answer(url, error) from error
            time.sleep(random.uniform(0.1, 0.4) * attempt)
        except ImportError as error:
            raise UsageError(
                f"--storage {shown(url)} needs a driver that is not installed: {error}",
                "PostgreSQL is the database Lilliput is tested with: --storage postgresql://...",
            ) from error
    raise AssertionError("unreachable")


def shown(url: str) -> str:
    """The address without its password; ``journal.log`` for the study's own file."""
    if not url:
        return JOURNAL
    try:
        return make_url(url).render_as_string(hide_password=True)
    except ArgumentError:
        return "(unreadable)"


def _open_journal(folder: Path) -> JournalStorage:
    path = folder / JOURNAL
    with storage_errors(path):
        folder.mkdir(parents=True, exist_ok=True)
        lock = JournalFileOpenLock(str(path))
        _mend(path, lock)
        return JournalStorage(JournalFileBackend(str(path), lock_obj=lock))


def _mend(path: Path, lock: JournalFileOpenLock) -> None:
    """Cut a last line off that a machine going down left half written; the next one would be glued to it."""
    if not path.exists() or not path.stat().st_size:
        return
    lock.acquire()
    try:
        with path.open("rb+") as file:
            file.seek(-1, os.SEEK_END)
            if file.read(1) != b"\n":
                file.seek(0)
                file.truncate(file.read().rfind(b"\n") + 1)
    finally:
        lock.release()


def _with_driver(url: str) -> str:
    try:
        address = make_url(url)
        if address.drivername in {"postgres", "postgresql"}:
            address = address.set(drivername="postgresql+psycopg")
        if address.drivername == "postgresql+psycopg" and find_spec("psycopg") is None:
            raise MissingExtraError("--storage postgresql://...", "postgres")
        address.get_dialect()
    except (ArgumentError, NoSuchModuleError, ValueError) as error:
        raise UsageError(
            f"--storage {shown(url)} is not the address of a database",
            "write it as postgresql://USER:PASSWORD@HOST/DATABASE",
        ) from error
    return address.render_as_string(hide_password=False)


def _is_unreachable(error: Exception) -> bool:
    return any(words in str(error) for words in ("connection", "authentication", "does not exist"))


def _no_answer(url: str, error: Exception) -> LilliputError:
    reason = str(getattr(error, "orig", None) or error).strip().splitlines() or [""]
    return LilliputError(
        f"the database at {shown(url)} cannot be used: {reason[0]}",
        "is the server running, and does the database exist? createdb makes an empty one",
    )
