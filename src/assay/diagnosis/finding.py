"""What a rule is, and what it says of a run."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from assay.diagnosis.alarms import Alarms
from assay.diagnosis.course import Course

Kind = Literal["fault", "fact", "description"]
"""Something is wrong; something has a price; how it went, in words."""


@dataclass(frozen=True)
class Evidence:
    """Why a rule speaks."""

    text: str
    """A sentence with the numbers."""
    epochs: Sequence[int] = ()
    """Which it is about, from 1."""
    numbers: Mapping[str, float | int] = field(default_factory=dict)


@dataclass(frozen=True)
class Rule:
    """A pure function of what a run recorded, in words as well."""

    name: str
    kind: Kind
    holds: Callable[[Course], Evidence | None]
    """None where the rule does not speak, or cannot be asked."""
    words: str
    source: str


@dataclass(frozen=True)
class Finding:
    """What a rule says of a run."""

    name: str
    kind: Kind
    evidence: Evidence
    rule: str
    """In words."""
    source: str
    """Where the rule comes from."""
    false_alarms: Alarms | None
    """How often the rule speaks of healthy runs; None of facts and descriptions, which accuse nobody."""
    next_study: str
    """YAML; empty where there is none."""
