"""The frozen encoder of a detector runs once: the rest learns on its kept maps, with boxes where their views are."""

import copy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from assay import seeds
from assay.data.batches import ImageData
from assay.data.boxes import NO_BOX, BoxBatch, Boxes
from assay.data.features import FeatureData
from assay.data.images import ImageSet
from assay.models import build
from assay.models.detector import Selecting
from assay.models.freezing import training
from assay.models.head import encoder_and_rest
from assay.models.modes import evaluating
from assay.recipe import Augmentation, Recipe
from assay.train.checkpoint import State
from assay.train.frozen import drawn_as, identity_of, made_as, trained_part
from assay.train.loop import fit
from trained import CPU

SMALL = "timm/mobilenetv3_small_050"
SHAPE = (3, 64, 80)
NETWORKS: list[dict[str, Any]] = [
    {"name": "detector", "backbone": SMALL, "width": 16},
    {"name": "detector", "backbone": SMALL, "width": 16, "head": "faster_rcnn"},
    {"name": "torchvision/ssdlite320_mobilenet_v3_large"},
    {"name": "yolo"},
]


def recipe(model: dict[str, Any], **data: Any) -> Recipe:
    train = {"epochs": 2, "batch_size": 4, "optimizer": {"name": "adam", "lr": 0.001}, "keep": "last"}
    values = {"task": "detection", "data": {"source": "noise"} | data, "model": {"freeze": "backbone"} | model}
    return Recipe.model_validate(values | {"train": train})


def pictures(augment: tuple[Augmentation, ...] = ()) -> ImageData:
    """Noise with a bright rectangle and its box each; the third picture has none."""
    draw = np.random.default_rng(0)
    pixels = draw.integers(0, 120, (10, *SHAPE), np.uint8)
    edges = []
    for i in range(10):
        x, y = draw.integers(0, 40, 2)
        if i != 2:
            pixels[i, :, y : y + 20, x : x + 28] += 100
            edges.append([x, y, x + 28, y + 20])
    starts = np.concatenate([[0], np.cumsum(np.arange(10) != 2)]).astype(np.int64)
    n = len(edges)
    boxes = Boxes(np.array(edges, np.float32), np.arange(n, dtype=np.int64) % 2, np.zeros(n, np.uint8), starts)
    images = ImageSet(pixels, boxes, [str(i) for i in range(10)], np.zeros(10, bool), ["a", "b"], [])
    rows = np.arange(10, dtype=np.int64)
    splits = {"train": rows[:8], "validation": rows[:0], "test": rows[8:]}
    half = np.full(3, 0.5, np.float32)
    return ImageData(images, splits, half, half, augment)


def network_of(chosen: Recipe) -> Any:
    with seeds.scoped(0, "initialisation"):
        return build(chosen.model, SHAPE, 2)


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASSAY_CACHE", str(tmp_path / "cache"))


@pytest.mark.parametrize("model", NETWORKS, ids=lambda model: "-".join(map(str, model.values())))
def test_packed_maps_and_the_rest_make_the_network(model: dict[str, Any]) -> None:
    network, images = network_of(recipe(model)), torch.randn(3, *SHAPE)
    truth = pictures().images.targets.take(torch.arange(3))
    network.selecting = Selecting(score=0.0, most=20)
    part = encoder_and_rest(network, SHAPE)
    own = {id(p) for p in part.head.parameters()}
    assert own == {id(p) for name, p in network.named_parameters() if not network.is_encoders(name)}
    with torch.no_grad():
        network.eval(), part.head.eval()
        rows = part.features(images)
        for found, same in zip(part.head(rows), network(images), strict=True):
            assert len(found.scores)
            assert all(torch.allclose(one, other, atol=1e-4) for one, other in zip(found, same, strict=True))
        training(network), training(part.head)
        torch.manual_seed(0)
        losses = part.head.losses(rows, truth)
        torch.manual_seed(0)
        expected = network.losses(images, truth)
    assert {k: v.item() for k, v in losses.items()} == pytest.approx(
        {k: v.item() for k, v in expected.items()}, rel=1e-3
    )


