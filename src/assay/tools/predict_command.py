"""``assay predict``: what was asked, answered, and told or written."""

import json
from collections.abc import Sequence
from pathlib import Path

from assay.errors import AssayError
from assay.recipe.yaml_files import read_yaml
from assay.runs.display import Display
from assay.system.files import write
from assay.tasks.detection.prediction import Prediction
from assay.tools.answer_files import Answered, check_ending, document, write_answers
from assay.tools.choosing import choose
from assay.tools.drawing import Drawing
from assay.tools.export.reading import is_exported, read_exported
from assay.tools.predict import answer_table, answers, refuse_unfinished
from assay.tools.predict_boxes import COCO, coco_of
from assay.tools.predict_uncertain import predict_uncertain
from assay.tools.terminal import parse_layout, print_json, show, stop

DRAWN = ("segmentation", "detection")
"""Tasks whose answers can be drawn."""


def show_answers(
    where: Path,
    pictures: Sequence[Path],
    uncertainty: bool,
    ensemble: bool,
    out: Path | None,
    data: Path | None,
    as_json: bool = False,
    layout: str | None = None,
) -> None:
    """Print the answers, or write them to ``out``; pictures that could not be read end the command with status 1.

    An ``out`` without an ending is the folder into which answers that are maps or boxes are drawn, beside
    ``answers.json`` and, of boxes, ``coco.json``.
    Raises AssayError as ``answers`` and ``predict_uncertain`` do, where no picture could be read, and for an ``out``
    that is neither CSV nor JSON.
    """
    if uncertainty and ensemble:
        raise AssayError("predict: --uncertainty is of one network, --ensemble of several; expected one of them")
    if uncertainty and layout:
        raise AssayError("predict: --layout says where masks lie, and --uncertainty is of whole images")
    if uncertainty and is_exported(where):
        raise AssayError(f"--uncertainty asks the network within its layers; expected a run, found the file {where}")
    drawn = out if out and not out.suffix and can_be_drawn(where, ensemble) else None
    if out and not drawn:
        check_ending(out)
    with Display() as display, display.counting("answering", "pictures") as answering:
        found: Answered
        if uncertainty:
            found = predict_uncertain(where, pictures, data, answering)
        else:
            found = answers(where, pictures, ensemble, answering, Drawing(drawn), parse_layout(layout))
    reasons = [one.reason for one in found.unread]
    if not found.each:
        raise AssayError("\n".join(reasons))
    if out:
        write_answers(found, drawn / "answers.json" if drawn else out)
        if drawn and (boxes := [one for one in found.each if isinstance(one, Prediction)]):
            write(drawn / COCO, json.dumps(coco_of(boxes)) + "\n")
    if as_json:
        print_json(document(found))
    elif out:
        count = len(found.each)
        said = f"{count:,} answer{'s' * (count != 1)}: {out}"
        show(answer_table(found.rows if drawn else [], [*found.notes, said]))
    else:
        show(answer_table(found.rows, found.notes))
    if reasons:
        stop("\n".join(reasons), 1)


def can_be_drawn(where: Path, ensemble: bool) -> bool:
    """Whether what is asked answers with maps or boxes."""
    if is_exported(where):
        return read_exported(where)[1].task in DRAWN
    run = choose(where, ensemble).runs[0]
    refuse_unfinished(run)
    recipe = read_yaml(run / "recipe.yaml")
    return isinstance(recipe, dict) and recipe.get("task") in DRAWN
