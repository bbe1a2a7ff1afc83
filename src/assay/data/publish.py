"""Folders that appear whole or not at all and that all processes share: what was expensive to make."""

import errno
import hashlib
import os
import re
import secrets
import shutil
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

from assay.errors import AssayError
from assay.system import files
from assay.system.process import Process, this_process

T = TypeVar("T")
UNUSED = 30 * 24 * 3600
"""Seconds without a reader after which an entry is removed."""
_ENTRY = re.compile(r"[0-9a-f]{24}")


def cache_folder(kind: str) -> Path:
    """Where entries of a kind (``images``, ``features``) are kept: ``$ASSAY_CACHE/<kind>``, else below
    ``~/.cache/assay``."""
    return Path(os.environ.get("ASSAY_CACHE") or Path.home() / ".cache" / "assay").expanduser() / kind


def entry_folder(kind: str, identity: str) -> Path:
    """Where the entry of a kind that ``identity`` decides is kept."""
    return cache_folder(kind) / hashlib.sha256(identity.encode()).hexdigest()[:24]


def touch(folder: Path) -> None:
    """Note that the entry ``folder``, if it is there, has a reader: it is kept for 30 days more."""
    with suppress(OSError):
        os.utime(folder)


def make(folder: Path, fill: Callable[[Path], None], read: Callable[[Path], T | None]) -> T:
    """What ``read`` finds in ``folder`` after ``fill`` has written it under a temporary name.

    ``read`` gives None for a folder that is not there or damaged. Of two processes that make the same folder, the first
    one's result stays. Entries beside it that had no reader for 30 days are removed. Raises AssayError where the disk
    is full or cannot be written.
    """
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        _clean(folder.parent)
        _remove_unused(folder.parent)
        temporary = _temporary(folder)
        temporary.mkdir()
        try:
            fill(temporary)
            _flush(temporary)
            return _publish(temporary, folder, read)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        reason = "the disk is full" if full else error.strerror or error
        raise AssayError(f"cannot write the cache {str(folder.parent)!r} ({reason}); set ASSAY_CACHE") from error


def check_space(folder: Path, what: str, needed: int) -> None:
    """Raise AssayError where ``needed`` bytes for ``what`` do not fit on the disk of the entry ``folder``."""
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise AssayError(
            f"{what} needs {needed / 2**20:,.0f} MiB and {str(folder.parent)!r} has "
            f"{free / 2**20:,.0f} MiB free; set ASSAY_CACHE to another disk"
        )


def _temporary(folder: Path) -> Path:
    return folder.with_name(f".{folder.name}.{this_process()}.{secrets.token_hex(4)}.tmp")


def _flush(folder: Path) -> None:
    for path in folder.iterdir():
        with open(path, "rb+") as file:
            os.fsync(file.fileno())
    files.sync_folder(folder)


def _publish(temporary: Path, folder: Path, read: Callable[[Path], T | None]) -> T:
    """Rename into place, over a damaged folder too."""
    for _ in range(2):
        try:
            temporary.rename(folder)
        except OSError:
            if read(folder) is None:
                shutil.rmtree(folder, ignore_errors=True)
                continue
        files.sync_folder(folder.parent)
        break
    found = read(folder)
    if found is None:
        raise AssayError(f"the cache {str(folder)!r} cannot be read back")
    return found


def _remove_unused(folder: Path) -> None:
    """Remove what nobody has read for long, whole at once; who has it mapped keeps it, or (on Windows) it stays."""
    for path in folder.iterdir():
        with suppress(OSError):
            if _ENTRY.fullmatch(path.name) and time.time() - path.stat().st_mtime > UNUSED:
                shutil.rmtree(path.rename(_temporary(path)), ignore_errors=True)


def _clean(folder: Path) -> None:
    """Remove what killed processes left: at once if the process can be looked up from here, else after a day."""
    for path in folder.glob(".*.tmp"):
        try:
            gone = Process.parse(path.name.split(".")[2]).is_gone()
            if gone or (gone is None and time.time() - path.stat().st_mtime > files.ABANDONED):
                shutil.rmtree(path, ignore_errors=True)
        except (IndexError, ValueError, FileNotFoundError):
            continue
