"""What a task earns by its row in the catalogue: every task keeps the contract, whatever its images are told by."""

import io
import json
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import scipy.stats
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from torch import Tensor, nn

from assay import seeds
from assay.data import ImageData, ImageSet
from assay.data.boxes import Boxes
from assay.data.targets import VOID, Labels, Masks, Tags, Targets, Values
from assay.errors import AssayError
from assay.evaluate import MEASURES, Trained, measure
from assay.models import build
from assay.models.detector import Found
from assay.recipe import Recipe
from assay.recipe.tasks import TASKS
from assay.recipe.validation import mistakes
from assay.report.sections.catalogue import SECTIONS
from assay.results.metrics import bounds
from assay.runs.checks import check_network
from assay.runs.data import describe
from assay.tasks import catalogue
from assay.tasks.contract import Predictions, Task
from assay.tasks.pictures import COUNT
from assay.tasks.predicting import SPLITS, predict, scores
from assay.train.checkpoint import State, pack, unpack
from assay.train.loop import fit
from tiny_detector import known

CPU = torch.device("cpu")
SIZES = {"train": 24, "validation": 10, "test": 30}
NUMBER = sum(SIZES.values())
CLASSES = ["cat", "dog", "a <cow>"]

TARGETS: dict[str, Callable[[np.random.Generator], Targets]] = {
    "labels": lambda draw: Labels(np.arange(NUMBER, dtype=np.int64) % 3),
    "values": lambda draw: Values(draw.normal(50, 20, (NUMBER, 3)), tuple(CLASSES)),
    "tags": lambda draw: Tags((draw.random((NUMBER, 3)) < 0.4).astype(np.uint8)),
    "masks": lambda draw: Masks(draw.choice(np.array([0, 1, 2, VOID], np.uint8), (NUMBER, 6, 6))),
    "boxes": lambda draw: sample_boxes(draw),
}


def sample_boxes(draw: np.random.Generator) -> Boxes:
    """None to three an image, some of them flagged."""
    counts = np.arange(NUMBER) % 4
    corners = draw.integers(0, 4, (counts.sum(), 2))
    edges = np.hstack([corners, corners + draw.integers(1, 3, corners.shape)]).astype(np.float32)
    starts = np.concatenate([[0], counts.cumsum()]).astype(np.int64)
    return Boxes(edges, np.arange(len(edges)) % 3, draw.choice(np.array([0, 0, 0, 1], np.uint8), len(edges)), starts)


MLP = {"name": "mlp", "hidden": [8], "dropout": 0.2}
MODELS = {
    "segmentation": {"name": "deeplab", "width": 4, "aspp": "none", "decoder": False},
    "detection": {"name": "tiny_detector"},
}
"""Task → a network, where it is not a row of numbers that it needs of an image."""


@pytest.fixture(scope="module", autouse=True)
def detector() -> Iterator[None]:
    with known():
        yield


every_task = pytest.mark.parametrize("name", TASKS)


def sample_data(name: str) -> ImageData:
    """Noise with what the task must know of it."""
    draw = np.random.default_rng(0)
    images = ImageSet(
        pixels=draw.integers(0, 256, (NUMBER, 1, 6, 6), dtype=np.uint8),
        targets=TARGETS[TASKS[name].target](draw),
        names=[f"image-{i}.png" for i in range(NUMBER)],
        is_test=np.zeros(NUMBER, dtype=bool),
        classes=CLASSES,
        skipped=[],
    )
    order, ends = draw.permutation(NUMBER), np.cumsum([0, *SIZES.values()])
    indices = {split: np.sort(order[a:b]) for split, a, b in zip(SIZES, ends, ends[1:], strict=False)}
    return ImageData(images, indices, np.full(1, 0.5, np.float32), np.full(1, 0.25, np.float32))


def sample_recipe(name: str, **changes: Any) -> Recipe:
    base = {"task": name, "data": {"source": "noise"}, "model": MODELS.get(name, MLP)}
    return Recipe.model_validate(base | {"train": {"epochs": 3, "batch_size": 7}} | changes)