@pytest.mark.parametrize("model", NETWORKS[:2], ids=["anchor_free", "faster_rcnn"])
def test_both_ways_give_the_same_training(model: dict[str, Any]) -> None:
    chosen, data, said = recipe(model), pictures(), []
    slow, fast = network_of(chosen), network_of(chosen)
    before = copy.deepcopy(fast.state_dict())
    part, seen = trained_part(fast, data, chosen, CPU, said.append)
    assert isinstance(seen, FeatureData), said
    one = fit(slow, data, chosen, CPU, State(), lambda _: None)
    other = fit(part, seen, chosen, CPU, State(), lambda _: None)
    for row, same in zip(one.history, other.history, strict=True):
        assert same["train_loss"] == pytest.approx(row["train_loss"], rel=1e-3)
    after = fast.state_dict()
    for name, tensor in slow.state_dict().items():
        assert torch.allclose(tensor.float(), after[name].float(), atol=2e-3), name
    assert all(torch.equal(before[name], after[name]) for name in after if fast.is_encoders(name))


def test_both_heads_share_the_maps_of_a_backbone() -> None:
    one, other = (recipe(model) for model in NETWORKS[:2])
    networks = network_of(one), network_of(other)
    networks[1].get_submodule("backbone.body").load_state_dict(networks[0].encoder.state_dict())
    assert made_as(networks[0], one.model, SHAPE) == made_as(networks[1], other.model, SHAPE)
    identities = [identity_of(n, pictures(), r, CPU) for n, r in zip(networks, (one, other), strict=True)]
    assert identities[0] == identities[1]


def test_a_view_that_is_a_mirror_image_has_mirrored_boxes() -> None:
    flip = {"augment": [{"horizontal_flip": 1.0}], "augment_views": 2}
    chosen, said = recipe(NETWORKS[0], **flip), []
    data = pictures(chosen.data.augment)
    network = network_of(chosen)
    part, seen = trained_part(network, data, chosen, CPU, said.append)
    assert isinstance(seen, FeatureData), said
    plain = pictures()
    found = BoxBatch(*map(torch.cat, zip(*[(y.edges, y.labels) for _, y in one_batch(seen)], strict=True)))
    order = seen.order(0, 1)
    truth = plain.images.targets.take(order)
    there = truth.labels != NO_BOX
    assert torch.equal(found.labels, truth.labels)
    assert torch.equal(found.edges[there], mirrored(truth.edges[there]))
    rows = next(iter(seen.train_batches(8, 0, 1, "cpu")))[0]
    pixels = torch.from_numpy(plain.images.pixels).float()[order].flip(-1) / 255
    with evaluating(network):
        assert torch.allclose(rows, part.pack(2 * pixels - 1), atol=1e-4)


def test_boxes_of_views_are_those_of_the_augmented_batches() -> None:
    moves = {"augment": [{"horizontal_flip": 0.5}, {"vertical_flip": 0.5}, {"zoom": 0.3}], "augment_views": 3}
    chosen = recipe(NETWORKS[0], **moves)
    data = pictures(chosen.data.augment)
    _, seen = trained_part(network_of(chosen), data, chosen, CPU, lambda _: None)
    for epoch in range(1, 4):
        ((_, expected),) = data.augmented("train", 8, 0, epoch % 3, "cpu")
        ((_, found),) = seen.train_batches(8, chosen.seed, epoch, "cpu")
        order = torch.from_numpy(np.searchsorted(data.indices["train"], seen.order(chosen.seed, epoch).numpy()))
        same = expected.of(order)
        assert torch.equal(found.labels, same.labels)
        assert torch.equal(found.edges, same.edges)


def test_all_seeds_have_the_same_views() -> None:
    flip = {"augment": [{"horizontal_flip": 0.5}], "augment_views": 2}
    one, other = (recipe(NETWORKS[0], **flip).model_copy(update={"seed": seed}) for seed in (0, 1))
    assert drawn_as(one, 1) == drawn_as(other, 1) != drawn_as(one, 0)


def one_batch(seen: FeatureData) -> Any:
    return seen.train_batches(8, 0, 1, "cpu")


def mirrored(edges: torch.Tensor) -> torch.Tensor:
    width = SHAPE[2]
    return torch.stack([width - edges[:, 2], edges[:, 1], width - edges[:, 0], edges[:, 3]], dim=1)


def test_a_backbone_in_training_keeps_its_statistics() -> None:
    network = network_of(recipe(NETWORKS[1]))
    training(network)
    norms = [m for m in network.get_submodule(network.encoder_name).modules() if isinstance(m, nn.BatchNorm2d)]
    assert norms
    assert not any(m.training for m in norms)
