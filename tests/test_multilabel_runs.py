"""Multi-label from the study file to the page: drawn shapes, resume, what of a run works and what needs one label."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

import assay
from assay.data import load, open_images
from assay.data.sources import shapes
from assay.errors import AssayError
from assay.models import build
from assay.recipe import Data, Recipe
from assay.recipe.study import Study, load_study
from assay.report.page import write_report
from assay.results import Results
from assay.runs.engine import run as run_study
from assay.tasks.multilabel.predictions import THRESHOLD
from assay.tools.looking.command import look
from assay.tools.predict_uncertain import predict_uncertain
from assay.tools.probe import probe, probe_model
from assay.tools.ranking import rank
from assay.tools.refit import refit
from assay.train.checkpoint import State, pack, unpack
from assay.train.loop import fit

BASE: dict[str, Any] = {
    "task": "multilabel",
    "data": {"source": "shapes", "train": 300, "validation": 60, "test": 120, "augment": ["horizontal_flip"]},
    "model": {"name": "cnn", "channels": [4], "dense": [8], "dropout": 0.2},
    "train": {"epochs": 2, "batch_size": 64, "optimizer": {"name": "adam", "lr": 0.01}},
    "evaluate": ["multilabel", "curves", "cost"],
}
STUDIES = Path(__file__).parents[1] / "studies"


def study(**changes: Any) -> Study:
    values: dict[str, Any] = {"title": "Which loss finds the rare shapes?", "name": "shapes", "base": BASE, "seeds": 1}
    losses = {"plain": {}, "weighted": {"train.loss": {"name": "focal", "class_weights": "inverse"}}}
    return Study.model_validate(values | {"variants": losses} | changes)


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Results:
    """Two variants, a seed each."""
    return run_study(study(), tmp_path_factory.mktemp("runs"), quiet=True)


@pytest.fixture(scope="module")
def run(results: Results) -> Path:
    return results.finished[0].folder


# -------------------------------------------------------------------------------------------------- the shapes


def test_the_drawn_shapes_are_there_where_their_tags_say_so() -> None:
    found = open_images(Data(source="shapes"), Path())
    assert found.classes == ["disc", "square", "triangle", "cross", "ring"]
    assert found.pixels.shape == (2400, 3, 32, 32)
    tags = found.targets.values.astype(bool)
    assert tags.mean(axis=0) == pytest.approx(list(shapes.SHARES.values()), abs=0.03)
    spread = found.pixels.std(axis=(2, 3)).max(axis=1)
    assert np.median(spread[~tags.any(axis=1)]) < 20 < np.median(spread[tags.any(axis=1)])


def test_the_shapes_are_the_same_whoever_draws_them() -> None:
    one, other = (shapes.shapes(Path()).contents() for _ in range(2))
    assert one.targets.values.tolist() == other.targets.values.tolist()
    assert np.array_equal(np.asarray(one.image(7)), np.asarray(other.image(7)))
    assert not np.array_equal(np.asarray(one.image(7)), np.asarray(one.image(8)))


# ------------------------------------------------------------------------------------------------------- runs


def test_a_run_keeps_what_it_found_by_label(results: Results, run: Path) -> None:
    metrics, about = results.metrics(results.finished[0]), results.data(results.finished[0])
    assert {"average_precision_macro", "f1_micro", "exact_match", "average_precision_ring", "f1_disc"} <= metrics.keys()
    data = load(Recipe.model_validate(BASE).data, 0, Path())
    tags = data.images.targets.values
    assert about["train_per_class"] == tags[data.indices["train"]].sum(axis=0).tolist()
    labels = pl.read_parquet(run / "labels.parquet")
    assert labels["images"].to_list() == tags[data.indices["test"]].sum(axis=0).tolist()
    assert (labels["hits"] + labels["missed"]).to_list() == labels["images"].to_list()
    history = results.history(results.finished[0])
    assert {"train_loss", "validation_loss", "validation_average_precision_macro"} <= set(history.columns)
    assert pl.read_parquet(run / "mixed_up.parquet").columns == ["missed", "said", "images"]


def test_variants_are_compared_by_their_mean_average_precision(results: Results) -> None:
    assert results.metric == "average_precision_macro"
    (compared,) = results.compare()
    assert compared.method == "bootstrap over test images, swaps"
    assert compared.low < compared.difference < compared.high
    (exact,) = results.compare("exact_match")
    assert exact.method == "bootstrap over test images, McNemar"


def test_the_page_shows_the_labels(results: Results) -> None:
    page = write_report(results)
    text = page.read_text(encoding="utf-8")
    for words in ("Average precision of every label", "Mixed up", "The surest false alarms", "mean of the labels"):
        assert words in text
    assert "mean of the classes" not in text
    assert "different losses" not in text
    files = {path.name for path in page.parent.glob("*/*")}
    assert {"labels-f1.svg", "labels-average-precision.csv", "curves-roc.svg", "mixed-up.csv"} <= files
    frame = pl.read_csv(page.parent / "figures" / "labels-f1.csv")
    assert frame.height == 2 * 5
    own = pl.read_parquet(results.finished[1].folder / "labels.parquet")
    assert frame.filter(variant="weighted")["mean"].to_list() == pytest.approx((100 * own["f1"]).to_list())


def test_a_label_without_test_images_is_told_on_the_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shapes, "SHARES", shapes.SHARES | {"ring": 0.0})
    monkeypatch.setenv("ASSAY_CACHE", str(tmp_path / "cache"))
    found = run_study(study(variants={"one": {}}), tmp_path / "runs", quiet=True)
    assert "average_precision_ring" not in found.metric_names
    text = write_report(found).read_text(encoding="utf-8")
    assert "Without a test image, so without scores and in no mean over labels: <bdi>ring</bdi>." in text
    assert "Without a curve: <bdi>ring (no test image has it)</bdi>." in text


def test_a_training_continued_from_its_state_ends_bit_for_bit_the_same() -> None:
    loss = {"name": "focal", "class_weights": "inverse"}
    recipe = Recipe.model_validate(BASE | {"train": BASE["train"] | {"epochs": 3, "loss": loss}})
    data = load(recipe.data, 0, Path())
    states: list[bytes] = []

    def trained(state: State) -> dict[str, torch.Tensor]:
        torch.manual_seed(1)
        model = build(recipe.model, data.shape, 5)
        fit(model, data, recipe, torch.device("cpu"), state, lambda now: states.append(pack(now)))
        return model.state_dict()

    whole, continued = trained(State()), trained(unpack(states[0]))
    assert all(torch.equal(whole[name], continued[name]) for name in whole)


def test_predict_says_of_a_test_image_what_the_run_said(run: Path, tmp_path: Path) -> None:
    row = pl.read_parquet(run / "predictions.parquet").filter(pl.col("split") == "test").row(0, named=True)
    picture = tmp_path / "one.png"
    pixels = open_images(Data(source="shapes"), Path()).pixels[row["image"]]
    Image.fromarray(np.ascontiguousarray(pixels.transpose(1, 2, 0))).save(picture)
    (told,) = assay.predict(run, [picture])
    assert told.probabilities == pytest.approx(row["probabilities"], abs=1e-5)
    assert set(told.labels) == {label for label, chance in row["probabilities"].items() if chance > THRESHOLD}
    assert load_file(run / "model.safetensors")


# ---------------------------------------------------------------------------------------- what needs one label


@pytest.mark.parametrize(
    ("what", "call"),
    [
        ("predict --uncertainty", lambda run: predict_uncertain(run, ["a.png"])),
        ("probe", probe),
        ("refit", refit),
        ("maps", lambda run: look(run, Path("a.png"))),
        ("probe", lambda _: probe_model("mlp", "shapes")),
        ("rank", lambda _: rank("shapes", ["timm/resnet18"], pretrained=False, size=32)),
    ],
)
def test_what_needs_one_label_an_image_says_so(what: str, call: Callable[[Path], Any], run: Path) -> None:
    with pytest.raises(
        AssayError, match=f"^{what} needs one label( or numbers)? an image, and the images of shapes have"
    ):
        call(run)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"data": {"source": "digits"}},
            "needs any number of labels an image, and .* digits have labels; expected t",
        ),
        (
            {"task": "classification", "evaluate": ["cost"]},
            "classification needs one label an image, and .* have tags",
        ),
        ({"train": {"loss": {"class_weights": [1, 2], "name": "focal"}}}, "class_weights has 2 numbers, expected 5"),
        (
            {"model": {"name": "elu_resnet", "softmax": True}},
            "model.softmax gives shares of classes, and task multilabel",
        ),
    ],
)
def test_what_does_not_fit_is_refused_before_training(changes: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(AssayError, match=message):
        run_study(study(base=BASE | changes, variants={"one": {}}), tmp_path, quiet=True)
    assert not list(tmp_path.rglob("history.parquet"))


def test_the_shipped_study_asks_about_the_loss() -> None:
    found = load_study(STUDIES / "multilabel" / "shapes.yaml")
    assert found.task == "multilabel"
    losses = [variant.recipe.train.loss.name for variant in found.plan.values()]
    assert losses == ["binary_cross_entropy", "binary_cross_entropy", "focal", "focal"]
