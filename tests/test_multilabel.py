"""Any number of labels an image: losses, predictions and scores, by hand and against other libraries."""

import math
from dataclasses import fields
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image
from pydantic import TypeAdapter
from sklearn import metrics as sk
from torch import nn
from torch.nn import functional
from torchmetrics.classification import MultilabelAveragePrecision, MultilabelF1Score
from torchvision.ops import sigmoid_focal_loss

from assay.errors import AssayError
from assay.evaluate import measure
from assay.recipe import Loss, Recipe
from assay.tasks.multilabel import task
from assay.tasks.multilabel.losses import binary_cross_entropy, objective, positive_weights
from assay.tasks.multilabel.measure import by_label, mixed_up, quality
from assay.tasks.multilabel.predictions import Predictions
from assay.tasks.predicting import predictions_table, scores
from trained import CPU, tagged_data, trained

NAMES = ("disc", "ring", "macro")
TRUTH = [[1, 0, 0], [1, 1, 0], [0, 1, 0], [0, 0, 0]]
CHANCES = [[0.9, 0.2, 0.1], [0.4, 0.8, 0.1], [0.7, 0.5, 0.1], [0.1, 0.1, 0.6]]
"""Of the first label 0.9 and 0.4 are right and 0.7 between them is wrong; 0.5 is not said."""


def said(truth: Any = TRUTH, chances: Any = CHANCES, labels: tuple[str, ...] = NAMES) -> Predictions:
    n = len(truth)
    losses = np.linspace(0.1, 0.4, n, dtype=np.float32)
    return Predictions(
        np.arange(n, dtype=np.int64), labels, np.array(truth, bool), np.array(chances, np.float32), losses
    )


def recipe_loss(value: Any) -> Any:
    return TypeAdapter(Loss).validate_python(value)


# ------------------------------------------------------------------------------------------------------ losses


def test_the_loss_of_a_label_is_minus_the_log_of_the_probability_of_what_is_true() -> None:
    logits, tags = torch.tensor([[math.log(3), 0.0]]), torch.tensor([[1.0, 0.0]])
    assert binary_cross_entropy(logits, tags).tolist() == [pytest.approx([math.log(4 / 3), math.log(2)])]
    assert binary_cross_entropy(logits, 1 - tags).tolist() == [pytest.approx([math.log(4), math.log(2)])]


def test_inverse_weights_let_both_sides_of_a_label_weigh_the_same() -> None:
    loss = recipe_loss({"name": "binary_cross_entropy", "class_weights": "inverse"})
    assert positive_weights(loss, np.array([2, 5, 8]), 10).tolist() == [4, 1, 0.25]
    assert positive_weights(loss, np.array([0, 10]), 10).tolist() == pytest.approx([9, 1 / 9])
    assert positive_weights(recipe_loss("binary_cross_entropy"), np.array([2]), 10) is None


def minimised(loss: Any, logits: torch.Tensor, tags: torch.Tensor, counts: Any = (2, 5, 8)) -> torch.Tensor:
    return objective(recipe_loss(loss), np.array(counts), 10, CPU)(binary_cross_entropy(logits, tags), tags)


@pytest.mark.parametrize(("weights", "expected"), [("inverse", [4, 1, 0.25]), ([3, 1, 0.5], [3, 1, 0.5]), (None, None)])
def test_what_is_minimised_is_torchs(weights: Any, expected: list[float] | None) -> None:
    generator = torch.Generator().manual_seed(0)
    logits, tags = torch.randn(7, 3, generator=generator), torch.randint(0, 2, (7, 3), generator=generator).float()
    theirs = nn.BCEWithLogitsLoss(pos_weight=None if expected is None else torch.tensor(expected, dtype=torch.float32))
    found = minimised({"name": "binary_cross_entropy", "class_weights": weights}, logits, tags)
    torch.testing.assert_close(found, theirs(logits, tags))


def test_focal_is_torchvisions_and_its_weights_are_the_papers_alpha() -> None:
    generator = torch.Generator().manual_seed(1)
    logits, tags = torch.randn(7, 3, generator=generator), torch.randint(0, 2, (7, 3), generator=generator).float()
    plain = minimised({"name": "focal", "gamma": 1.5}, logits, tags)
    torch.testing.assert_close(plain, sigmoid_focal_loss(logits, tags, alpha=-1, gamma=1.5, reduction="mean"))
    weighted = minimised({"name": "focal", "gamma": 2, "class_weights": [3, 3, 3]}, logits, tags)
    theirs = sigmoid_focal_loss(logits, tags, alpha=0.75, gamma=2, reduction="mean")
    torch.testing.assert_close(weighted * 0.25, theirs)


