"""Answers as files for other programs: a row a picture as CSV, or all as JSON."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from assay.errors import AssayError
from assay.report.tables import csv
from assay.system.files import write
from assay.tools.documents import as_json, plain
from assay.tools.predict import Answers
from assay.tools.predict_interval import IntervalPredictions
from assay.tools.predict_uncertain import UncertainPredictions

Answered = Answers | UncertainPredictions | IntervalPredictions
ENDINGS = (".csv", ".json")


def check_ending(out: Path) -> None:
    """Raise AssayError for a file that is neither CSV nor JSON."""
    if out.suffix.lower() not in ENDINGS or out.is_dir():
        raise AssayError(f"--out {out}: expected a file that ends in .csv or .json")


def write_answers(found: Answered, out: Path) -> None:
    """Write the answers as the ending of ``out`` says: ``document`` as JSON, or ``frame`` as CSV."""
    told = document(found)
    write(out, csv(frame(told["pictures"])) if out.suffix.lower() == ".csv" else as_json(told) + "\n")


def document(found: Answered) -> dict[str, Any]:
    """``runs`` that were asked, ``notes``, ``pictures`` (each answer's ``record``) and ``unread`` (picture, reason).

    Numbers are in full precision; those that are not finite are null.
    """
    told = {
        "runs": found.chosen.runs,
        "notes": found.notes,
        "pictures": [one.record | {"picture": text(one.record["picture"])} for one in found.each],
        "unread": [{"picture": text(one.path), "reason": text(one.reason)} for one in found.unread],
    }
    return {key: plain(value) for key, value in told.items()}


def frame(records: Sequence[dict[str, Any]]) -> pl.DataFrame:
    """A row a record, or one for each of its boxes; the keys of nested mappings are joined by dots, lists of texts by
    ``"; "``."""
    rows = [row for record in records for row in ([flat(record)] if "boxes" not in record else by_box(record))]
    return pl.DataFrame(rows, infer_schema_length=None) if rows else pl.DataFrame({"picture": []})


def by_box(record: Mapping[str, Any]) -> list[dict[str, Any]]:
    """picture, class, score, x, y, width, height of each box; of a picture without any the picture alone."""
    sides = ("x", "y", "width", "height")
    rows = [
        {"class": box["class"], "score": box["score"], **dict(zip(sides, box["bbox"], strict=True))}
        for box in record["boxes"]
    ]
    return [{"picture": record["picture"]} | row for row in rows or [{}]]


def flat(record: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """``{"a": {"b": 1}, "c": ["x", "y"]}`` → ``{"a.b": 1, "c": "x; y"}``."""
    found: dict[str, Any] = {}
    for key, value in record.items():
        if isinstance(value, Mapping):
            found |= flat(value, f"{prefix}{key}.")
        else:
            found[f"{prefix}{key}"] = "; ".join(value) if isinstance(value, list) else value
    return found


def text(value: str | Path) -> str:
    """A text that can be written: bytes of a file name that are not UTF-8 as ``\\xe9``."""
    return str(value).encode(errors="surrogateescape").decode(errors="backslashreplace")
