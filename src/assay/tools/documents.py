"""What a command found as one JSON document, for programs."""

import dataclasses
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from assay.system.files import read_object

if TYPE_CHECKING:
    from assay.results import Results
    from assay.tools.inspection.inspecting import Inspection
    from assay.tools.inspection.leaks import Leak


def as_json(found: Any) -> str:
    """``plain(found)`` as text, indented, in letters that every terminal has."""
    return json.dumps(plain(found), indent=2)


def plain(value: Any) -> Any:
    """A value as JSON knows it.

    Dataclasses become objects with their fields, tables lists of rows, arrays lists; a number that is not finite is
    null. TypeError for what cannot be said.
    """
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, PurePath):
        return str(value)
    if isinstance(value, Mapping):
        return {str(key): plain(part) for key, part in value.items()}
    if isinstance(value, Sequence):
        return [plain(part) for part in value]
    for method in ("to_dicts", "tolist"):  # a polars table; an array, or a number of NumPy's
        if hasattr(value, method):
            return plain(getattr(value, method)())
    raise TypeError(f"{type(value).__name__} has no form in JSON")


def state_of(results: "Results") -> dict[str, Any]:
    """How far a study is: every planned run with its state, and the training seconds left, null before the first epoch
    has been timed."""
    from assay.runs.progress import seconds_left

    runs = []
    for run in results.runs:
        status = {} if run.state == "damaged" else read_object(run.folder / "status.json", missing={})
        far = {key: status.get(key) for key in ("epoch", "epochs")}
        runs.append({**plain(run), **far})
    about = {"study": results.study.name, "title": results.study.title, "folder": str(results.folder)}
    return {**about, "seconds_left": seconds_left(results), "runs": runs}


def findings(results: "Results", page: PurePath | None, metric: str | None = None) -> dict[str, Any]:
    """What a study found: the verdict, what it rests on, a row a variant, comparisons with the best, every run.

    ``page`` is the report, null where no run has finished and there is none; ``metric`` is the study's unless given.
    """
    metric = metric or results.metric
    found = {**state_of(results), "report": page, "metric": metric, "verdict": results.verdict(metric)}
    done = bool(results.finished)
    return found | {
        "notes": results.notes(metric),
        "variants": results.table() if done else [],
        "comparisons": results.answering(metric).frame if done else [],
        "values": results.frame if done else [],
    }


def inspected(found: "Inspection", page: PurePath) -> dict[str, Any]:
    """What ``assay check`` found out about a source, in numbers; single images are in the CSV files beside the page."""
    from assay.tools.inspection.verdict import verdict

    copies, images = found.copies, found.images
    leaks = {"own_split": found.own_split, "random_split": found.random_split, "grouped_split": found.grouped_split}
    return {
        "source": found.data.source,
        "page": page,
        "verdict": verdict(found),
        "images": len(images),
        "test_images": int(images.is_test.sum()),
        "classes": images.classes,
        "shape": images.pixels.shape[1:],
        "near_copies": int(copies.copied.sum()),
        "threshold": copies.threshold,
        "leaks": {name: None if leak is None else _counted(leak) for name, leak in leaks.items()},
        "group": None if found.grouping is None else found.grouping.pattern,
        "conflicts": len(found.conflicts),
        "doubtful": len(found.doubtful),
        **({} if found.suspects is None else {"suspects": len(found.suspects)}),
        "skipped": images.skipped,
    }


def _counted(leak: "Leak") -> dict[str, int]:
    return {"held_out": leak.held_out, "copies": len(leak), "equal": int(leak.equal.sum())}
