"""What the whole page agrees on: which metric it is about, what each variant is called, in which order and colour."""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import polars as pl

from assay.language.script import as_name
from assay.language.speech import say
from assay.recipe import losses
from assay.recipe.folder_names import folder_name
from assay.recipe.names import label
from assay.recipe.variant import Variant
from assay.report import style
from assay.report.charts import Menu
from assay.report.choices import choices
from assay.results import Results
from assay.results.comparing.chance import shared
from assay.results.comparing.comparison import Comparisons
from assay.results.folders import Run
from assay.results.metrics import lower_is_better
from assay.tasks.chance import Chance


@dataclass(frozen=True, eq=False)
class Subject:
    """The results, seen by a reader. Variants without a finished run appear in tables only."""

    results: Results
    chosen: str | None = None
    """The metric it is about, one that was measured; else the study's."""
    suffix: str = ""
    """What the names of its tables and figures end in, where the page is about another metric first."""

    @cached_property
    def metric(self) -> str:
        """What the page is about."""
        return self.chosen or self.results.metric

    @cached_property
    def choices(self) -> list["Subject"]:
        """This page, and what it is about each other metric that a reader may choose."""
        others = choices(self.results, self.metric, len(self.finished), self.losses_differ)
        return [self, *(replace(self, chosen=metric, suffix=f"-{folder_name(metric)}") for metric in others)]

    @cached_property
    def numeric(self) -> list[str]:
        """The factors whose levels are three or more different numbers; ``none`` may stand beside them."""
        found = []
        for factor in self.results.study.factors:
            levels = {label(v.levels[factor]): v.levels[factor] for v in self.plan.values()}
            numbers = [x for x in levels.values() if isinstance(x, int | float) and not isinstance(x, bool)]
            if len(numbers) >= 3 and len(numbers) >= len(levels) - 1:
                found.append(factor)
        return found

    @property
    def plan(self) -> dict[str, Variant]:
        """Variant by its full name."""
        return self.results.study.plan

    @cached_property
    def shown(self) -> dict[str, str]:
        """Full name → the name on the page: in a grid the levels alone (``tanh · 32``), which stand under ``key``."""
        return self.results.study.shown.in_tables

    @cached_property
    def key(self) -> str:
        """What the names on the page are levels of: ``activation``, ``activation · lr``, or just ``variant``."""
        return self.results.study.shown.heading

    @property
    def heading(self) -> str:
        """The key over a column of names."""
        return say("variant") if self.key == "variant" else self.key

    @property
    def base_word(self) -> str:
        """What the variant that the others are compared to is to the study: its base, or a reference it names."""
        return say("base") if self.base == self.results.study.base_variant else say("reference")

    @cached_property
    def base_in_words(self) -> str:
        """``the base (dropout 0.2)``."""
        level = self.shown[self.base]
        named = f"{self.key} {level}" if len(self.results.study.vary) == 1 and self.key != "variant" else level
        if named == "base":
            return say("the base")
        is_base = self.base == self.results.study.base_variant
        name = as_name(named)
        return say("the base ({name})", name=name) if is_base else say("the reference ({name})", name=name)

    @cached_property
    def means(self) -> dict[str, float]:
        """Full name → mean of the metric over seeds, for the variants that have one."""
        values = {name: list(self.values(name, self.metric).values()) for name in self.finished}
        return {name: sum(v) / len(v) for name, v in values.items() if v}

    @cached_property
    def finished(self) -> list[str]:
        """The variants with at least one finished run, in the order of the study."""
        there = {run.variant for run in self.results.finished}
        return [name for name in self.plan if name in there]

    @cached_property
    def order(self) -> list[str]:
        """``finished`` in the order of the page: numbers as the study has them, other levels from best to worst."""
        if self.numeric or not self.finished:
            return self.finished
        sign = 1 if self.lower_is_better else -1
        return sorted(self.finished, key=lambda name: sign * self.means.get(name, float("inf") * sign))

    @cached_property
    def lower_is_better(self) -> bool:
        """Of the metric."""
        return lower_is_better(self.metric)

    @cached_property
    def losses_differ(self) -> bool:
        """Whether the losses measured are of different kinds, whose values no table should put side by side."""
        return losses.differ((self.plan[name].recipe.train.loss for name in self.finished), self.results.study.task)

    @cached_property
    def best(self) -> str | None:
        """The variant with the best mean, if any run has finished."""
        choose: Callable[..., Any] = min if self.lower_is_better else max
        return choose(self.means, key=self.means.__getitem__) if self.means else None

    @cached_property
    def worst(self) -> str | None:
        """The variant with the worst mean."""
        choose: Callable[..., Any] = max if self.lower_is_better else min
        return choose(self.means, key=self.means.__getitem__) if self.means else None

    @cached_property
    def base(self) -> str:
        """The variant that the others are compared to."""
        return self.results.base

    @cached_property
    def comparisons(self) -> Comparisons | None:
        """Every other variant against the base; None where there is nothing to compare."""
        if not self.means or self.base not in self.means or len(self.means) < 2:
            return None
        return self.results.compare(self.metric)

    @cached_property
    def chance(self) -> Chance | None:
        """What ignoring the images reaches in the metric, where that is one number for all variants."""
        return shared(self.results.truth.chance(self.metric)) if self.finished else None

    @cached_property
    def colors(self) -> dict[str, str]:
        """Name on the page → colour, in the order of the page.

        Levels with an order run from dark to bright. Of more than eight others only the base and the best keep a
        colour of their own: nobody tells twenty colours apart.
        """
        names = [self.shown[name] for name in self.order]
        if len(self.results.study.factors) == 1 and self.numeric:
            return dict(zip(names, style.sequential(len(names)), strict=True))
        if len(names) <= style.CATEGORIES:
            return dict(zip(names, style.categorical(len(names)), strict=True))
        lifted = dict.fromkeys([self.best, self.base, *self.order[:5], self.order[-1]])
        own = dict(
            zip([self.shown[name] for name in lifted if name in self.finished], style.categorical(8), strict=False)
        )
        return {name: own.get(name, style.LIGHT["rest"]) for name in names}

    @property
    def menu(self) -> Menu:
        """Every variant with a finished run, the best first shown."""
        return Menu(self.heading, [self.shown[name] for name in self.order], self.shown[self.best or self.base])

    @property
    def seeds(self) -> int:
        """The largest number of finished seeds of a variant."""
        counts = [sum(run.variant == name for run in self.results.finished) for name in self.finished]
        return max(counts, default=0)

    @cached_property
    def unfinished(self) -> list[Run]:
        """The planned runs that the numbers are without."""
        return [run for run in self.results.runs if run.state != "finished"]

    @cached_property
    def skipped(self) -> list[tuple[str, str]]:
        """(name, reason) of the images left out under ``on_bad_image: skip``, once each."""
        found: dict[tuple[str, str], None] = {}
        for run in self.results.finished:
            found |= dict.fromkeys((str(name), str(why)) for name, why in self.results.data(run).get("skipped", []))
        return list(found)

    def stem(self, variant: str) -> str:
        """What a file about the variant is called: its place in the study, its folder in plain letters, cut short."""
        words = re.sub(r"[^A-Za-z0-9.]+", "-", self.plan[variant].folder)[:40].strip("-.")
        return f"{list(self.plan).index(variant) + 1}-{words}".rstrip("-")

    def stacked(self, name: str) -> pl.DataFrame:
        """``Results.stacked``, empty where no finished run has such a table."""
        return self.results.stacked(name) if name in self.results.tables else pl.DataFrame()

    def full_names(self, frame: pl.DataFrame) -> pl.DataFrame:
        """The frame with the variants' full names for those on the page, for a file that is read without the page."""
        return frame.with_columns(pl.col("variant").replace({v: k for k, v in self.shown.items()}))

    def values(self, variant: str, metric: str) -> dict[int, float]:
        """Seed → value, over the finished runs of ``variant``."""
        return self.results.values(metric)[variant]

    def runs(self, variant: str) -> list[Run]:
        """The finished runs of ``variant``, by seed."""
        return [run for run in self.results.finished if run.variant == variant]
