"""Uncertainty on the page and on the terminal, on one tiny study."""

import json
import shutil
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from assay.recipe.study import Study
from assay.report.page import write_report
from assay.report.sections.uncertainty import figures, score_table
from assay.report.sections.uncertainty_words import sentences
from assay.report.subject import Subject
from assay.results import Results
from assay.results.metrics import label
from assay.runs.engine import run as run_study
from assay.uncertainty import ensemble, negative_log_likelihood
from driving import rehash
from synthetic import fabricate, make_study


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Results:
    base = {
        "data": {"source": "digits", "train": 0.4, "validation": 0.3},
        "model": {"name": "mlp", "hidden": [32]},
        "train": {"epochs": 8, "batch_size": 32, "keep": "last"},
        "evaluate": ["classification", {"name": "uncertainty", "passes": 5}],
    }
    study = Study(title="t", name="s", base=base, vary={"model.dropout": [0.0, 0.4]}, seeds=2)
    return run_study(study, tmp_path_factory.mktemp("runs"), quiet=True)


def test_the_table_has_every_method_and_the_ensemble(results: Results) -> None:
    table = score_table(Subject(results))
    assert table is not None
    methods = table.data.group_by("variant", maintain_order=True).agg(pl.col("method").unique(maintain_order=True))
    found = dict(methods.rows())
    assert found["dropout=0.0"] == ["plain", "temperature", "injected", "ensemble"]
    assert found["dropout=0.4"] == ["plain", "temperature", "injected", "trained", "ensemble"]
    nll = table.data.filter((pl.col("score") == "nll") & (pl.col("variant") == "dropout=0.0"))
    plain = nll.filter(pl.col("method") == "plain")
    assert plain["mean"].item() == pytest.approx(np.mean(list(results.values("nll_plain")["dropout=0.0"].values())))
    runs = [run for run in results.finished if run.variant == "dropout=0.0"]
    together = nll.filter(pl.col("method") == "ensemble").row(0, named=True)
    expected = negative_log_likelihood(*ensemble([results.predictions(run) for run in runs]))
    assert together["mean"] == pytest.approx(expected)
    assert together["low"] is None


def test_the_figures_show_every_variant_and_method(results: Results) -> None:
    drawn = {figure.name: figure.frame for figure in figures(Subject(results))}
    assert set(drawn) == {"reliability", "risk-coverage"}
    for frame in drawn.values():
        assert set(frame["variant"]) == {"0.0", "0.4"}
        assert "ensemble of the seeds" in set(frame["method"])
    images = drawn["reliability"].group_by("variant", "method").agg(pl.col("images").sum())
    test = results.data(results.finished[0])["counts"]["test"]
    assert set(images.filter(pl.col("method") == "plain")["images"]) == {2 * test}
    ends = drawn["risk-coverage"].filter((pl.col("coverage") == 100) & (pl.col("method") == "plain"))
    accuracy = results.table(["accuracy"])["accuracy"].to_list()
    assert sorted(ends["risk"].to_list()) == pytest.approx(sorted(100 * (1 - a) for a in accuracy))


def test_the_reliability_over_seeds_is_that_of_all_their_images_together(results: Results) -> None:
    drawn = next(figure.frame for figure in figures(Subject(results)) if figure.name == "reliability")
    for variant, shown in (("dropout=0.0", "0.0"), ("dropout=0.4", "0.4")):
        runs = [results.predictions(run) for run in results.finished if run.variant == variant]
        images = pl.concat([frame.filter(pl.col("split") == "test") for frame in runs])
        bins = drawn.filter((pl.col("variant") == shown) & (pl.col("method") == "plain"))
        right = (images["predicted"] == images["label"]).sum()
        assert (bins["accuracy"] * bins["images"]).sum() == pytest.approx(100 * right)
        assert (bins["confidence"] * bins["images"]).sum() == pytest.approx(100 * images["confidence"].sum(), rel=1e-5)


def test_the_sentences_say_where_tuning_helped(results: Results) -> None:
    said = sentences(Subject(results))
    assert said[0].startswith("Temperature scaling, tuned on validation images, ")
    assert said[1].startswith("Injected dropout, tuned on validation images, ")
    for text, method in zip(said, ("temperature", "injected"), strict=True):
        plain, tuned = (results.table([f"nll_{m}"])[f"nll_{m}"] for m in ("plain", method))
        assert text.count("Not of dropout") == int((tuned >= plain).sum())


def edited(results: Results, place: Path, *seeds: dict[str, float | None]) -> Subject:
    """The study with other metrics of the seeds of dropout 0; None takes a metric away."""
    shutil.copytree(results.folder, place)
    copied = Results.read(place)
    for run, changes in zip((run for run in copied.finished if run.variant == "dropout=0.0"), seeds, strict=True):
        path = run.folder / "metrics.json"
        values = json.loads(path.read_text()) | changes
        path.write_text(json.dumps({name: value for name, value in values.items() if value is not None}))
    return Subject(copied)