def test_a_step_gives_the_weighted_loss_to_minimise_and_the_plain_one_to_tell() -> None:
    data = tagged_data(3)
    loss = recipe_loss({"name": "focal", "class_weights": [5, 1, 1]})
    torch.manual_seed(0)
    network = nn.Sequential(nn.Flatten(), nn.Linear(36, 3))
    images, tags = next(data.batches("train", 5, CPU))
    found, sums = task.learning(loss, data, CPU)(network, images, tags)
    plain = functional.binary_cross_entropy_with_logits(network(images), tags, reduction="none")
    assert sums["loss"].item() == pytest.approx(plain.mean(dim=1).sum().item(), rel=1e-6)
    assert task.epoch(sums, 5) == {"loss": pytest.approx(plain.mean().item(), rel=1e-6)}
    assert found.item() != pytest.approx(plain.mean().item(), rel=0.01)
    assert found.requires_grad
    assert not sums["loss"].requires_grad


def test_the_head_has_a_logit_for_each_label() -> None:
    assert task.outputs(recipe_loss("focal"), NAMES) == 3
    assert task.outputs(recipe_loss("binary_cross_entropy"), NAMES[:1]) == 1
    with pytest.raises(AssayError, match=r"class_weights has 2 numbers, expected 3, one for each label: disc, ring"):
        task.outputs(recipe_loss({"name": "focal", "class_weights": [1, 2]}), NAMES)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"train": {"loss": "cross_entropy"}}, r"'cross_entropy' is no loss of task multilabel; did you mean 'binary_"),
        ({"train": {"loss": "mse"}}, "'mse' is no loss of task multilabel; expected one of: binary_cross_entropy, fo"),
        ({"train": {"watch": "accuracy"}}, "'accuracy' is no value to watch of task multilabel"),
        ({"evaluate": ["classification"]}, "'classification' is no measure of task multilabel"),
        ({"evaluate": ["separation"]}, "'separation' is no measure of task multilabel"),
        ({"data": {"source": "shapes", "balance": "oversample"}}, "data.balance needs one label an image"),
    ],
)
def test_what_the_task_does_not_know_is_refused(changes: dict[str, Any], message: str) -> None:
    values = {"task": "multilabel", "data": {"source": "shapes"}, "model": {"name": "mlp"}}
    with pytest.raises(ValueError, match=message):
        Recipe.model_validate(values | changes)


def test_what_a_recipe_leaves_out_is_the_tasks_own() -> None:
    found = Recipe.model_validate({"task": "multilabel", "data": {"source": "shapes"}, "model": {"name": "mlp"}})
    assert found.train.loss.name == "binary_cross_entropy"
    assert found.train.watch == "average_precision_macro"
    assert [one.name for one in found.evaluate] == ["multilabel", "cost"]


# -------------------------------------------------------------------------------------------------- predictions


