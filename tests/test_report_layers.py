"""Separation from the recipe to the page and the terminal, on one tiny study."""

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch
from polars.testing import assert_frame_equal
from torch import Tensor, nn

from assay.errors import AssayError
from assay.evaluate import measure
from assay.evaluate.separation import subset
from assay.evaluate.tracking import BY_EPOCH, follow
from assay.recipe import Recipe
from assay.recipe.study import Study
from assay.recipe.validation import validate
from assay.report.page import write_report
from assay.report.sections.layers import aligned, curves
from assay.report.subject import Subject
from assay.results import Results
from assay.runs import learning
from assay.runs.engine import run as run_study
from assay.tools.probe import probe_model
from driving import rehash
from trained import trained

MEASURE = {"name": "separation", "layers": "leaves", "images": 0.3, "indices": ["separation", "center", "soft_order"]}


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Results:
    base = {
        "data": {"source": "digits"},
        "model": {"name": "mlp", "hidden": [16]},
        "train": {"epochs": 2},
        "evaluate": ["classification", MEASURE],
    }
    study = Study(title="t", name="s", base=base, vary={"model.norm": ["none", "batch"]}, seeds=2)
    return run_study(study, tmp_path_factory.mktemp("runs"), quiet=True)


def test_every_run_has_its_layers(results: Results) -> None:
    table = results.stacked("separation")
    assert table.group_by("variant", "seed").len().height == 4
    batch = table.filter((pl.col("variant") == "norm=batch") & (pl.col("seed") == 0))
    assert batch["layer"].unique(maintain_order=True).to_list() == [
        "flatten",
        "dense1",
        "norm1",
        "activation1",
        "output",
    ]
    assert set(batch["split"]) == {"train", "test"}
    assert batch["value"].is_between(0, 1).all()


def test_the_last_layer_is_among_the_metrics(results: Results) -> None:
    table = results.table(["si_train", "si_test", "csi_train", "csi_test"])
    layers = results.stacked("separation")
    last = layers.filter(
        (pl.col("layer") == "output") & (pl.col("index") == "separation") & (pl.col("split") == "test")
    )
    mean = last.filter(pl.col("variant") == "norm=none")["value"].mean()
    assert table.filter(pl.col("variant") == "norm=none")["si_test"].item() == pytest.approx(mean)


def test_the_page_shows_the_layers(results: Results) -> None:
    page = write_report(results)
    text = page.read_text(encoding="utf-8")
    assert 'id="layers"' in text
    assert "On the test images separation is highest after" in text
    assert text.count("(Seed 0.)") == len(results.study.plan)
    assert "To note:" not in text
    leading = text.split("<div data-view=")[1]
    assert [leading.count(f">{name}<") for name in ("SI-train", "SI-test", "CSI-train", "CSI-test")] == [1, 1, 1, 1]
    drawn = {path.name for path in (page.parent / "figures").glob("layers-*.svg")}
    assert {"layers-separation-test.svg", "layers-center-train.svg", "layers-soft_order-5-test.svg"} <= drawn


def test_a_curve_over_depth_is_the_mean_of_the_seeds_between_their_extremes(results: Results) -> None:
    (curve,) = (figure.frame for figure in curves(Subject(results)) if figure.name == "layers-separation-test")
    layers = (
        results.stacked("separation").filter(index="separation", split="test", variant="norm=batch").drop_nulls("value")
    )
    value = pl.col("value")
    expected = layers.group_by("layer").agg(mean=value.mean(), low=value.min(), high=value.max(), seeds=pl.len())
    found = curve.filter(variant="batch").select("layer", "mean", "low", "high", "seeds").sort("layer")
    assert_frame_equal(found, expected.sort("layer"))
    assert (found["seeds"] == 2).all()


def test_the_page_names_what_was_not_measured(results: Results) -> None:
    path = results.finished[0].folder / "separation.parquet"
    kept = path.read_bytes()
    failed = pl.DataFrame({"layer": ["flatten", "odd", None], "reason": ["it is strange"] * 2 + ["class 'a' is alone"]})
    pl.concat([pl.read_parquet(path), failed], how="diagonal").write_parquet(path)
    rehash(path.parent)
    try:
        text = write_report(Results.read(results.folder)).read_text(encoding="utf-8")
        assert "<li>flatten, odd: it is strange</li><li>class &#39;a&#39; is alone</li>" in text
    finally:
        path.write_bytes(kept)
        rehash(path.parent)


