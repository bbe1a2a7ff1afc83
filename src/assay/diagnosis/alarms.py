"""How often each rule speaks of runs that are healthy, as the benchmark of the rules measured it."""

import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from scipy import stats


@dataclass(frozen=True)
class Alarms:
    """So many of so many healthy runs, on images that chose no threshold."""

    flagged: int
    healthy: int
    data: str

    @property
    def upper(self) -> float:
        """The 95 % upper limit of the rate (Clopper and Pearson, Biometrika 26, 1934; one-sided)."""
        return float(stats.beta.ppf(0.95, self.flagged + 1, self.healthy - self.flagged)) if self.healthy else 1.0

    def __str__(self) -> str:
        """``0 of 60 healthy runs on cifar10 (at most 4.9 %)``."""
        return f"{self.flagged} of {self.healthy} healthy runs on {self.data} (at most {self.upper:.1%})"


@cache
def measured() -> dict[str, dict[str, int]]:
    """Data → how many runs were ``healthy``, and how many of them each rule flagged; what chose the thresholds first,
    what chose none last."""
    found: dict[str, dict[str, int]] = json.loads(files("assay.diagnosis").joinpath("alarms.json").read_text("utf-8"))
    return found


def alarms(rule: str) -> Alarms | None:
    """Of a rule, on the data that chose no threshold; None where that was not measured."""
    data, counts = list(measured().items())[-1]
    return Alarms(counts[rule], counts["healthy"], data) if rule in counts else None
