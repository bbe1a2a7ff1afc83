"""The frozen encoder of a network for segmentation runs once: the rest learns on its kept maps what it would have."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from assay import seeds
from assay.data.batches import ImageData
from assay.data.features import FeatureData
from assay.data.images import ImageSet
from assay.data.targets import Masks
from assay.models import build
from assay.models.freezing import training
from assay.models.head import encoder_and_rest, head_names
from assay.models.packed import layout
from assay.recipe import Crop, Model, Mosaic, Recipe
from assay.train.checkpoint import State
from assay.train.frozen import made_as, trained_part
from assay.train.loop import fit
from assay.train.optimizers import blocks, groups
from trained import CPU

SMALL = "timm/mobilenetv3_small_050"
SHAPE = (3, 40, 52)
NETWORKS: list[dict[str, Any]] = [
    {"name": "deeplab", "width": 4},
    {"name": "deeplab", "width": 4, "decoder": False},
    {"name": "smp/unet", "encoder": SMALL},
    {"name": "smp/deeplabv3plus", "encoder": SMALL},
    {"name": "smp/segformer", "encoder": "timm/convnext_atto"},
    {"name": "smp/dpt"},
    {"name": "torchvision/lraspp_mobilenet_v3_large"},
]


def recipe(model: dict[str, Any], **train: Any) -> Recipe:
    values = {"epochs": 2, "batch_size": 4, "optimizer": {"name": "adam", "lr": 0.01}, "keep": "last"} | train
    return Recipe.model_validate(
        {
            "task": "segmentation",
            "data": {"source": "noise"},
            "model": {"freeze": "backbone"} | model,
            "train": {"watch": "miou"} | values,
        }
    )


def pictures() -> ImageData:
    """Noise with a bright box, whose pixels are of the second class."""
    draw = np.random.default_rng(0)
    pixels, masks = draw.integers(0, 120, (12, *SHAPE), np.uint8), np.zeros((12, *SHAPE[1:]), np.uint8)
    for i, (y, x) in enumerate(draw.integers(0, 20, (12, 2))):
        pixels[i, :, y : y + 20, x : x + 24] += 100
        masks[i, y : y + 20, x : x + 24] = 1
    names = [str(i) for i in range(12)]
    found = ImageSet(pixels, Masks(masks), names, np.zeros(12, bool), ["ground", "box"], [])
    rows = np.arange(12, dtype=np.int64)
    splits = {"train": rows[:8], "validation": rows[8:], "test": rows[:0]}
    half = np.full(3, 0.5, np.float32)
    return ImageData(found, splits, half, half)


def network_of(chosen: Recipe) -> Any:
    with seeds.scoped(0, "initialisation"):
        return build(chosen.model, SHAPE, 2)


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASSAY_CACHE", str(tmp_path / "cache"))


@pytest.mark.parametrize("model", NETWORKS, ids=lambda model: "-".join(map(str, model.values())))
def test_packed_maps_and_the_rest_make_the_network(model: dict[str, Any]) -> None:
    network, images = network_of(recipe(model)).eval(), torch.randn(3, *SHAPE)
    divided = encoder_and_rest(network, SHAPE)
    with torch.no_grad():
        rows = divided.features(images)
        assert rows.ndim == 2
        assert torch.allclose(divided.head(rows), network(images), atol=1e-5)
    own = {id(p) for p in divided.head.parameters()}
    assert own == {id(p) for name, p in network.named_parameters() if not network.is_encoders(name)}


def test_maps_that_no_logit_depends_on_are_not_kept() -> None:
    assert [used for _, used in layout(network_of(recipe(NETWORKS[0])), SHAPE)] == [True, True]
    assert [used for _, used in layout(network_of(recipe(NETWORKS[1])), SHAPE)] == [False, True]
    plus = layout(network_of(recipe(NETWORKS[3])), SHAPE)
    assert [used for _, used in plus] == [False, False, True, False, False, True]
    assert [tuple(shape[1:]) for shape, used in plus if used] == [(12, 16), (3, 4)]


@pytest.mark.parametrize("model", [NETWORKS[0], NETWORKS[2]], ids=["deeplab", "unet"])
def test_both_ways_give_the_same_training(model: dict[str, Any]) -> None:
    chosen, data, said = recipe(model), pictures(), []
    slow, fast = network_of(chosen), network_of(chosen)
    part, seen = trained_part(fast, data, chosen, CPU, said.append)
    assert isinstance(seen, FeatureData), said
    assert seen.pass_size(CPU) == data.pass_size(CPU)
    one = fit(slow, data, chosen, CPU, State(), lambda _: None)
    other = fit(part, seen, chosen, CPU, State(), lambda _: None)
    for row, same in zip(one.history, other.history, strict=True):
        for name in ("train_loss", "validation_loss", "validation_miou"):
            assert same[name] == pytest.approx(row[name], rel=1e-3, abs=1e-4)
    for (name, tensor), same in zip(slow.state_dict().items(), fast.state_dict().values(), strict=True):
        assert torch.allclose(tensor.float(), same.float(), atol=2e-3), name


@pytest.mark.parametrize(
    ("shown", "why"), [({"crop": Crop(size=(20, 20))}, "data.crop"), ({"mosaic": Mosaic()}, "data.mosaic")]
)
def test_what_is_seen_anew_in_each_epoch_is_not_kept(shown: dict[str, Any], why: str) -> None:
    chosen, data, said = recipe(NETWORKS[0]), replace(pictures(), **shown), []
    network = network_of(chosen)
    assert trained_part(network, data, chosen, CPU, said.append) == (network, data)
    assert [why in line for line in said] == [True]


def test_networks_that_differ_behind_the_encoder_share_its_features() -> None:
    with_rates, others = (Model(name="deeplab", width=4, aspp=rates) for rates in ([2], [3, 4]))
    one, other = (made_as(build(model, SHAPE, 2), model, SHAPE) for model in (with_rates, others))
    assert one == other
    coarse = Model(name="deeplab", width=4, output_stride=32)
    assert made_as(build(coarse, SHAPE, 2), coarse, SHAPE) != one


def test_a_frozen_backbone_is_the_encoder() -> None:
    for model in NETWORKS[:4]:
        network = network_of(recipe(model))
        assert all(p.requires_grad != network.is_encoders(name) for name, p in network.named_parameters())
        training(network)
        norms = [m for m in network.get_submodule(network.encoder_name).modules() if isinstance(m, nn.BatchNorm2d)]
        assert norms
        assert not any(norm.training for norm in norms)


def test_layers_of_an_encoder_learn_at_rates_of_their_own() -> None:
    network = build(Model(name="smp/unet", encoder="timm/resnet18"), SHAPE, 2)
    body, heads = blocks(network)
    assert body[:2] == ["encoder.model.conv1", "encoder.model.bn1"]
    assert body[2:4] == ["encoder.model.layer1.0", "encoder.model.layer1.1"]
    assert heads == head_names(network) == ["decoder", "segmentation_head"]
    shares = [group["share"] for group in groups(network, 0.5)]
    assert shares == [0.5**n for n in range(len(body), -1, -1)]
    part = encoder_and_rest(network, SHAPE).head
    assert [group["share"] for group in groups(part, 0.5)] == [1.0]