def test_predictions_are_those_of_the_network_image_by_image(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("assay.data.batches._PASS_PIXELS", 4 * 6 * 6)
    run = trained(tagged_data(3), task="multilabel")
    found, rows = run.predictions["test"], run.data.indices["test"]
    assert found.indices.tolist() == rows.tolist()
    assert found.truth.astype(int).tolist() == run.data.images.targets.values[rows].tolist()
    for i, (image, tags) in enumerate(run.data.batches("test", 1, CPU)):
        logits = run.model(image)
        assert found.probabilities[i] == pytest.approx(logits.sigmoid()[0].tolist(), rel=1e-5)
        assert found.losses[i] == pytest.approx(binary_cross_entropy(logits, tags).mean().item(), rel=1e-5)


def test_a_table_of_predictions_is_read_back_from_parquet() -> None:
    found, buffer = said(), BytesIO()
    table = found.table("test", ["a", "b", "c", "d"])
    assert table.columns == ["split", "image", "name", "tags", "predicted", "loss", "probabilities"]
    assert table["tags"].to_list() == [["disc"], ["disc", "ring"], ["ring"], []]
    assert table["predicted"].to_list() == [["disc"], ["ring"], ["disc"], ["macro"]]
    assert list(table["probabilities"][0]) == list(NAMES)
    table.write_parquet(buffer)
    back = Predictions.read(pl.read_parquet(buffer.getvalue()))
    for field in fields(Predictions):
        np.testing.assert_array_equal(getattr(back, field.name), getattr(found, field.name))
        assert type(getattr(back, field.name)) is type(getattr(found, field.name))
    none = Predictions.read(table.head(0))
    assert none.labels == NAMES
    assert none.truth.shape == none.probabilities.shape == (0, 3)


def test_both_splits_stand_in_one_table() -> None:
    assert predictions_table(trained(tagged_data(3), task="multilabel"))["split"].unique().len() == 2


def test_a_network_that_gives_no_numbers_is_told() -> None:
    assert said().is_finite
    assert not said(chances=np.full((4, 3), np.nan)).is_finite


# ------------------------------------------------------------------------------------------------------- scores


def test_scores_by_hand() -> None:
    found = quality(said())
    # disc: of the two with it one is first, the other third; ring: first and second; nobody has the third label
    assert found["average_precision_disc"] == pytest.approx((1 + 2 / 3) / 2)
    assert found["average_precision_ring"] == 1.0
    assert found["average_precision_macro"] == pytest.approx((5 / 6 + 1) / 2)
    # disc: one hit, one missed, one false alarm; ring: one hit, one missed; the third label, of no image: in no mean
    assert (found["f1_disc"], found["f1_ring"]) == (0.5, pytest.approx(2 / 3))
    assert found["f1_macro"] == pytest.approx((1 / 2 + 2 / 3) / 2)
    assert found["f1_micro"] == pytest.approx(2 * 2 / (2 * 2 + 2 + 2))
    assert found["precision_macro"] == pytest.approx((1 / 2 + 1) / 2)
    assert found["recall_macro"] == pytest.approx((1 / 2 + 1 / 2) / 2)
    assert (found["exact_match"], found["hamming_loss"]) == (0.25, pytest.approx(4 / 12))
    assert found["loss"] == pytest.approx(0.25)


def test_what_does_not_exist_is_left_out_and_null_in_the_table() -> None:
    found = quality(said(labels=("disc", "ring", "never")))
    assert not {"average_precision_never", "f1_never"} & found.keys()
    rows = by_label(said([[1, 0], [0, 0]], [[0.9, 0.1], [0.2, 0.3]], ("there", "nowhere"))).rows(named=True)
    assert rows[0] == {
        "label": "there", "images": 1, "hits": 1, "missed": 0, "false_alarms": 0,
        "average_precision": 1.0, "f1": 1.0, "precision": 1.0, "recall": 1.0,
    }  # fmt: skip
    assert rows[1] | {"label": "", "hits": 0} == dict.fromkeys(rows[1]) | {
        "label": "", "images": 0, "hits": 0, "missed": 0, "false_alarms": 0,
    }  # fmt: skip


def test_a_label_that_images_have_and_that_is_never_said_has_precision_0() -> None:
    own = said([[1, 1], [0, 1]], [[0.9, 0.1], [0.1, 0.2]], ("found", "missed"))
    assert by_label(own)["precision"].to_list() == [1.0, 0.0]
    assert (
        quality(own)["precision_macro"]
        == 0.5
        == sk.precision_score(own.truth, own.predicted, average="macro", zero_division=0)
    )


def test_without_any_label_there_is_no_average_precision_at_all() -> None:
    found = quality(said([[0, 0]], [[0.9, 0.1]], ("a", "b")))
    assert not [name for name in found if name.startswith("average_precision")]
    assert found["exact_match"] == 0


def test_labels_that_are_mixed_up_are_counted_in_pairs() -> None:
    truth = [[1, 0, 0], [1, 0, 0], [0, 1, 0], [1, 1, 0]]
    chances = [[0.1, 0.9, 0.1], [0.1, 0.9, 0.9], [0.1, 0.9, 0.1], [0.1, 0.9, 0.1]]
    assert mixed_up(said(truth, chances)).rows() == [("disc", "ring", 2), ("disc", "macro", 1)]
    assert mixed_up(said(TRUTH[:1], CHANCES[:1])).is_empty()


def test_a_mean_keeps_its_name_beside_a_label_that_is_called_like_it() -> None:
    assert quality(said())["f1_macro"] != by_label(said())["f1"][2]


Matrix = st.tuples(st.integers(3, 12), st.integers(2, 4)).flatmap(
    lambda shape: st.tuples(
        arrays(np.int64, shape, elements=st.integers(0, 1)),
        arrays(np.float32, shape, elements=st.sampled_from([0.0, 0.2, 0.4, 0.5, 0.6, 0.8, 1.0])),
    )
)


@settings(max_examples=40)
@given(Matrix)
def test_scores_are_scikit_learns_and_torchmetrics(drawn: tuple[Any, Any]) -> None:
    truth, chances = drawn
    k = truth.shape[1]
    own = said(truth, chances, tuple(f"label {i}" for i in range(k)))
    found, told = quality(own), own.predicted.astype(int)
    if (truth | told).any():
        assert found["f1_micro"] == pytest.approx(sk.f1_score(truth, told, average="micro"))
    assert found["exact_match"] == pytest.approx(sk.accuracy_score(truth, told))
    assert found["hamming_loss"] == pytest.approx(sk.hamming_loss(truth, told))
    there = truth.any(axis=0)
    means = {"f1_macro": sk.f1_score, "precision_macro": sk.precision_score, "recall_macro": sk.recall_score}
    for name, theirs in means.items():
        if there.any():
            expected = (
                theirs(truth[:, there], told[:, there], average="macro", zero_division=0)
                if there.sum() > 1
                else theirs(truth[:, there].ravel(), told[:, there].ravel(), zero_division=0)
            )
            assert found[name] == pytest.approx(expected)
    for i in np.flatnonzero(there):
        assert found[f"average_precision_label {i}"] == pytest.approx(
            sk.average_precision_score(truth[:, i], chances[:, i])
        )
        assert found[f"f1_label {i}"] == pytest.approx(sk.f1_score(truth[:, i], told[:, i]))
    if there.all():
        scored, target = torch.from_numpy(chances), torch.from_numpy(truth)
        theirs = MultilabelAveragePrecision(k, average="macro")(scored, target)
        assert found["average_precision_macro"] == pytest.approx(theirs.item(), abs=1e-5)
        assert found["f1_macro"] == pytest.approx(
            MultilabelF1Score(k, average="macro")(scored, target).item(), abs=1e-5
        )


def test_every_number_is_evidence_and_its_weights_repeat_rows() -> None:
    generator = np.random.default_rng(0)
    own = said(generator.random((20, 3)) < 0.4, generator.random((20, 3)), ("a", "b", "c"))
    names = [name for name, value in quality(own).items() if isinstance(value, float)]
    assert len(names) == 8 + 2 * 3
    weights = np.arange(20) % 3
    table = own.table("test", [str(i) for i in range(20)])
    repeated = Predictions.read(table[np.repeat(np.arange(20), weights).tolist()])
    expected = scores(repeated, names)
    for name in names:
        evidence = own.evidence(name)
        assert evidence is not None
        assert evidence(weights[None].astype(np.float64))[0] == pytest.approx(expected[name]), name
    assert own.evidence("accuracy") is own.evidence("f1_d") is own.evidence("training_seconds") is None


def test_curves_are_those_of_each_label_and_give_no_number_twice() -> None:
    run = trained(tagged_data(3, test=30), task="multilabel", evaluate=["multilabel", "curves"])
    found, test = measure(run), run.predictions["test"]
    assert found["roc_auc_macro"] == pytest.approx(sk.roc_auc_score(test.truth, test.probabilities, average="macro"))
    areas = found["curves"].filter(curve="precision_recall").group_by("class", maintain_order=True).first()
    for name, area in areas.filter(pl.col("class").is_not_null()).select("class", "area").iter_rows():
        assert area == pytest.approx(found[f"average_precision_{name}"])
    assert {"train_average_precision_macro", "validation_loss"} <= found.keys()


# ----------------------------------------------------------------------------------------- pictures and words


def test_pictures_are_of_the_surest_mistakes_about_a_label() -> None:
    run = trained(tagged_data(3), task="multilabel")
    found = said().gallery(run.data, seed=0)
    assert found.filter(kind="sample")["name"].to_list() == [f"image-{i}" for i in range(4)]
    shown = {kind: found.filter(kind=kind).select("name", "label").rows() for kind in ("false_alarm", "miss", "unsure")}
    assert shown["false_alarm"] == [("image-2", "disc"), ("image-3", "macro")]
    assert shown["miss"] == [("image-1", "disc"), ("image-2", "ring")]
    assert shown["unsure"][0] == ("image-2", "ring")
    assert found.filter(kind="false_alarm")["probability"].to_list() == pytest.approx([0.7, 0.6])
    for row in found.iter_rows(named=True):
        pixels = np.asarray(Image.open(BytesIO(row["png"])))
        np.testing.assert_array_equal(pixels, run.data.images.pixels[int(row["name"].split("-")[1]), 0])


def test_what_is_told_of_a_picture_are_the_labels_above_a_half_the_surest_first() -> None:
    answers = torch.tensor([[0.1, 2.0, -1.0], [0.0, -1.0, -2.0]])
    first, second = task.told(answers, [Path("a.png"), Path("b.png")], {"classes": list(NAMES)})
    assert first.labels == ("ring", "disc")
    assert first.cells == {"picture": "a.png", "labels": "ring 0.881, disc 0.525"}
    assert second.labels == ()
    assert second.cells["labels"] == "none"
    assert list(second.probabilities) == list(NAMES)
