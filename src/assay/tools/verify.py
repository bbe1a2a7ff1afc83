"""Whether the files of finished runs are still those that they wrote."""

from dataclasses import dataclass
from pathlib import Path

from safetensors import SafetensorError, safe_open

from assay.errors import AssayError
from assay.results.folders import unreadable
from assay.system.files import MEND, read_object
from assay.system.integrity import WEIGHTS, changed, written

SUMMARIES = ("status.json", "refit/refit.json")
"""The files of a run that hold the hashes of those beside them."""

STATES = ("running", "failed", "finished")


@dataclass(frozen=True)
class Verified:
    """A finished run whose files were checked."""

    run: Path
    files: int
    """That have a hash; 0 for a run that finished before hashes were kept, of which is checked what can be read."""
    wrong: tuple[str, ...]
    """The files that are not as they were written, and in which way."""


def verify(folder: str | Path) -> list[Verified]:
    """Check every file of every finished run in ``folder``: a run's, a study's, or one of several studies.

    One that was measured and whose status.json is gone counts too. Raises AssayError where there is no run.
    """
    folder = Path(folder)
    runs = sorted({path.parent for name in ("status.json", "recipe.yaml") for path in folder.rglob(name)})
    if not runs:
        raise AssayError(f"there is no run in {folder}; expected a run's folder, a study's, or one of several studies")
    checked = ((run, _check(run)) for run in runs)
    return [Verified(run, *found) for run, found in checked if found is not None]


def _check(run: Path) -> tuple[int, tuple[str, ...]] | None:
    """How many files were compared with their hashes, and what is wrong; None for a run that has not finished."""
    try:
        status = read_object(run / "status.json", missing={})
        if status.get("state") not in STATES and (run / "metrics.json").exists():
            return 0, (f"{run / 'status.json'} does not say how far the run is; {MEND}",)
        if status.get("state") != "finished":
            return None
        files, wrong = 0, _old(run) if written(run / "status.json", status) is None else []
        for summary in (run / name for name in SUMMARIES):
            kept = written(summary, read_object(summary, missing={})) or {}
            files += len(kept)
            wrong += [f"{summary.parent / name} {what}" for name, what in changed(summary.parent, kept).items()]
    except AssayError as error:
        return 0, (str(error),)
    return files, tuple(wrong)


def _old(run: Path) -> list[str]:
    """What cannot be read of a run without hashes."""
    try:
        with safe_open(run / WEIGHTS, "numpy"):
            return unreadable(run)
    except (OSError, SafetensorError) as error:
        return [*unreadable(run), f"{run / WEIGHTS} cannot be read ({error}); {MEND}"]


def in_words(found: list[Verified]) -> list[str]:
    """What is wrong, a line for each file, and what was checked."""
    if not found:
        return ["no run has finished, so there is nothing to check"]
    lines = [what for one in found for what in one.wrong]
    whole = [one for one in found if not one.wrong]
    hashed = [one for one in whole if one.files]
    if hashed:
        files = sum(one.files for one in hashed)
        lines.append(f"as they were written: {files:,} files of {_runs(len(hashed), 'finished ')}")
    if len(whole) > len(hashed):
        old = _runs(len(whole) - len(hashed))
        lines.append(f"finished before hashes were kept, and can be read: the files of {old}")
    return lines


def _runs(count: int, which: str = "") -> str:
    return f"{count} {which}run{'' if count == 1 else 's'}"
