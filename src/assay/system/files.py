"""Every write of a run goes through here: flushed to the disk, then renamed, so no reader sees half a file.

Text is UTF-8; what is no text, in the names of files, is written as ``\\xe9`` (``legible``) or, where nobody has
made it legible, as ``\\udce9``, which in JSON and YAML is read back as the same name.

A file is first written beside its place under a temporary name that tells whose it is, so that the next writer can
remove what a killed one has left. Trouble with the disk (full, read-only, not ours) raises StudyStopped.
"""

import json
import os
import secrets
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from assay.errors import AssayError, StudyStopped
from assay.system.process import Process, this_process

MEND = "delete the run's folder and run the study again"
"""The way out where a file of a run is damaged."""
ABANDONED = 24 * 3600.0
"""Seconds after which a temporary file of another host is taken for a leftover."""


def write(path: Path, content: bytes | str, check: Callable[[], None] = lambda: None) -> None:
    """Replace the file at ``path`` in one step; on any failure the old file stays as it was.

    ``check`` is called when all is flushed, right before the rename, and prevents it by raising.
    """
    with disk_trouble(path), _draft(path, content) as draft:
        check()
        os.replace(draft, path)
        sync_folder(path.parent)


def legible(name: str) -> str:
    """A file's name as text: bytes that are not UTF-8, as file systems have them, become ``\\xe9`` and the like."""
    return name.encode(errors="surrogateescape").decode(errors="backslashreplace")


def create(path: Path, content: str) -> bool:
    """Make the file at ``path`` unless there is one; of several processes that try, exactly one succeeds.

    It appears whole, by a hard link; on a file system without links, a reader may find it empty for a moment.
    """
    with disk_trouble(path), _draft(path, content) as draft:
        try:
            os.link(draft, path)
        except (FileExistsError, FileNotFoundError):  # the second: the winner has removed our draft
            return False
        except OSError:
            return _create_in_place(path, content)
        sync_folder(path.parent)
        return True


def share(source: Path, path: Path) -> None:
    """Let the file ``source`` stand at ``path`` too, in place of any other: as a hard link, else as a copy."""
    with disk_trouble(path):
        path.unlink(missing_ok=True)
        try:
            os.link(source, path)
        except OSError:
            shutil.copyfile(source, path)


def append(path: Path, line: str, check: Callable[[], None] = lambda: None) -> None:
    """Add a line to the text file at ``path``, unless ``check`` raises."""
    with disk_trouble(path), open(path, "a", encoding="utf-8", errors="backslashreplace") as file:
        check()
        file.write(f"{line}\n")


def write_json(path: Path, value: Any, check: Callable[[], None] = lambda: None) -> None:
    """Write ``value`` as JSON with sorted keys, so that equal values give equal bytes."""
    write(path, json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False) + "\n", check)


def read_object(path: Path, missing: dict[str, Any] | None = None) -> dict[str, Any]:
    """The JSON object in ``path``; AssayError where it is not one, or is absent and ``missing`` is not given."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        if missing is None:
            raise AssayError(f"{path} is missing; {MEND}") from None
        return missing
    except (OSError, ValueError, RecursionError) as error:
        raise AssayError(f"{path} cannot be read ({error}); {MEND}") from None
    if not isinstance(value, dict):
        raise AssayError(f"{path} is not a JSON object; {MEND}")
    return value


@contextmanager
def disk_trouble(path: Path) -> Iterator[None]:
    """Raise StudyStopped where ``path`` cannot be written; that it is gone is left to the caller."""
    try:
        yield
    except FileNotFoundError:
        raise
    except OSError as error:
        raise StudyStopped(f"cannot write {path}: {error.strerror or error}") from error


def sync_folder(folder: Path) -> None:
    """Flush a folder's entries, so that a rename in it survives a power cut, where the file system can."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


@contextmanager
def _draft(path: Path, content: bytes | str) -> Iterator[Path]:
    """The content, flushed to a temporary file beside ``path`` that is gone afterwards."""
    path.parent.mkdir(parents=True, exist_ok=True)
    _sweep(path)
    draft = path.with_name(f".{path.name}.{this_process()}.{secrets.token_hex(4)}.tmp")
    try:
        with open(draft, "xb") as file:
            file.write(content.encode(errors="backslashreplace") if isinstance(content, str) else content)
            file.flush()
            os.fsync(file.fileno())
        yield draft
    finally:
        draft.unlink(missing_ok=True)


def _sweep(path: Path) -> None:
    """Remove the drafts of ``path`` whose writers are gone."""
    for draft in path.parent.glob(".*.tmp"):
        name, *rest = draft.name.rsplit(".", 3)
        if name != f".{path.name}":
            continue
        try:
            gone = Process.parse(rest[0]).is_gone()
            if gone or (gone is None and time.time() - draft.stat().st_mtime > ABANDONED):
                draft.unlink()
        except (ValueError, FileNotFoundError):
            continue


def _create_in_place(path: Path, content: str) -> bool:
    try:
        with open(path, "x", encoding="utf-8") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    except FileExistsError:
        return False
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)
    return True