def network_for(task: Task, recipe: Recipe, data: ImageData) -> nn.Module:
    with seeds.scoped(0, "initialisation"):
        return build(recipe.model, data.shape, task.outputs(recipe.train.loss, data.classes))


@cache
def said_by(name: str, split: str = "test") -> Predictions:
    task, data, recipe = catalogue.task(name), sample_data(name), sample_recipe(name)
    return predict(task, network_for(task, recipe, data), data, split, recipe.train.loss, CPU, recipe.evaluate)


@every_task
def test_what_its_row_names_is_there(name: str) -> None:
    facts, task = TASKS[name], catalogue.task(name)
    assert isinstance(task, Task)
    assert set(facts.evaluate) <= set(facts.measures) <= set(MEASURES)
    assert set(facts.watched) <= {metric.name for metric in task.METRICS}
    assert SECTIONS[name][0].startswith("assay.report.sections.results")
    for loss in facts.losses:
        assert sample_recipe(name, train={"loss": loss}).train.loss.name == loss
    assert sample_recipe(name).train.loss.name == facts.losses[0]
    assert tuple(m.name for m in sample_recipe(name).evaluate) == facts.evaluate
    assert sample_recipe(name).train.watch == facts.metric


@every_task
def test_what_it_does_not_know_is_refused_by_name(name: str) -> None:
    facts = TASKS[name]
    others = {loss for other in TASKS.values() for loss in other.losses} - set(facts.losses)
    for loss in others:
        assert mistakes(Recipe, {"task": name, "data": {"source": "x"}, "model": "mlp", "train": {"loss": loss}})[
            0
        ].startswith(f"train.loss: '{loss}' is no loss of task {name}; ")
    others = {other for row in TASKS.values() for other in row.measures} - set(facts.measures)
    for other in others:
        found = mistakes(Recipe, {"task": name, "data": {"source": "x"}, "model": "mlp", "evaluate": [other]})
        assert found[0].startswith(f"evaluate: '{other}' is no measure of task {name}; ")
    found = mistakes(Recipe, {"task": name, "data": {"source": "x"}, "model": "mlp", "train": {"watch": "luck"}})
    assert found == [
        f"train.watch: 'luck' is no value to watch of task {name}; expected one of: " + ", ".join(sorted(facts.watched))
    ]


@every_task
def test_a_step_lowers_a_finite_loss_and_an_epoch_begins_with_it(name: str) -> None:
    task, data, recipe = catalogue.task(name), sample_data(name), sample_recipe(name)
    network = network_for(task, recipe, data).train()
    step = task.learning(recipe.train.loss, data, CPU)
    images, target = next(data.train_batches(24, 0, 1, CPU))
    optimizer = torch.optim.SGD(network.parameters(), 0.01)
    losses = []
    for _ in range(30):
        loss, sums = step(network, images, target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0]
    assert not any(value.requires_grad for value in sums.values())
    assert next(iter(task.epoch(sums, len(images)))) == "loss"


@every_task
def test_continued_from_a_packed_state_it_ends_bit_for_bit(name: str) -> None:
    task, data, recipe = catalogue.task(name), sample_data(name), sample_recipe(name)
    states: list[bytes] = []
    whole = network_for(task, recipe, data)
    fit(whole, data, recipe, CPU, State(), lambda state: states.append(pack(state)))
    again = network_for(task, recipe, data)
    ended = fit(again, data, recipe, CPU, unpack(states[0]), lambda state: None)
    assert len(states) == len(ended.history) == 3
    for key, value in whole.state_dict().items():
        assert torch.equal(value, again.state_dict()[key])
    assert {f"validation_{TASKS[name].metric}", "validation_loss", "train_loss"} <= ended.history[-1].keys()