BEFORE = {"nll_plain": 0.5, "validation_nll_plain": 0.5}


@pytest.mark.parametrize(
    ("seeds", "words"),
    [
        (
            [
                {"nll_injected": 0.54, "temperature": 0.5, "dropout_rate": 0.01},
                {"nll_injected": 0.48, "temperature": 2.0, "dropout_rate": 0.1},
            ],
            "0.5000 → 0.5100 (lowered in 1 of 2 seeds), dropout rate 0.01 to 0.1: "
            "it is not too sure in the other (temperature 0.5), and",
        ),
        (
            [
                {"nll_injected": 0.54, "temperature": 0.5, "validation_nll_injected": 0.4},
                {"nll_injected": 0.52, "temperature": 1.2, "validation_nll_injected": 0.499},
            ],
            "0.5000 → 0.5300 (lowered in 0 of 2 seeds), dropout rate 0.1 (no one reason holds in every seed).",
        ),
        (
            [
                {"nll_injected": 0.54, "temperature": 0.5, "validation_nll_injected": 0.4},
                {"nll_injected": 0.52, "temperature": 1.2, "validation_nll_injected": 0.3},
            ],
            "dropout rate 0.1 (on the validation images 0.5000 → 0.3500: they are not enough, or not like",
        ),
        (
            [
                {"nll_injected": 0.50, "temperature": 1.1, "validation_nll_injected": 0.499},
                {"nll_injected": 0.51, "temperature": 0.9, "validation_nll_injected": 0.498},
            ],
            "dropout rate 0.1 (hardly anything to gain on the validation images either).",
        ),
    ],
)
def test_a_reason_holds_in_every_seed_it_is_given_for(
    results: Results, tmp_path: Path, seeds: list[dict[str, float]], words: str
) -> None:
    said = sentences(edited(results, tmp_path / "s", *(BEFORE | {"dropout_rate": 0.1} | seed for seed in seeds)))
    assert words in said[1].partition("Not of dropout 0.0: ")[2]


def test_the_sentences_count_the_seeds(results: Results, tmp_path: Path) -> None:
    lowered = BEFORE | {"nll_temperature": 0.4}
    said = sentences(edited(results, tmp_path / "s", lowered, lowered))[0]
    changes = [results.values(f"nll_{m}")["dropout=0.4"] for m in ("plain", "temperature")]
    others = sum(changes[1][seed] < changes[0][seed] for seed in changes[0])
    assert f" (lowered in {2 + others} of 4 runs)." in said


def test_a_temperature_at_its_bound_is_told(results: Results, tmp_path: Path) -> None:
    flat = {"temperature": 99.9999, "validation_nll_temperature": 2.3}
    assert not any("no relation" in text for text in sentences(Subject(results)))
    assert sentences(edited(results, tmp_path / "s", flat, {}))[2] == (
        "The validation images of dropout 0.0 show no relation between confidence and being right in 1 of 2 seeds: "
        "the temperature is the largest that was tried."
    )


def test_an_auroc_over_fewer_seeds_is_marked(results: Results, tmp_path: Path) -> None:
    whole, fewer = (
        score_table(s) for s in (Subject(results), edited(results, tmp_path / "s", {"auroc_plain": None}, {}))
    )
    assert whole is not None
    assert fewer is not None
    assert "AUROC" not in whole.caption
    assert fewer.caption.endswith(" AUROC: over the seeds with right and wrong answers.")


def test_the_headline_is_the_accuracy_of_the_network_as_it_is(results: Results, tmp_path: Path) -> None:
    assert results.metric == "accuracy"
    shutil.copytree(results.folder, tmp_path / "s")
    for path in (tmp_path / "s").rglob("metrics.json"):
        values = json.loads(path.read_text())
        path.write_text(json.dumps({name: v for name, v in values.items() if name.endswith(("_plain", "_injected"))}))
        rehash(path.parent)
    assert Results.read(tmp_path / "s").metric == "accuracy_plain"
    assert label("accuracy_plain") == "accuracy (plain)"


def test_a_class_without_validation_images_is_named(results: Results, tmp_path: Path) -> None:
    shutil.copytree(results.folder, tmp_path / "s")
    copied = Results.read(tmp_path / "s")
    path = copied.finished[1].folder / "metrics.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"absent_from_validation": [3, 8]}))
    assert "no validation image of 3, 8: there nothing was tuned for them" in sentences(Subject(copied))[-1]


def test_the_page_has_the_section_and_its_files(results: Results) -> None:
    page = write_report(results)
    text = page.read_text(encoding="utf-8")
    assert '<section id="uncertainty">' in text
    for name in (
        "tables/uncertainty.csv",
        "tables/uncertainty.tex",
        "figures/reliability.svg",
        "figures/risk-coverage.csv",
    ):
        assert (page.parent / name).exists()


def test_a_study_without_the_measure_has_no_section(tmp_path: Path) -> None:
    page = write_report(Results.read(fabricate(tmp_path, make_study())))
    assert 'id="uncertainty"' not in page.read_text(encoding="utf-8")
