"""Results that somebody worked out, held against those that are right, with what may have gone wrong."""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from assay.errors import AssayError, nearest
from assay.language.script import phrase
from assay.language.speech import say
from assay.tools.worked.boards import labels
from assay.tools.worked.exact import shown
from assay.tools.worked.expressions import Arrays, Definition, Factor, Numbers, Sum, entries_of
from assay.tools.worked.expressions import product as product_value
from assay.tools.worked.matrices import reshaped
from assay.tools.worked.sums import in_words, product
from assay.tools.worked.turned import turnings
from assay.tools.worked.working import Worked

CLOSE = Fraction(1, 10**4)
"""A claim of decimals is right so near."""


@dataclass(frozen=True)
class Claim:
    """An array as it was claimed."""

    name: str
    numbers: Numbers
    wrong: frozenset[int]
    """The places of entries that are not right."""
    words: Sequence[str]
    """Of each wrong entry the right sum, and what may have gone wrong."""


def claims(worked: Worked) -> list[Claim]:
    """The claims of the file. AssayError for an array that is not there, or has another size."""
    return [claim(name, numbers, worked) for name, numbers in worked.problem.claimed.items()]


def claim(name: str, claimed: Numbers, worked: Worked) -> Claim:
    """One array against what it is."""
    where = f"{worked.problem.where}: claimed.{name}"
    steps = {each.name: each for each in [*worked.forward, *worked.backward]}
    if name not in steps:
        raise AssayError(f"{where}: no array is called {name!r}; {nearest(name, steps)}")
    right = worked.arrays[name]
    numbers = reshaped(claimed, right.shape, where, f"the size of {name}")
    wrong = [place for place, value in enumerate(numbers.values) if differs(value, right.values[place], right.exact)]
    unturned = next((each.mistake.values for each in turnings(worked) if each.d_in == name), None)
    is_unturned = unturned is not None and all(numbers.values[place] == unturned[place] for place in wrong)
    words = [explained(steps[name], place, numbers.values[place], is_unturned, worked.arrays) for place in wrong]
    return Claim(name, numbers, frozenset(wrong), words)


def differs(claimed: Fraction, right: Fraction, exact: bool) -> bool:
    """Whether a claim is wrong; a decimal may be rounded."""
    return claimed != right and not ((not exact or right.denominator > 10**4) and abs(claimed - right) < CLOSE)


def explained(step: Definition, place: int, claimed: Fraction, is_unturned: bool, arrays: Arrays) -> str:
    """``dX[2, 1] is 0.25·2 + 0.25·(−3) = −0.25, not 1.25: …``."""
    entry, right = step.entries[place], arrays[step.name].values[place]
    label = labels(step.name, step.shape)[place]
    worked = f"{in_words(entry, arrays)} = {shown(right)}"
    said = phrase("{label} is {sum}, not {claimed}", label=label, sum=worked, claimed=shown(claimed))
    why = say("that is what the kernel gives when it is not turned") if is_unturned else None
    if not is_unturned and isinstance(entry, Sum):
        why = guessed(entry.products, claimed - right, arrays)
    return f"{said}{f': {why}' if why else ''}."


def guessed(products: Sequence[tuple[Factor, ...]], off: Fraction, arrays: Arrays) -> str | None:
    """The product whose sign was lost, that was left out, or that was counted twice: if one explains the difference."""
    look = entries_of(arrays)
    for each in products:
        value, text = product_value(each, look), product(each, arrays)
        if value and off == -2 * value:
            return phrase("that is what comes out when {product} enters with the wrong sign", product=text)
        if value and off == -value:
            return phrase("that is what comes out when {product} is left out", product=text)
        if value and off == value:
            return phrase("that is what comes out when {product} is counted twice", product=text)
    return None