def test_probe_measures_a_finished_run(results: Results) -> None:
    run = results.finished[0].folder
    command = [sys.executable, "-m", "assay", "probe", str(run), "--layers", "dense*,output", "--images", "0.2"]
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ, check=False)
    assert done.returncode == 0, done.stderr
    assert "separation train" in done.stdout
    assert "dense1" in done.stdout
    assert "On the test images separation is highest after" in done.stdout
    page = run / "probe" / "index.html"
    assert done.stdout.splitlines()[-1] == f"page: {page}"
    text, table = page.read_text(encoding="utf-8"), pl.read_csv(run / "probe" / "tables" / "layers.csv")
    assert set(re.findall('data-chart="([^"]+)"', text)) == {"layers-separation", "layers-center"}
    for row in table.iter_rows(named=True):
        assert f"{row['value']:.3f} ({row['low']:.3f} to {row['high']:.3f})" in text
    (peak,) = re.findall(r'<p class="verdict">On the test images separation is highest after (\S+) \(', text)
    on_test = table.filter((pl.col("index") == "separation") & (pl.col("split") == "test"))
    assert peak == on_test.sort("value", descending=True)["layer"][0]


def test_probe_names_the_nearest_layer(results: Results) -> None:
    run = results.finished[0].folder
    command = [sys.executable, "-m", "assay", "probe", str(run), "--layers", "dnese1"]
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ, check=False)
    assert done.returncode == 2
    assert "no layer is called 'dnese1'; did you mean 'dense1'?" in done.stderr
    assert "Traceback" not in done.stderr


def test_what_a_split_is_too_small_for_has_a_reason_and_the_rest_a_value() -> None:
    options = {"name": "separation", "indices": ["separation", "high_order"], "orders": [5, 10]}
    values = measure(trained(evaluate=[options]))
    table = values["separation"]
    assert isinstance(table, pl.DataFrame)
    measured, missing = table.filter(pl.col("reason").is_null()), table.filter(pl.col("reason").is_not_null())
    assert measured.group_by("split", "order").len().sort("split", "order").rows() == [
        *[("test", order, 4) for order in (None, 5)],
        *[("train", order, 4) for order in (None, 5, 10)],
    ]
    assert missing["reason"].unique().to_list() == [
        "k: expected 1 to 8 neighbours among the 9 rows of test images, found 10"
    ]
    assert {"si_train", "si_test"} <= set(values)


class Torn(nn.Module):
    """A layer that no separation can be measured of."""

    def forward(self, x: Tensor) -> Tensor:
        return x.index_fill(0, torch.tensor([0]), torch.inf)


def test_no_other_layer_stands_in_for_the_last() -> None:
    torn = nn.Sequential(nn.Flatten(), nn.Linear(36, 3), Torn(), nn.Hardtanh())
    values = measure(trained(model=torn, evaluate=[{"name": "separation", "layers": ["0", "1", "2"]}]))
    table = values.pop("separation")
    assert isinstance(table, pl.DataFrame)
    assert table.filter(pl.col("value").is_not_null())["layer"].unique(maintain_order=True).to_list() == ["0", "1"]
    assert not values
    assert "si_test" in measure(trained(model=torn, evaluate=[{"name": "separation", "layers": ["0", "1"]}]))


def test_a_share_of_some_images_is_at_least_one() -> None:
    options = {"name": "separation", "images": 0.01, "indices": ["separation", "cross_separation"]}
    table = measure(trained(evaluate=[options]))["separation"]
    assert isinstance(table, pl.DataFrame)
    assert set(table["index"].drop_nulls()) == {"cross_separation"}
    assert "train images: expected at least 2 samples, found 1" in table["reason"].to_list()


def test_a_validation_split_alone_must_be_there() -> None:
    data, options = {"source": "digits", "validation": 0}, {"name": "separation", "splits": ["validation"]}
    values = {"data": data, "model": "mlp", "train": {"keep": "last"}, "evaluate": [options]}
    with pytest.raises(AssayError, match=r"separation of the validation split alone needs validation images"):
        validate(Recipe, values, "base")


