"""Works a problem: every array forward and backward, with how each of its numbers comes about."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from assay.errors import AssayError
from assay.tools.worked.building import INPUT, Built, build
from assay.tools.worked.exact import shown
from assay.tools.worked.expressions import Arrays, Definition, Numbers, Sum, entries_of, evaluate, factors, number
from assay.tools.worked.problem import Problem

MOST = 3_000
"""Products forward that a page can show, whose backward pass has twice as many."""
LARGEST = 300
"""Exponent of e."""


@dataclass(frozen=True)
class Worked:
    """A problem with its results."""

    problem: Problem
    built: Built
    forward: Sequence[Definition]
    """The loss ``L`` last."""
    backward: Sequence[Definition]
    arrays: Arrays
    """All numbers: those given, and those of the definitions."""

    @property
    def output(self) -> str:
        """The name of the last layer's output."""
        return self.built.layers[-1].output if self.built.layers else INPUT

    @property
    def given(self) -> Mapping[str, Numbers]:
        """Input and parameters by name."""
        defined = {each.name for each in [*self.forward, *self.backward]}
        return {name: numbers for name, numbers in self.arrays.items() if name not in defined}


def work(problem: Problem) -> Worked:
    """Every number. AssayError for sizes that do not go together, and for more products than a page can show."""
    return work_built(problem, build(problem))


def work_built(problem: Problem, built: Built) -> Worked:
    """Every number of layers that are there already; errors as of ``work``."""
    arrays = given(built)
    forward = [step for layer in built.layers for step in layer.forward] + list(built.loss.forward)
    count = sum(terms(step) for step in forward)
    if count > MOST:
        raise AssayError(
            f"{problem.where}: {count:,} products forward are more than a page can show; expected at most {MOST:,}"
        )
    for step in forward:
        refuse(step, arrays, problem.where)
        arrays[step.name] = evaluate(step, arrays)
    backward = [built.loss.gradient]
    arrays[backward[0].name] = evaluate(backward[0], arrays)
    for layer in reversed(built.layers):
        for step in layer.backward(f"d{layer.output}", arrays):
            arrays[step.name] = evaluate(step, arrays)
            backward.append(step)
    return Worked(problem, built, forward, backward, arrays)


def given(built: Built) -> dict[str, Numbers]:
    """What a file states: the input and all parameters."""
    return {INPUT: built.input} | {n: v for layer in built.layers for n, v in layer.given.items()} | built.loss.given


def terms(step: Definition) -> int:
    """Products, or arguments of a function, of all entries."""
    return sum(len(each.products) if isinstance(each, Sum) else len(list(factors(each))) for each in step.entries)


def refuse(step: Definition, arrays: Arrays, where: str) -> None:
    """AssayError for a deviation of 0, and for exponentials that fill the page."""
    look = entries_of(arrays)
    for each in step.entries:
        if isinstance(each, Sum):
            continue
        (first, *_) = (number(factor, look) for factor in each.arguments)
        if each.function == "inverse root" and not first:
            raise AssayError(
                f"{where}: a channel of the batch norm has variance 0; expected numbers that differ, or an epsilon"
            )
        if each.function == "exp" and abs(first) > LARGEST:
            raise AssayError(
                f"{where}: exp({shown(first)}) is out of reach; expected logits from −{LARGEST} to {LARGEST}"
            )
