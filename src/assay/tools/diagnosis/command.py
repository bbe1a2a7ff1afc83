"""``assay diagnose``: what was asked, found and told."""

import json
from pathlib import Path
from typing import Any

from assay.report.sections.diagnosis import about, line
from assay.tools.diagnosis.reading import Diagnosed, diagnosed
from assay.tools.documents import plain
from assay.tools.terminal import print_json


def show_diagnosis(folder: Path, as_json: bool = False) -> None:
    """Print what the course of a run says, or a line a variant of a study. AssayError as ``diagnosed``."""
    found = diagnosed(folder)
    if as_json:
        return print_json(record(found))
    print(*(of_study(found) if found.seeds else of_run(found)), *found.notes, sep="\n")


def record(found: Diagnosed) -> dict[str, Any]:
    """For programs."""
    rows = [row | {"numbers": json.loads(row["numbers"])} for row in found.findings.to_dicts()]
    return {"folder": str(found.folder), "runs": found.seeds, "findings": plain(rows), "notes": list(found.notes)}


def of_study(found: Diagnosed) -> list[str]:
    """A line a variant."""
    by_variant = {name: found.findings.filter(variant=name) for name in found.seeds}
    return [f"{name}: {line(by_variant[name], seeds)}" for name, seeds in found.seeds.items()]


def of_run(found: Diagnosed) -> list[str]:
    """Each finding with its evidence, rule and false alarms, and the study to run after the first fault."""
    rows = found.findings.to_dicts()
    faults = [row for row in rows if row["kind"] == "fault"]
    lines = [] if faults else ["No rule speaks of a fault.", ""]
    for row in rows:
        kind = "" if row["kind"] == "fault" else f" ({row['kind']})"
        lines += [f"{row['finding']}{kind}: {row['evidence']}.", f"  {about(row)}", ""]
    studies = [row for row in faults if row["next_study"]]
    if studies:
        lines += [f"The study to run next, after '{studies[0]['finding']}':", "", studies[0]["next_study"]]
    return lines