def test_layers_of_different_networks_are_aligned_by_name() -> None:
    assert aligned([["a", "c", "d"], ["a", "b", "c", "d", "e"]]) == ["a", "b", "c", "d", "e"]


@pytest.fixture(scope="module")
def tracking() -> Study:
    base = {
        "data": {"source": "digits", "train": 0.3},
        "model": {"name": "mlp", "hidden": [16]},
        "train": {"epochs": 4},
        "evaluate": ["classification", {"name": "separation", "track": {"every": 2, "images": 100}}],
    }
    return Study(title="t", name="s", base=base, vary={"model.norm": ["none", "batch"]}, seeds=1)


@pytest.fixture(scope="module")
def tracked(tracking: Study, tmp_path_factory: pytest.TempPathFactory) -> Results:
    return run_study(tracking, tmp_path_factory.mktemp("tracked"), quiet=True)


def test_layers_are_followed_through_training(tracked: Results) -> None:
    table = tracked.stacked("separation_by_epoch")
    assert table["epoch"].unique().sort().to_list() == [0, 2, 4]
    output = table.filter(
        (pl.col("layer") == "output") & (pl.col("index") == "separation"), split="test", variant="norm=batch"
    )
    untrained, *_, trained = output.sort("epoch")["value"]
    assert trained > untrained


def test_following_the_layers_changes_nothing_else(tracking: Study, tracked: Results, tmp_path: Path) -> None:
    base = tracking.base | {"evaluate": ["classification", "separation"]}
    study = Study(title="t", name="s", base=base, vary=tracking.vary, seeds=1)
    plain = run_study(study, tmp_path, quiet=True)
    for before, after in zip(plain.finished, tracked.finished, strict=True):
        assert plain.metrics(before) == tracked.metrics(after)


def test_an_interrupted_training_goes_on_following(tracking: Study, tracked: Results, tmp_path: Path) -> None:
    def stop_after_three(*_: object) -> None:
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(learning, "epoch_line", lambda row: stop_after_three() if row["epoch"] == 3 else "")
        with pytest.raises(KeyboardInterrupt):
            run_study(tracking, tmp_path, quiet=True)
    resumed = run_study(tracking, tmp_path, quiet=True)
    assert resumed.stacked("separation_by_epoch").equals(tracked.stacked("separation_by_epoch"))


def test_rows_that_an_interrupted_training_left_of_later_epochs_are_measured_anew() -> None:
    made = trained(evaluate=[{"name": "separation", "layers": "leaves", "track": {"every": 1}}])
    kept = pl.DataFrame(schema=BY_EPOCH)
    for epoch in (0, 1, 2, 3):
        kept = follow(kept, epoch, made.model, made.data, made.recipe, made.device)
    again = follow(kept, 2, made.model, made.data, made.recipe, made.device)
    assert again["epoch"].unique().sort().to_list() == [0, 1, 2]
    assert again.equals(kept.filter(pl.col("epoch") < 3))


def test_the_images_measured_are_drawn_by_the_runs_seed_the_same_share_of_every_class() -> None:
    labels = np.repeat([0, 1], [40, 80])
    first, again, other = (subset(np.arange(120) + 7, labels, 0.25, seed) for seed in (0, 0, 1))
    assert np.bincount(labels[first - 7]).tolist() == [10, 20]
    assert first.tolist() == again.tolist() == sorted(set(first.tolist()))
    assert first.tolist() != other.tolist()


def test_the_page_shows_the_layers_while_they_learn(tracked: Results) -> None:
    page = write_report(tracked)
    assert (page.parent / "figures" / "layers-by-epoch.svg").exists()
    assert "while learning" in page.read_text(encoding="utf-8")


def test_a_class_with_a_single_image_is_noted() -> None:
    found = probe_model("mlp", "digits", images=15, splits=["test"])
    counts = [note for note in found.notes if "has one of the test images" in note]
    assert 0 < len(counts) < 10
    assert probe_model("mlp", "digits", images=30, splits=["test"]).notes == []
