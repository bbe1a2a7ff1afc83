"""``assay explain numbers.yaml``: from the file to the page."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from assay.errors import AssayError
from assay.language.speech import SOURCE, Language, speaking
from assay.report.document import data_address
from assay.tools.looking.page import enlarged, png
from assay.tools.worked.at_place import Seen, worked_at
from assay.tools.worked.boards import squeezed
from assay.tools.worked.checks import Check, checks
from assay.tools.worked.claims import Claim, claims
from assay.tools.worked.exact import shown
from assay.tools.worked.expressions import Numbers
from assay.tools.worked.page import Place, write_worked
from assay.tools.worked.problem import read_problem
from assay.tools.worked.working import Worked, work

FRAME = np.array([213, 94, 0], np.uint8)
"""Its colour."""


@dataclass(frozen=True)
class Explained:
    """What a command says, to a person and to a program."""

    page: Path
    lines: Sequence[str]
    record: dict[str, Any]


def explain_numbers(path: Path, out: Path | None = None, command: str = "", language: Language = SOURCE) -> Explained:
    """Work the problem in a YAML file and write its page, in a language, into ``out``, else ``explained/<name>``.

    Raises AssayError for a file that is no problem, and for layers that cannot take their input.
    """
    problem, folder = read_problem(path), out or Path("explained") / path.stem
    with speaking(language):
        worked = work(problem)
        held = checks(worked)
        page = write_worked(worked, held, folder, command)
    return explained(worked, held, page)


def explain_place(
    run: Path,
    layer: str | None,
    picture: Path | None,
    at: str | None,
    out: Path | None = None,
    command: str = "",
    language: Language = SOURCE,
) -> Explained:
    """Work a convolution of a run at a place of a picture; its page goes into ``out``, else ``explained/<layer>``.

    Errors as of ``assay.tools.worked.at_place.worked_at``, and for a part of the place that is not told.
    """
    if not (layer and picture and at):
        raise AssayError("a place needs all of --layer, --picture and --at: --layer conv1 --picture p.png --at 12,7")
    with speaking(language):
        worked, held, seen = worked_at(run, layer, picture, at)
        place = Place(framed(seen), *seen.place, seen.facts, seen.answer, seen.filters, seen.following)
        page = write_worked(worked, held, out or Path("explained") / layer, command, place)
    return explained(worked, held, page)


def framed(seen: Seen) -> str:
    """The picture, enlarged, with a frame around the place: a ``data:`` address."""
    pixels = seen.pixels.numpy()
    large = enlarged(pixels).repeat(4 - len(pixels), axis=0)[:3] if len(pixels) == 1 else enlarged(pixels)
    times = large.shape[1] // pixels.shape[1]
    y, x = (times * each for each in seen.place)
    edge = max(2, times // 5)
    for rows, columns in (
        (slice(y - edge, y), slice(x - edge, x + times + edge)),
        (slice(y + times, y + times + edge), slice(x - edge, x + times + edge)),
        (slice(y - edge, y + times + edge), slice(x - edge, x)),
        (slice(y - edge, y + times + edge), slice(x + times, x + times + edge)),
    ):
        inside = [slice(max(0, each.start), max(0, each.stop)) for each in (rows, columns)]
        large[:, inside[0], inside[1]] = FRAME[:, None, None]
    return data_address(png(large))


def explained(worked: Worked, held: Sequence[Check], page: Path) -> Explained:
    """What is said of a page."""
    names = [name for name in worked.arrays if name in ("L", worked.output) or name.startswith("d")]
    lines = [f"{name} = {written(worked.arrays[name])}" for name in names]
    held_against = claims(worked)
    claimed = [line for each in held_against for line in claimed_lines(each)]
    return Explained(page, [*lines, *map(told, held), *claimed], record(worked, held, held_against, page))


def claimed_lines(claim: Claim) -> list[str]:
    """What is wrong with a claim, or that nothing is."""
    return [f"Claimed: {words}" for words in claim.words] or [f"Claimed: {claim.name} is right."]


def written(numbers: Numbers) -> str:
    """``[[1, 2], [−10, 8]]``; axes of length 1 in front are left out."""
    return _nested([shown(v) for v in numbers.values], squeezed(numbers.shape))


def _nested(texts: Sequence[str], shape: Sequence[int]) -> str:
    if not shape:
        return texts[0]
    part = len(texts) // shape[0]
    return "[" + ", ".join(_nested(texts[i * part : (i + 1) * part], shape[1:]) for i in range(shape[0])) + "]"


def told(check: Check) -> str:
    """One check as a line."""
    if check.difference is None:
        return f"{check.name}: {check.words}"
    return f"{check.name}: largest difference {check.difference:.2g}" + ("" if check.passes else ", which is too much")


def record(worked: Worked, held: Sequence[Check], claimed: Sequence[Claim], page: Path) -> dict[str, Any]:
    """The arrays as they are written, and as doubles; the checks; the claims; the page."""
    arrays = {
        name: {"shape": list(n.shape), "exact": n.exact, "text": written(n), "values": [float(v) for v in n.values]}
        for name, n in worked.arrays.items()
    }
    checked = [{"name": c.name, "largest_difference": c.difference, "passes": c.passes} for c in held]
    judged = [{"array": c.name, "right": not c.wrong, "words": list(c.words)} for c in claimed]
    return {"title": worked.problem.title, "arrays": arrays, "checks": checked, "claims": judged, "page": str(page)}
