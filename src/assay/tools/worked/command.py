"""``assay explain numbers.yaml``: from the file to the page."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from assay.tools.worked.boards import squeezed
from assay.tools.worked.checks import Check, checks
from assay.tools.worked.exact import shown
from assay.tools.worked.expressions import Numbers
from assay.tools.worked.page import write_worked
from assay.tools.worked.problem import read_problem
from assay.tools.worked.working import Worked, work


@dataclass(frozen=True)
class Explained:
    """What a command says, to a person and to a program."""

    page: Path
    lines: Sequence[str]
    record: dict[str, Any]


def explain_numbers(path: Path, out: Path | None = None, command: str = "") -> Explained:
    """Work the problem in a YAML file and write its page into ``out``, else ``explained/<name>``.

    Raises AssayError for a file that is no problem, and for layers that cannot take their input.
    """
    worked = work(read_problem(path))
    held = checks(worked)
    page = write_worked(worked, held, out or Path("explained") / path.stem, command)
    names = [name for name in worked.arrays if name in ("L", worked.output) or name.startswith("d")]
    lines = [f"{name} = {written(worked.arrays[name])}" for name in names]
    return Explained(page, [*lines, *map(told, held)], record(worked, held, page))


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


def record(worked: Worked, held: Sequence[Check], page: Path) -> dict[str, Any]:
    """The arrays as they are written, and as doubles; the checks; the page."""
    arrays = {
        name: {"shape": list(n.shape), "exact": n.exact, "text": written(n), "values": [float(v) for v in n.values]}
        for name, n in worked.arrays.items()
    }
    checked = [{"name": c.name, "largest_difference": c.difference, "passes": c.passes} for c in held]
    return {"title": worked.problem.title, "arrays": arrays, "checks": checked, "page": str(page)}
