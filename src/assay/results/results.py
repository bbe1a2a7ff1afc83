"""What a study's run folders say: one table over all finished runs, intervals, paired comparisons, the verdict."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import polars as pl

from assay.errors import AssayError, nearest, unknown
from assay.recipe.study import Study, load_study
from assay.recipe.tasks import TASKS
from assay.results.comparing.basis import Basis, chosen_by, compared, compared_again, errors_of
from assay.results.comparing.chance import Truth
from assay.results.comparing.compare import Values
from assay.results.comparing.comparison import Comparisons
from assay.results.comparing.factors import FactorEffect, main_effects
from assay.results.comparing.means import best, means
from assay.results.comparing.standing import Standing, remarks, standing
from assay.results.folders import STACKED, Run, planned_runs, read_description, read_table, stacked
from assay.results.frame import frame
from assay.results.notebook import results_html
from assay.results.same import same_networks
from assay.results.statistics.image_errors import ImageErrors
from assay.results.telling.answer import told
from assay.results.telling.background import Learned, background, learned
from assay.results.telling.earlier import earlier
from assay.results.telling.known import knowing, none_finished
from assay.results.telling.notes import half_loaded, not_measured, notes, other_test_images, unlike_processors
from assay.results.trials import remark
from assay.system.files import read_object


@dataclass(frozen=True, eq=False)
class Results:
    """The runs of one study, read by ``Results.read``. Only looks are written to disk (``comparing.looks``)."""

    folder: Path
    study: Study
    runs: tuple[Run, ...]
    """Every run the study plans, by variant, then by seed."""

    @classmethod
    def read(cls, folder: str | Path) -> "Results":
        """Read ``study.yaml`` in ``folder`` and the state of every run it plans; other folders are left alone.

        Of finished runs every file but the weights is checked against its hash; one where any has changed since is
        ``damaged`` and left out. Raises AssayError where ``study.yaml`` is missing or cannot be read.
        """
        folder = Path(folder)
        study = load_study(folder / "study.yaml")
        return cls(folder, study, tuple(planned_runs(folder, study)))

    @property
    def base(self) -> str:
        """The name of the variant that the others are compared to."""
        return self.study.reference_variant or self.study.base_variant

    @property
    def finished(self) -> list[Run]:
        """The finished runs, by variant, then by seed."""
        return [run for run in self.runs if run.state == "finished"]

    @property
    def damaged(self) -> list[Run]:
        """The runs whose files have changed since they finished; their ``reason`` says which."""
        return [run for run in self.runs if run.state == "damaged"]

    @property
    def seconds(self) -> float:
        """What all runs took together: loading, training, measuring; of a run that did not keep it, its epochs."""
        kept = sum(run.seconds for run in self.runs if run.seconds is not None)
        old = (run for run in self.finished if run.seconds is None)
        return float(kept + sum(self.metrics(run).get("training_seconds", 0.0) for run in old))

    # ------------------------------------------------------------------------------------------- numbers

    @cached_property
    def frame(self) -> pl.DataFrame:
        """A row per finished run: variant, seed, a text column per factor (its dotted key), every scalar metric.

        Metrics are in their own unit (accuracy 0.91, seconds, bytes), null where a run has none or it is not finite.
        Raises AssayError where a run's metrics cannot be read, naming the file.
        """
        return frame(self.study, {run: self.metrics(run) for run in self.finished})

    @property
    def metric_names(self) -> list[str]:
        """The scalar metrics of the finished runs: quality first, then cost and time."""
        return self.frame.columns[2 + len(self.study.factors) :]

    @property
    def metric(self) -> str:
        """What the study is about unless asked otherwise: its own metric, its task's (of the network as it is), else
        any."""
        own = TASKS[self.study.task].metric
        there = [name for name in (self.study.metric, own, f"{own}_plain") if name in self.metric_names]
        return next(iter([*there, *self.metric_names]), own)

    def values(self, metric: str | None = None) -> dict[str, dict[int, float]]:
        """Variant → seed → value, over the finished runs; an empty part for a variant without one.

        Raises AssayError where no run has finished, or none has such a metric (with the nearest known name).
        """
        metric = metric or self.metric
        self._need_finished()
        if metric not in self.metric_names:
            raise unknown("metric", metric, self.metric_names)
        values: dict[str, dict[int, float]] = {name: {} for name in self.study.plan}
        rows = self._columns
        for variant, seed, value in zip(rows["variant"], rows["seed"], rows[metric], strict=True):
            if value is not None:
                values[variant][seed] = float(value)
        return values

    @cached_property
    def _columns(self) -> dict[str, list[Any]]:
        return self.frame.to_dict(as_series=False)

    def table(self, metrics: Sequence[str] | None = None) -> pl.DataFrame:
        """A row per variant: variant, factors, seeds (finished), and per metric ``<m>``, ``<m>_low``, ``<m>_high``.

        The mean over seeds and its 95 % t interval, null with one seed and cut at 0 and 1 for a share; of all metrics
        unless ``metrics`` names some.
        """
        counts = {name: sum(run.variant == name for run in self.finished) for name in self.study.plan}
        values = {metric: self.values(metric) for metric in (self.metric_names if metrics is None else metrics)}
        return means(self.study, counts, values)

    def best(self, metric: str | None = None) -> str:
        """The variant with the best mean of ``metric``; of equals the first. Under ``select_on: validation`` the mean
        is that over the validation images, for a metric that is a property of answers."""
        metric = metric or self.metric
        found = best(self._chosen_by(metric) or self.values(metric), metric)
        if found is None:
            raise AssayError(f"no finished run of the study '{self.study.name}' has a finite {metric}")
        return found

    # -------------------------------------------------------------------------------------------- answers

    def compare(self, metric: str | None = None, against: str | None = None) -> Comparisons:
        """Every other variant against the base, the ``"best"``, or the variant named, in pairs of equal seeds.

        See ``comparing.compare`` for the tests. Raises AssayError for an unknown metric or variant.
        """
        metric = metric or self.metric
        values, reference = self.values(metric), self.base if against is None else against
        if against == "best" and "best" not in values:
            reference = self.best(metric)
        elif reference not in values:
            raise unknown("variant", reference, [*values, "best"])
        return self._compared(metric, reference)

    @cached_property
    def _compared(self) -> Callable[[str, str], Comparisons]:
        told = partial(compared, basis=self._basis, where=self.standing)
        return cache(lambda metric, reference: told(self.study, self.values(metric), metric, reference))

    @cached_property
    def _basis(self) -> Basis:
        return Basis(self._answers, self.image_errors, same_networks(self.frame, list(self.study.plan)))

    @cached_property
    def _chosen_by(self) -> Callable[[str], Values | None]:
        return cache(lambda metric: chosen_by(self.study, self.values(metric), metric, self._answers))

    @cached_property
    def image_errors(self) -> Callable[[str], ImageErrors | None]:
        """Metric → what other test images would change in it; None where it is no property of answers, or seeds were
        not varied."""
        return cache(lambda metric: errors_of(self.study, self.values(metric), metric, self._answers))

    def answering(self, metric: str | None = None) -> Comparisons:
        """The comparisons that the verdict speaks of: against the reference that the study names, else the best."""
        return self.compare(metric, self.study.reference_variant or "best")

    @cached_property
    def standing(self) -> Standing:
        """How far the study is and how often it was looked at; where all is done, this look is recorded."""
        return standing(self.folder, self.study, self.runs)

    def verdict(self, metric: str | None = None) -> str:
        """What the study found, in a few sentences of plain text (escape it before it goes into HTML)."""
        if not self.finished:
            return none_finished(self.runs)
        values, found = self.values(metric), self.answering(metric)
        by, where, effects = self._chosen_by(found.metric), self.standing, self.main_effects(found.metric)
        again = partial(compared_again, self.study, found.metric, by, self._basis)
        before = earlier(self.study, where, values, again, partial(self.compare, found.metric))
        text = told(self.study, where, found.metric, values, found, by, self._basis.same, effects, before)
        return knowing(text, self.study, self.runs, values, found, self.frame, self.truth, partial(again, where))

    def main_effects(self, metric: str | None = None) -> list[FactorEffect]:
        """What each factor of a complete grid does on average over the others, the largest first; else none, nor
        before all planned runs are done."""
        metric = metric or self.metric
        values, alpha = self.values(metric), self.answering(metric).alpha
        errors = self.image_errors(metric)
        return [] if self.standing.is_interim else main_effects(self.study, values, metric, alpha, errors)

    @cached_property
    def truth(self) -> Truth:
        """What is true of the test images, and what ignoring them reaches."""
        return Truth(self.study, self.finished)

    def notes(self, metric: str | None = None) -> list[str]:
        """What the verdict rests on: assumptions, missing runs, test images, weights, processors, the epochs."""
        shown, answer = (self.compare(metric), self.answering(metric)) if self.finished else (None, None)
        lenient = [run for run in self.finished if not self.study.plan[run.variant].recipe.model.strict]
        loaded = [(run.variant, self.environment(run).get("pretrained", {})) for run in lenient]
        tested = [self.data(run).get("images_sha256", {}).get("test") for run in self.finished]
        found = notes(self.study, self.runs, shown, answer) + other_test_images(tested) + remark(self.folder)
        found += half_loaded(self.study, loaded) + unlike_processors(self.finished, self.environment)
        found += self.not_measured + remarks(self.standing)
        return found + background(answer, self.study, self.frame, lambda: self._learned)

    @cached_property
    def _learned(self) -> Learned:
        return learned(self.study, self.stacked("history"))

    @property
    def not_measured(self) -> list[str]:
        """That the study's own metric leads nothing, since no finished run has it; empty where one has."""
        return not_measured(self.study, self.metric_names, self.metric) if self.finished else []

    def report(self) -> NoReturn:
        """Raise AssayError: the page is written by ``assay.report``."""
        raise AssayError("results.report() is now assay.report(results)")

    # ------------------------------------------------------------------------------------ files of the runs

    def run(self, variant: str, seed: int) -> Run:
        """The planned run of ``variant`` with ``seed``. Raises AssayError where there is none."""
        if variant not in self.study.plan:
            raise unknown("variant", variant, self.study.plan)
        for run in self.runs:
            if run.variant == variant and run.seed == seed:
                return run
        raise unknown("seed", seed, map(str, self.study.seed_list))

    def metrics(self, run: Run) -> dict[str, Any]:
        """All that was measured: ``metrics.json`` and ``timing.json``, lists and confusion matrix included."""
        return {**read_object(run.folder / "metrics.json"), **read_object(run.folder / "timing.json")}

    def data(self, run: Run) -> dict[str, Any]:
        """``data.json``: classes, shape, normalisation, counts, skipped images."""
        return read_description(run.folder / "data.json")

    def environment(self, run: Run) -> dict[str, Any]:
        """``environment.json``: versions, machine, command."""
        return read_object(run.folder / "environment.json")

    def history(self, run: Run) -> pl.DataFrame:
        """A row per epoch: epoch, lr, loss and accuracy of train and validation, seconds."""
        return read_table(run.folder / "history.parquet")

    @property
    def tables(self) -> list[str]:
        """The names of the Parquet tables that finished runs have: ``history``, ``predictions``, ``curves``, …"""
        return sorted({path.stem for run in self.finished for path in run.folder.glob("*.parquet") if path.is_file()})

    def stacked(self, name: str) -> pl.DataFrame:
        """The table ``<name>.parquet`` of all finished runs that have it, with variant and seed before its own columns.

        Raises AssayError where no finished run has such a table (with the nearest known name), or one cannot be read.
        """
        self._need_finished()
        if name not in self.tables:
            raise AssayError(f"the finished runs in {self.folder} have no table '{name}'; {nearest(name, self.tables)}")
        return stacked(self.finished, name)

    def predictions(self, run: Run) -> pl.DataFrame:
        """A row per image: split, image, name, label, predicted, confidence, loss, probabilities."""
        return read_table(run.folder / "predictions.parquet")

    def pictures(self, run: Run) -> pl.DataFrame:
        """A row per picture kept for the report: kind, name, label, predicted, confidence, png."""
        return read_table(run.folder / "pictures.parquet")

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> NoReturn:
            """Say where a method went."""
            if name in STACKED:
                raise AssayError(f"results.{name}() is now results.stacked('{STACKED[name]}')")
            raise AttributeError(f"'Results' object has no attribute '{name}'")

    def _repr_html_(self) -> str:
        return results_html(self.study.title, self.verdict(), self.table(), self.notes())

    def _need_finished(self) -> None:
        if not self.finished:
            raise AssayError(f"no run of the study '{self.study.name}' in {self.folder} has finished yet")

    def _answers(self, variant: str, seed: int) -> pl.DataFrame:
        return self.predictions(self.run(variant, seed))