@every_task
@pytest.mark.parametrize("split", SPLITS)
def test_its_table_is_read_back_and_says_what_is_true(name: str, split: str) -> None:
    task, found, names = catalogue.task(name), said_by(name, split), sample_data(name).images.names
    table = found.table(split, names)
    assert table.columns[:3] == ["split", "image", "name"]
    assert set(task.TRUTH) <= set(table.columns)
    assert ("loss" in table.columns) == TASKS[name].has_loss
    assert table["image"].to_list() == found.indices.tolist()
    assert table["name"].to_list() == [names[i] for i in found.indices]
    buffer = io.BytesIO()
    table.write_parquet(buffer)
    stored = pl.read_parquet(buffer.getvalue())
    assert stored.equals(table)
    assert task.read(stored).table(split, names).equals(table)


@every_task
def test_evidence_is_the_metric_and_none_where_answers_do_not_tell(name: str) -> None:
    found, facts = said_by(name), TASKS[name]
    told = scores(found, (facts.metric, "loss", "training_seconds"))
    assert set(told) == set(facts.watched)
    assert all(np.isfinite(value) for value in told.values())
    if facts.has_loss:
        assert told["loss"] == pytest.approx(float(found.table("test", sample_data(name).images.names)["loss"].mean()))


@every_task
@given(weights=st.lists(st.integers(0, 3), min_size=SIZES["test"], max_size=SIZES["test"]))
def test_whole_weights_are_rows_repeated_and_dropped(name: str, weights: list[int]) -> None:
    task, found, names = catalogue.task(name), said_by(name), sample_data(name).images.names
    table = found.table("test", names)
    rows = [i for i, weight in enumerate(weights) for _ in range(weight)]
    if not rows:
        return
    repeated = task.read(table[rows])
    for metric in TASKS[name].watched:
        score = found.evidence(metric)
        assert score is not None
        by_weight = score(np.array([weights], dtype=np.float64))[0]
        by_rows = scores(repeated, [metric])[metric]
        assert by_weight == pytest.approx(by_rows, rel=1e-9, abs=1e-12, nan_ok=True)


@every_task
def test_its_measures_agree_with_its_evidence(name: str) -> None:
    task, data, recipe = catalogue.task(name), sample_data(name), sample_recipe(name)
    network = network_for(task, recipe, data)
    said = {
        split: predict(task, network, data, split, recipe.train.loss, CPU, recipe.evaluate) for split in data.indices
    }
    history = pl.DataFrame({"epoch": [1], "seconds": [1.0]})
    values = measure(Trained(network, data, recipe, CPU, said, history, network, data))
    for split in data.indices:
        found = scores(said[split], TASKS[name].watched)
        prefix = "" if split == "test" else f"{split}_"
        assert {key: values[f"{prefix}{key}"] for key in found} == pytest.approx(found)


@every_task
def test_it_says_what_ignoring_the_images_reaches_in_its_metric(name: str) -> None:
    task, metric, loss = catalogue.task(name), TASKS[name].metric, sample_recipe(name).train.loss
    table = said_by(name).table("test", sample_data(name).images.names)
    level, (low, high) = task.chance(table, metric, loss), bounds(metric)
    assert level is not None
    assert low <= round(level.value, 9) < high
    assert level.guess
    assert task.chance(table, "training_seconds", loss) is None


@every_task
def test_its_pictures_decode(name: str) -> None:
    gallery = said_by(name).gallery(sample_data(name), 0)
    assert {"kind", "name", "png"} <= set(gallery.columns)
    assert gallery["kind"].value_counts()["count"].max() <= COUNT
    assert {"sample"} < set(gallery["kind"])
    for png in gallery["png"]:
        assert Image.open(io.BytesIO(png)).size == (6, 6)


