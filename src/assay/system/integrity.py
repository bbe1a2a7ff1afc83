"""Whether the files of a finished run are those that it wrote: their SHA-256 stands in its status.json.

The hashes are taken when the run finishes. What is asked of it later adds files in subfolders, which are no part of it.
"""

import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from assay.errors import AssayError
from assay.system.files import MEND, read_object

WEIGHTS = "model.safetensors"
RESTORE = f"bring the file back from a copy, or {MEND}"
"""The way out where a file has changed after its run."""
PASSING = ("status.json", "checkpoint.safetensors")
"""The file that holds the hashes, and one that goes when the run is finished; with claims and hidden files."""


def digest(path: Path) -> str:
    """SHA-256 of a file, read in blocks."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def digests(folder: Path) -> dict[str, str]:
    """Name → SHA-256 of every file in ``folder`` that a run leaves there; subfolders are left out."""
    own = (path for path in sorted(folder.iterdir()) if path.is_file() and path.name not in PASSING)
    return {path.name: digest(path) for path in own if not path.name.startswith((".", "claim-"))}


def written(path: Path, summary: Mapping[str, Any]) -> dict[str, str] | None:
    """The hashes in ``summary``, the JSON of the status.json at ``path``; None where they were not yet kept.

    AssayError where something else stands in their place.
    """
    kept = summary.get("files")
    if kept is not None and not (isinstance(kept, dict) and all(isinstance(each, str) for each in kept.values())):
        raise AssayError(f"{path}: files is not a name and a SHA-256 for each; {MEND}")
    return kept


def hashes(run: Path) -> dict[str, str] | None:
    """The hashes that a run's status.json holds; None where they were not yet kept, or there is no such file.

    AssayError where it cannot be read, or holds something else in their place.
    """
    status = run / "status.json"
    return written(status, read_object(status, missing={}))


def changed(folder: Path, kept: Mapping[str, str], names: Iterable[str] | None = None) -> dict[str, str]:
    """Name → what is wrong with it, of the files ``names`` (else all) of which ``kept`` has the hashes."""
    found = {}
    for name in sorted(kept.keys() if names is None else kept.keys() & set(names)):
        try:
            if digest(folder / name) != kept[name]:
                found[name] = "is not the file that the run wrote"
        except FileNotFoundError:
            found[name] = "is missing"
        except OSError as error:
            found[name] = f"cannot be read ({error.strerror or error})"
    return found


def weights_changed(run: Path) -> bool:
    """Whether the weights of a finished run are no longer those that it wrote."""
    return bool(changed(run, hashes(run) or {}, [WEIGHTS]))


def refuse_changed(run: Path, *names: str) -> None:
    """Raise AssayError where one of these files of a finished run is no longer the one that it wrote."""
    for name, what in changed(run, hashes(run) or {}, names).items():
        raise AssayError(f"{run / name} {what}; {RESTORE}")
