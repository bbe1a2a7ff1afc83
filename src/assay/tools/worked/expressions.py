"""How a number comes about: a sum of products of other numbers, or one function of them. Evaluated exactly."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from math import prod

from assay.tools.worked.exact import exponential, logarithm, root, rounded

Ref = tuple[str, int]
"""An entry of an array: its name, and the place of the entry when rows are written one after the other."""
Factor = Ref | Fraction
Shape = tuple[int, ...]


@dataclass(frozen=True)
class Sum:
    """A sum of products; without any it is 0."""

    products: tuple[tuple[Factor, ...], ...] = ()


@dataclass(frozen=True)
class Call:
    """A function of some numbers."""

    function: str
    """A name in ``FUNCTIONS``."""
    arguments: tuple[Factor, ...]


Expression = Sum | Call


@dataclass(frozen=True)
class Function:
    """What a function gives, and how it is written."""

    value: Callable[..., Fraction]
    text: str
    """With ``{}`` for the arguments, joined by commas."""
    is_exact: Callable[..., bool] = lambda *_: True


FUNCTIONS = {
    "max": Function(lambda *numbers: max(numbers), "max({})"),
    "relu": Function(lambda number: max(number, Fraction(0)), "max(0, {})"),
    "exp": Function(exponential, "exp({})", lambda *_: False),
    "-log": Function(lambda number: -logarithm(number), "−log({})", lambda *_: False),
    "inverse root": Function(lambda number: 1 / root(number)[0], "1 / √({})", lambda number: root(number)[1]),
    "inverse": Function(lambda number: 1 / number, "1 / {}"),
}


@dataclass(frozen=True)
class Definition:
    """An array, each entry of which is an expression of earlier arrays."""

    name: str
    shape: Shape
    entries: tuple[Expression, ...]
    """Row after row."""
    title: str
    words: str
    """What happens here, for a reader."""
    rings: Mapping[str, Shape] = field(default_factory=dict)
    """Arrays that are shown with so many zeros around them, a number an axis."""


@dataclass(frozen=True)
class Numbers:
    """The entries of an array, row after row."""

    shape: Shape
    values: tuple[Fraction, ...]
    exact: bool = True
    """Else they are kept to ``exact.DIGITS`` decimal places."""


Arrays = Mapping[str, Numbers]
"""Name → its numbers."""


Look = Callable[[Ref], Fraction]
"""Gives the entry that is referred to."""


def entries_of(arrays: Arrays) -> Look:
    """Looks entries up in arrays."""
    return lambda ref: arrays[ref[0]].values[ref[1]]


def evaluate(definition: Definition, arrays: Arrays) -> Numbers:
    """The numbers that a definition gives."""
    look = entries_of(arrays)
    values = [value(each, look) for each in definition.entries]
    exact = all(is_exact(each, arrays) for each in definition.entries)
    return Numbers(definition.shape, tuple(values if exact else map(rounded, values)), exact)


def value(expression: Expression, look: Look) -> Fraction:
    """What an expression gives."""
    if isinstance(expression, Sum):
        return sum((product(each, look) for each in expression.products), Fraction())
    return FUNCTIONS[expression.function].value(*(number(factor, look) for factor in expression.arguments))


def product(factors: tuple[Factor, ...], look: Look) -> Fraction:
    """One product of a sum."""
    return prod((number(factor, look) for factor in factors), start=Fraction(1))


def number(factor: Factor, look: Look) -> Fraction:
    """A constant, or the entry that is referred to."""
    return factor if isinstance(factor, Fraction) else look(factor)


def is_exact(expression: Expression, arrays: Arrays) -> bool:
    """Whether an expression gives a fraction and not a decimal that was cut."""
    if not all(arrays[name].exact for name, _ in refs(expression)):
        return False
    if isinstance(expression, Sum):
        return True
    look = entries_of(arrays)
    return FUNCTIONS[expression.function].is_exact(*(number(factor, look) for factor in expression.arguments))


def factors(expression: Expression) -> Iterable[Factor]:
    """All factors, in their order."""
    groups = expression.products if isinstance(expression, Sum) else (expression.arguments,)
    return (factor for group in groups for factor in group)


def refs(expression: Expression) -> Iterable[Ref]:
    """The entries that an expression is made of, in their order, each as often as it occurs."""
    return (factor for factor in factors(expression) if not isinstance(factor, Fraction))
