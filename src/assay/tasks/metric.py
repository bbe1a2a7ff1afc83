"""What is known of a metric: how it is said and written, which way is better, what it is a property of.

Rows stand in tables beside what measures them; the order of a table is the order in which metrics are shown.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Literal

from assay.language.speech import say

Unit = Literal["share", "count", "bytes", "s", ""]
"""``share`` is written in percent, its differences in points; ``count`` in whole numbers of what the label names;

``bytes`` in megabytes; ``s`` in seconds; the others as bare numbers, in the unit of what they measure."""

Of = Literal["answers", "layers", "calibration", "recipe", "time"]
"""What a metric is a property of: the answers to the images of a split; the activations of layers; what was tuned on
validation images; the recipe alone, whatever the seed; the clock."""

ANY = (-math.inf, math.inf)
NOT_NEGATIVE = (0.0, math.inf)
TO_ONE = (0.0, 1.0)
UP_TO_ONE = (-math.inf, 1.0)


@dataclass(frozen=True)
class Metric:
    """A row of a table: one metric, or a family of them, ``Metric("top_{k}_accuracy", …, where={"k": "[0-9]+"})``."""

    name: str
    label: str
    """As a person says it, a family's with its placeholders: ``top-{k} accuracy``."""
    better: Literal["higher", "lower"] | None = None
    """None where neither is, or nobody knows."""
    of: Of | None = None
    """None where nobody knows."""
    unit: Unit = ""
    within: tuple[float, float] = ANY
    """The least and the largest value it can have, in its own unit: 0 and 1 for a share."""
    than: str = ""
    """What stands between the better and the worse in place of ``has a higher … than``."""
    where: Mapping[str, str] = field(default_factory=dict, hash=False)
    """Placeholder → the regular expression of what may stand in its place."""
    parts: Mapping[str, str] = field(default_factory=dict, hash=False)
    """Placeholder → what stands there, of one of a family."""

    @property
    def said(self) -> str:
        """The label in the language of the page."""
        return say(self.label, **{key: say(part) if key in OURS else part for key, part in self.parts.items()})

    def called(self, name: str) -> "Metric | None":
        """What is known of the metric ``name``, if it is this one or of this family."""
        found = self._pattern.fullmatch(name)
        return replace(self, name=name, parts=found.groupdict(), where={}) if found else None

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        text, *rest = re.split(r"\{(\w+)\}", self.name)
        pairs = zip(rest[::2], rest[1::2], strict=True)
        parts = (f"(?P<{key}>{self.where[key]}){re.escape(after)}" for key, after in pairs)
        return re.compile(re.escape(text) + "".join(parts))


OURS = ("kind", "size")
"""Placeholders in whose place words of ours stand, not somebody's names."""
LOSS = Metric("loss", "test loss", "lower", "answers", within=NOT_NEGATIVE)
"""Of every task, and by its name the value to watch that every task has."""
