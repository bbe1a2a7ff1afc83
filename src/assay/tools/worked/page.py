"""The page of a worked problem: every number with its sum, step by step, without a network."""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from markupsafe import Markup

from assay.report.document import document, json_for_script
from assay.system.files import write
from assay.tools.worked import sums
from assay.tools.worked.boards import Board, board, squeezed
from assay.tools.worked.building import INPUT
from assay.tools.worked.checks import Check
from assay.tools.worked.claims import Claim, claims
from assay.tools.worked.exact import shown
from assay.tools.worked.expressions import Arrays, Definition, Expression, Factor, Sum, refs
from assay.tools.worked.matrices import sizes
from assay.tools.worked.turned import Turned, turnings
from assay.tools.worked.working import Worked

FEW = 40
"""So many sums of a step are shown at once; more are folded."""
TEMPLATE = "tools/worked/page.html.j2"


@dataclass(frozen=True)
class Step:
    """One array of the page."""

    anchor: str
    title: str
    words: str
    operands: Sequence[Board]
    behind: Board | None
    """The input, where it is no operand: its numbers that lie behind a sum are shown too."""
    result: Board
    sums: Sequence[str]
    folded: bool


@dataclass(frozen=True)
class Turn:
    """The kernel turned, for one convolution."""

    name: str
    spread: Board
    kernel: Board
    turned: Board
    right: Board
    mistake: Board
    wrong: int
    count: int


def write_worked(worked: Worked, held: Sequence[Check], folder: Path, command: str = "") -> Path:
    """Write ``index.html`` into ``folder``; returns its path. AssayError for claims that are about nothing."""
    forward, backward = ([step(each, worked) for each in part] for part in (worked.forward, worked.backward))
    page, _ = document(
        TEMPLATE,
        [],
        {},
        script=resources.files("assay.tools.worked").joinpath("worked.js").read_text(encoding="utf-8"),
        title=worked.problem.title,
        facts=facts(worked),
        loss=shown(worked.arrays["L"].values[0]),
        given=[board(name, numbers) for name, numbers in worked.given.items()],
        forward=forward,
        backward=backward,
        turns=[turn(each, worked) for each in turnings(worked)],
        claims=[(each, claim_board(each)) for each in claims(worked)],
        checks=held,
        numbers=Markup(json_for_script(for_script(worked))),
        command=command,
    )
    write(folder / "index.html", page)
    return folder / "index.html"


def facts(worked: Worked) -> str:
    """Input, layers, loss."""
    layers = [each.kind.replace("_", " ") for each in worked.built.layers]
    name = worked.problem.loss[0].replace("_", "-")
    return " · ".join([f"input {sizes(squeezed(worked.built.input.shape))}", *layers, f"loss: {name}"])


def step(definition: Definition, worked: Worked) -> Step:
    """A definition with the arrays that it is made of."""
    arrays = worked.arrays
    names = list(dict.fromkeys(name for each in definition.entries for name, _ in refs(each)))
    names.sort(key=lambda name: list(arrays).index(name) if not name.startswith("d") else -1)
    is_deep = definition in worked.forward and INPUT not in names and len(worked.built.layers) > 1
    texts = sums.written(definition, arrays)
    return Step(
        anchor(definition.name),
        definition.title,
        definition.words,
        [board(name, arrays[name], ring=definition.rings.get(name, ())) for name in names],
        board(INPUT, arrays[INPUT]) if is_deep else None,
        board(definition.name, arrays[definition.name]),
        texts,
        len(texts) > FEW,
    )


def anchor(name: str) -> str:
    """A name as the id of an element."""
    return "step-" + "".join(letter if letter.isalnum() else "-" for letter in name)


def turn(it: Turned, worked: Worked) -> Turn:
    """The boards of one convolution's turned kernel."""
    arrays, kernel = worked.arrays, it.kernel.name
    return Turn(
        it.d_in,
        board(it.d_out, it.spread, f"{it.d_out} in zeros", it.ring),
        board(kernel, arrays[kernel]),
        board(kernel, it.turned, f"{kernel} turned by 180°"),
        board(it.d_in, arrays[it.d_in]),
        board(it.d_in, it.mistake, f"with {kernel} as it is", wrong=it.differ),
        len(it.differ),
        len(it.mistake.values),
    )


def claim_board(claim: Claim) -> Board:
    """What was claimed, its wrong entries marked."""
    return board(claim.name, claim.numbers, f"{claim.name} as claimed", wrong=claim.wrong)


def for_script(worked: Worked) -> dict[str, Any]:
    """Names, texts of all numbers, and each entry as products of [array, place, array, place, …].

    Array −1 is the list of constants.
    """
    names = list(worked.arrays)
    constants: dict[Factor, int] = {}
    steps = [
        {
            "array": names.index(each.name),
            "anchor": anchor(each.name),
            "entries": [coded(e, names, constants) for e in each.entries],
        }
        for each in [*worked.forward, *worked.backward]
    ]
    return {
        "names": names,
        "texts": [texts(worked.arrays, name) for name in names],
        "constants": [shown(value) for value in constants if not isinstance(value, tuple)],
        "steps": steps,
    }


def texts(arrays: Arrays, name: str) -> list[str]:
    """The numbers of an array as they are shown."""
    return [shown(value) for value in arrays[name].values]


def coded(entry: Expression, names: Sequence[str], constants: dict[Factor, int]) -> list[list[int]]:
    """Products, or the arguments of a function, as numbers."""
    groups = entry.products if isinstance(entry, Sum) else [(argument,) for argument in entry.arguments]
    return [[part for each in group for part in pair(each, names, constants)] for group in groups]


def pair(factor: Factor, names: Sequence[str], constants: dict[Factor, int]) -> tuple[int, int]:
    """A factor as array and place."""
    if isinstance(factor, tuple):
        return names.index(factor[0]), factor[1]
    return -1, constants.setdefault(factor, len(constants))