@every_task
def test_it_tells_every_picture_in_a_row(name: str) -> None:
    task, data, recipe = catalogue.task(name), sample_data(name), sample_recipe(name)
    pictures = [Path("one.png"), Path("two.png")]
    with torch.inference_mode():
        answers = task.said(network_for(task, recipe, data).eval(), torch.zeros(2, *data.shape))
    told = task.told(answers, pictures, describe(data))
    assert [one.picture for one in told] == pictures
    assert [list(one.cells) for one in told] == [list(told[0].cells)] * 2
    assert [one.cells["picture"] for one in told] == ["one.png", "two.png"]
    assert [json.loads(json.dumps(one.record)) for one in told] == [one.record for one in told]
    assert [one.record["picture"] for one in told] == ["one.png", "two.png"]


MEMBERS: dict[str, tuple[list[Any], dict[str, Any]]] = {
    "classification": (
        [[0.5, 0.4, 0.1], [0.2, 0.5, 0.3]],
        {
            "class": "dog",
            "probability": pytest.approx(0.45),
            "probabilities": pytest.approx({"cat": 0.35, "dog": 0.45, "a <cow>": 0.2}),
        },
    ),
    "regression": (
        [[1, -2, 0], [3, 2, 0]],
        {
            "values": {"cat": 2, "dog": 0, "a <cow>": 0},
            "spread": {
                "cat": {"low": 1, "high": 3},
                "dog": {"low": -2, "high": 2},
                "a <cow>": {"low": 0, "high": 0},
            },
        },
    ),
    "multilabel": (
        [[0.9, 0.2, 0.8], [0.3, 0.6, 0.7]],
        {
            "labels": ["a <cow>", "cat"],
            "probabilities": pytest.approx({"cat": 0.6, "dog": 0.4, "a <cow>": 0.75}),
        },
    ),
    "segmentation": (
        [[[[0.5, 0.1]], [[0.4, 0.8]], [[0.1, 0.1]]], [[[0.2, 0.3]], [[0.5, 0.3]], [[0.3, 0.4]]]],
        {
            "areas": {"cat": 0, "dog": 1, "a <cow>": 0},
            "entropy": pytest.approx(scipy.stats.entropy([[0.35, 0.2], [0.45, 0.55], [0.2, 0.25]]).mean()),
        },
    ),
    "detection": (
        [[[1, 0.9, 0, 0, 4, 4]], [[1, 0.6, 0, 0, 4, 3], [2, 0.8, 4, 4, 6, 6]]],
        {
            "height": 6,
            "width": 6,
            "boxes": [{"class": "dog", "score": pytest.approx(0.75), "bbox": pytest.approx([0, 0, 4, 3.6])}],
        },
    ),
}
"""Task → what two networks give of a picture (probabilities, values, or boxes with label and score), and what they say
together."""
GIVEN: dict[str, Callable[[Tensor], Any]] = {
    "classification": lambda p: p[None].log(),
    "regression": lambda values: values[None].float(),
    "multilabel": lambda p: p[None].logit(),
    "segmentation": lambda p: p[None].log(),
    "detection": lambda rows: [Found(rows[:, 2:], rows[:, 0].long(), rows[:, 1])],
}


@every_task
def test_several_networks_answer_by_their_mean(name: str) -> None:
    task, (rows, together) = catalogue.task(name), MEMBERS[name]
    about = {"classes": CLASSES, "shape": [1, 6, 6], "target_mean": [0.0] * 3, "target_deviation": [1.0] * 3}
    answers = [GIVEN[name](torch.tensor(row)) for row in rows]
    one, other = (task.told(own, [Path("one.png")], about)[0] for own in answers)
    assert task.together([one, other]).record == {"picture": "one.png"} | together
    assert list(task.together([one, other]).cells)[:2] == list(one.cells)[:2]
    assert task.together([one]).record == {"picture": "one.png"} | task.together([one, one]).record


@every_task
def test_a_network_of_the_wrong_width_is_refused_before_training(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    data, recipe = sample_data(name), sample_recipe(name)
    check_network(recipe, data.shape, data.classes)
    monkeypatch.setattr("assay.models.catalogue.build", lambda *_: nn.Sequential(nn.Flatten(), nn.Linear(36, 7)))
    with pytest.raises(AssayError, match="gives"):
        check_network(recipe, data.shape, data.classes)
