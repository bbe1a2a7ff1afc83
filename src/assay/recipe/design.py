"""How a study gets its variants when it does not list them: a search through ranges, which chooses a few."""

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, PositiveInt

from assay.errors import AssayError, nearest, shown
from assay.recipe import losses
from assay.recipe.names import label
from assay.recipe.section import Section

FIRST_SEED = 1_000_000
"""Trial *k* of a search has the seed ``FIRST_SEED + k``: none of those that a study plans."""
TRUTHS = tuple(f"data.{key}" for key in ("layout", "ignore", "truth", "table", "label", "targets", "tags"))
"""Keys that change what is true of an image."""
UNSEEN = ("predict", "evaluate")
"""Parts of a recipe that change nothing in the validation values of a training, …"""
YARDSTICK = (
    *TRUTHS,
    *(f"data.{key}" for key in ("source", "image", "split", "test", "validation", "validation_from", "split_seed")),
    *("data.group", "data.group_across"),
    "train.watch",
)
"""… and keys that change by what these are measured."""

Number = Annotated[int | float, Field(allow_inf_nan=False)]


class Range(Section):
    """The numbers among which a search looks: whole ones where both ends are."""

    model_config = ConfigDict(serialize_by_alias=True)

    low: Number = Field(alias="from")
    """The least, …"""
    high: Number = Field(alias="to")
    """… and the largest, which is among them."""
    log: bool = False
    """Whether equal ratios count as equal steps: for rates, weights, widths."""

    @property
    def is_whole(self) -> bool:
        """Whether it has whole numbers only."""
        return isinstance(self.low, int) and isinstance(self.high, int)

    @property
    def ends(self) -> list[int | float]:
        """Both."""
        return [self.low, self.high]


class Search(Section):
    """Trials over ranges, judged by validation images; the best few become the study's variants."""

    search: Literal["random", "sobol", "optuna"]
    """Who proposes: chance, a Sobol sequence, or TPE, which learns from the trials before; all are Optuna's."""
    trials: PositiveInt = 30
    """How many are trained, each at one seed of its own."""
    best: PositiveInt = 3
    """How many of them are then trained at the study's seeds, beside the base."""
    prune: Literal["asha"] | None = None
    """Whether trials that fall behind are stopped early: by successive halving, after 1, 4, 16, … epochs."""


Design = Literal["grid", "one_at_a_time"] | Search
Vary = dict[str, list[Any] | Range]
"""Dotted key → its levels, or where a search looks."""


def refuse_no_levels(key: str, levels: object) -> None:
    """Raise ValueError where ``levels`` is neither a list of some nor a range of numbers."""
    if isinstance(levels, Range) or (isinstance(levels, list) and levels):
        return
    if not isinstance(levels, dict) or not levels:
        raise ValueError(f"{key}: expected a list of levels, found {levels!r}")
    if not {"from", "to"} & levels.keys():
        full = f"{key}.{next(iter(levels))}"
        raise ValueError(f"{key}: found keys and values; a factor is one full key with its levels, {full}: […]")
    for name in levels:
        if name not in ("from", "to", "log"):
            raise ValueError(f"{key}: unknown key '{name}' in a range; {nearest(name, ('from', 'to', 'log'))}")
    for end in ("from", "to"):
        number = levels.get(end)
        if isinstance(number, bool) or not isinstance(number, int | float) or not math.isfinite(number):
            raise ValueError(f"{key}: {end}: found {shown(number)}, expected a number")
    low, high, log = levels["from"], levels["to"], levels.get("log", False)
    if not isinstance(log, bool):
        raise ValueError(f"{key}: log: found {shown(log)}, expected true or false")
    if low >= high:
        raise ValueError(f"{key}: from {low:g} to {high:g} is no range; expected the smaller number first")
    if log and low <= 0:
        raise ValueError(f"{key}: from {low:g} has no logarithm; expected more than 0 with log: true")


def refuse_unsearchable(design: Design, vary: Mapping[str, list[Any] | Range], seeds: list[int]) -> None:
    """Raise ValueError where ranges stand without a search, or a search has nothing to look through or to choose from,
    would be judged by what it changes, or shares a seed with the runs that it leads to."""
    if not isinstance(design, Search):
        if ranges := [key for key, levels in vary.items() if isinstance(levels, Range)]:
            raise ValueError(f"{ranges[0]}: only a search looks through a range; give a list, or {WRITTEN}")
        return
    if design.best > design.trials:
        raise ValueError(f"design.best: {design.best} is more than the {design.trials} trials to choose from")
    if not vary:
        raise ValueError("design: a search needs ranges or lists of levels under 'vary'")
    for key in vary:
        if key.split(".")[0] in UNSEEN:
            raise ValueError(
                f"{key}: a search goes by validation values of the training, in which this changes nothing"
            )
        if any(f"{key}.".startswith(f"{each}.") or f"{each}.".startswith(f"{key}.") for each in YARDSTICK):
            raise ValueError(f"{key}: a search goes by validation values, and this changes what they are measured by")
    own = range(FIRST_SEED + 1, FIRST_SEED + design.trials + 1)
    if taken := [seed for seed in seeds if seed in own]:
        raise ValueError(f"seeds: {taken[0]} is the seed of a trial; expected others than {own[0]} to {own[-1]}")


def refuse_losses(watched: str, found: Iterable[losses.Loss], task: str) -> None:
    """Raise AssayError where a search would go by losses that are measured in different ways."""
    if watched == "loss" and losses.differ(found, task):
        raise AssayError("train.loss: a search that watches the loss cannot vary what that is; watch another value")


def tried(key: str, level: object, among: list[Any] | Range) -> str:
    """In words, what a search tries before its trials: an end of a range, or a level of a list."""
    what = f"the end {label(level)} of the range" if isinstance(among, Range) else f"the level {label(level)}"
    return f"{what} of {key}"


@contextmanager
def as_tried(words: Mapping[str, str]) -> Iterator[None]:
    """A mistake found inside in a variant that nobody wrote is told in ``words``: variant → what the search tried."""
    try:
        yield
    except AssayError as error:
        if not words:
            raise
        there = {f"'{name}'": of_it for name, of_it in words.items()} | {"'base'": "the base"}
        names = "|".join(map(re.escape, there))
        text = re.sub(rf"variants ({names}) and ({names})", lambda n: f"{there[n[1]]} and {there[n[2]]}", str(error))
        text = re.sub(
            rf"variant ({names})", lambda n: n[0] if n[1] == "'base'" else f"the search tried {there[n[1]]}", text
        )
        raise AssayError(text) from None


def changed_keys(values: dict[str, Any]) -> set[str]:
    """The dotted keys in which the variants of a study file differ; it has not been checked yet."""
    vary, variants = values.get("vary") or {}, values.get("variants") or {}
    changes = [vary, *(variants.values() if isinstance(variants, dict) else ())]
    return {str(key) for change in changes if isinstance(change, dict) for key in change}


WRITTEN = "design: {search: random, trials: 30}"
