"""The page of a worked problem: every number with its sum, step by step, without a network."""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from markupsafe import Markup

from assay.language.script import as_name, phrase
from assay.language.speech import say
from assay.report.document import document, json_for_script, write_page
from assay.tools.worked import sums
from assay.tools.worked.boards import Board, board, squeezed
from assay.tools.worked.building import INPUT
from assay.tools.worked.checks import Check
from assay.tools.worked.claims import Claim, claims
from assay.tools.worked.exact import shown
from assay.tools.worked.expressions import Arrays, Definition, Expression, Factor, Sum, refs
from assay.tools.worked.matrices import sizes
from assay.tools.worked.turned import turnings
from assay.tools.worked.working import Worked, given

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
class Place:
    """A place of a picture in a network."""

    picture: str
    """A ``data:`` address."""
    row: int
    column: int
    facts: str
    answer: str
    filters: Sequence[tuple[str, str, str]]
    """Number, output, gradient."""
    following: Sequence[tuple[str, str, str]]
    """Layer, kind, number."""


def write_worked(
    worked: Worked, held: Sequence[Check], folder: Path, command: str = "", place: Place | None = None
) -> Path:
    """Write ``index.html`` into ``folder``; returns its path. AssayError for claims that are about nothing."""
    turns = [] if place else list(turnings(worked))
    arrays = {**worked.arrays, **{name: numbers for each in turns for name, numbers in each.arrays.items()}}
    turned = [each for it in turns for each in it.steps]
    parts = (worked.forward, worked.backward, turned)
    wrong = {it.steps[-1].name: it.differ for it in turns}
    deep = len(worked.built.layers) > 1
    forward, backward, by_turning = (
        [step(each, arrays, deep and part is worked.forward, wrong.get(each.name, frozenset())) for each in part]
        for part in parts
    )
    page, _ = document(
        TEMPLATE,
        [],
        {},
        script=resources.files("assay.tools.worked").joinpath("worked.js").read_text(encoding="utf-8"),
        title=worked.problem.title,
        facts=facts(worked),
        verdict=verdict(worked, held, place),
        given=[board(name, numbers) for name, numbers in given(worked.built).items()],
        place=place,
        forward=forward,
        backward=backward,
        turned=by_turning,
        unseen=[it.d_in for it in turns if not it.differ],
        claims=[(each, claim_board(each)) for each in claims(worked)],
        checks=held,
        numbers=Markup(json_for_script(for_script(arrays, [each for part in parts for each in part]))),
        command=command,
    )
    return write_page(folder, page, {})


def verdict(worked: Worked, held: Sequence[Check], place: Place | None) -> str:
    """The first sentences of the page."""
    ways = sum(each.difference is not None for each in held)
    loss, output = (shown(worked.arrays[name].values[0]) for name in ("L", worked.output))
    if place:
        slope = shown(worked.arrays[f"d{worked.output}"].values[0])
        begin = phrase(
            "The network says {answer}. The layer gives {output} here; a unit more of it would change that answer's "
            "logit by {slope}.",
            answer=place.answer,
            output=output,
            slope=slope,
        )
    else:
        begin = phrase("The loss is {loss}. Each number below is the sum that stands beside it.", loss=f"L = {loss}")
    agree = (
        say("{n} other ways to the gradients agree.", n=ways)
        if all(each.passes for each in held)
        else say("{n} other ways to the gradients do not all agree.", n=ways)
    )
    return f"{begin} {agree}"


def facts(worked: Worked) -> str:
    """Input, layers, loss."""
    layers = [as_name(each.kind.replace("_", " ")) for each in worked.built.layers]
    begin = phrase("input {size}", size=sizes(squeezed(worked.built.input.shape)))
    return " · ".join([begin, *layers, phrase("loss: {name}", name=worked.problem.loss[0].replace("_", "-"))])


def step(definition: Definition, arrays: Arrays, deep: bool, wrong: frozenset[int]) -> Step:
    """A definition with the arrays that it is made of; ``deep``: with the input that lies behind them."""
    order = list(arrays)
    names = dict.fromkeys(name for each in definition.entries for name, _ in refs(each))
    operands = sorted(names, key=lambda name: (not name.startswith("d"), order.index(name)))
    texts = sums.written(definition, arrays)
    return Step(
        anchor(definition.name),
        definition.title,
        definition.words,
        [board(name, arrays[name], ring=definition.rings.get(name, ())) for name in operands],
        board(INPUT, arrays[INPUT], phrase("{array} behind it", array=INPUT)) if deep and INPUT not in names else None,
        board(definition.name, arrays[definition.name], wrong=wrong),
        texts,
        len(texts) > FEW,
    )


def anchor(name: str) -> str:
    """A name as the id of an element."""
    return "step-" + "".join(letter if letter.isalnum() else "-" for letter in name)


def claim_board(claim: Claim) -> Board:
    """What was claimed, its wrong entries marked."""
    return board(claim.name, claim.numbers, phrase("{array} as claimed", array=claim.name), wrong=claim.wrong)


def for_script(arrays: Arrays, steps: Sequence[Definition]) -> dict[str, Any]:
    """Names, texts of all numbers, and each entry as products of [array, place, array, place, …].

    Array −1 is the list of constants. An entry whose products all are of the same arrays has these once, ``of``, and
    then the places ``at`` of one product after the other: most pages are shorter by a quarter.
    """
    names = list(arrays)
    constants: dict[Factor, int] = {}
    coded_steps = [
        {
            "array": names.index(each.name),
            "anchor": anchor(each.name),
            "entries": [shortened(coded(e, names, constants)) for e in each.entries],
        }
        for each in steps
    ]
    return {
        "names": names,
        "texts": [texts(arrays, name) for name in names],
        "constants": [shown(value) for value in constants if not isinstance(value, tuple)],
        "steps": coded_steps,
    }


def texts(arrays: Arrays, name: str) -> list[str]:
    """The numbers of an array as they are shown."""
    return [shown(value) for value in arrays[name].values]


def coded(entry: Expression, names: Sequence[str], constants: dict[Factor, int]) -> list[list[int]]:
    """Products, or the arguments of a function, as numbers."""
    groups = entry.products if isinstance(entry, Sum) else [(argument,) for argument in entry.arguments]
    return [[part for each in group for part in pair(each, names, constants)] for group in groups]


def shortened(products: list[list[int]]) -> list[list[int]] | dict[str, list[int]]:
    """The arrays once, where all products are of the same."""
    arrays = products[0][::2] if products else []
    if len(products) < 2 or any(product[::2] != arrays for product in products):
        return products
    return {"of": arrays, "at": [place for product in products for place in product[1::2]]}


def pair(factor: Factor, names: Sequence[str], constants: dict[Factor, int]) -> tuple[int, int]:
    """A factor as array and place."""
    if isinstance(factor, tuple):
        return names.index(factor[0]), factor[1]
    return -1, constants.setdefault(factor, len(constants))
