"""What is frozen stays as it is; a head of one's own; the network in two parts."""

import re
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from assay import seeds
from assay.data.batches import ImageData
from assay.errors import AssayError
from assay.models import build
from assay.models.freezing import training
from assay.models.head import head_names, parts
from assay.recipe import Model, Recipe
from assay.recipe.study import Study
from assay.recipe.validation import mistakes
from assay.runs.engine import run as run_study
from assay.tools.predict import load_run
from assay.train.checkpoint import State
from assay.train.loop import fit
from trained import CPU, image_data

SHAPE = (3, 32, 32)
LONG_HEAD = ["average_pool", {"dense": 16}, "batch_norm", {"dropout": 0.5}, {"dense": 8}, {"dropout": 0.5}]


def make(shape: tuple[int, int, int] = SHAPE, outputs: int = 3, **model: Any) -> nn.Module:
    with seeds.scoped(0, "initialisation"):
        return build(Model.model_validate(model), shape, outputs)


def trainable(network: nn.Module) -> set[str]:
    return {name for name, parameter in network.named_parameters() if parameter.requires_grad}


@pytest.fixture(scope="module")
def data() -> ImageData:
    return image_data(shape=SHAPE)


def changed(model: dict[str, Any], data: ImageData, **train: Any) -> set[str]:
    """The tensors that an epoch of training changes."""
    optimizer = {"name": "sgd", "lr": 0.1, "weight_decay": 0.1}
    values = {"epochs": 1, "batch_size": 4, "keep": "last", "optimizer": optimizer, "l1": 0.01} | train
    recipe = Recipe.model_validate({"data": {"source": "noise"}, "model": model, "train": values})
    network = make(data.shape, 3, **model)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    fit(network, data, recipe, CPU, State(), lambda _: None)
    return {name for name, value in network.state_dict().items() if not torch.equal(value, before[name])}


# ------------------------------------------------------------------------------------------------ freezing


@pytest.mark.parametrize(
    ("name", "head"),
    [
        ("timm/resnet18", {"fc.weight", "fc.bias"}),
        ("torchvision/mobilenet_v2", {"classifier.1.weight", "classifier.1.bias"}),
        (
            "timm/deit_tiny_distilled_patch16_224",
            {"head.weight", "head.bias", "head_dist.weight", "head_dist.bias"},
        ),
    ],
)
def test_a_frozen_backbone_leaves_the_head(name: str, head: set[str]) -> None:
    assert trainable(make(name=name, freeze="backbone")) == head


def test_training_changes_the_head_alone_and_no_statistics(data: ImageData) -> None:
    assert changed({"name": "timm/resnet18", "freeze": "backbone"}, data) == {"fc.weight", "fc.bias"}


def test_a_pattern_names_modules_or_parameters(data: ImageData) -> None:
    names = set(make(name="timm/resnet18").state_dict())
    frozen = {n for n in names if n.startswith(("conv1", "bn1", "layer1", "layer2"))}
    assert changed({"name": "timm/resnet18", "freeze": ["conv1", "bn1", "layer[12]"]}, data) == names - frozen
    biases = trainable(make(name="timm/resnet18", freeze="*.bias"))
    assert biases
    assert not any(name.endswith("bias") for name in biases)


def test_our_own_networks_freeze_by_pattern(data: ImageData) -> None:
    model = {"name": "cnn", "norm": "batch", "freeze": ["conv*", "norm*"]}
    assert {name.split(".")[0] for name in changed(model, data)} == {"dense1", "output"}


@pytest.mark.parametrize("keyword", ["none", "backbone"])
def test_a_keyword_may_stand_alone_in_a_list(keyword: str) -> None:
    values = {"data": {"source": "x"}, "model": {"name": "timm/resnet18", "freeze": [keyword]}}
    assert Recipe.model_validate(values).model.freeze == keyword


@pytest.mark.parametrize("section", ["model", "train"])
def test_an_empty_list_is_no_pattern(section: str) -> None:
    values = {"data": {"source": "x"}, "model": {"name": "cnn"}}
    values |= (
        {"model": {"name": "cnn", "freeze": []}} if section == "model" else {"train": {"phases": [{"freeze": []}]}}
    )
    key = {"model": "model.freeze", "train": "train.phases.0.freeze"}[section]
    assert mistakes(Recipe, values) == [
        f"{key}: found [], expected none, backbone, a pattern on names of modules, or a list of patterns"
    ]


@pytest.mark.parametrize("rule", ["layer1", "bn1"])
def test_what_is_frozen_whole_is_alone_in_evaluation_mode(rule: str) -> None:
    network = make(name="timm/resnet18", freeze=rule)
    training(network)
    still = {name for name, module in network.named_modules() if not module.training}
    assert still == {name for name, _ in network.named_modules() if name == rule or name.startswith(f"{rule}.")}


def test_features_of_a_frozen_backbone_do_not_change_from_pass_to_pass() -> None:
    network = make(name="torchvision/efficientnet_b0", freeze="backbone")  # with stochastic depth, in training
    images, features = torch.randn(4, *SHAPE), parts(network).features
    network.train()
    assert not torch.equal(features(images), features(images))
    training(network)
    assert torch.equal(features(images), features(images))


def test_a_half_frozen_batch_norm_still_counts() -> None:
    network = make(name="timm/resnet18", freeze="bn1.weight")
    training(network)
    assert all(module.training for module in network.modules())


@pytest.mark.parametrize(
    ("model", "said"),
    [
        (
            {"name": "timm/resnet18", "freeze": "layr1"},
            "no module or parameter is called 'layr1'; did you mean 'layer1'",
        ),
        ({"name": "timm/resnet18", "freeze": "bakbone"}, "called 'bakbone'; did you mean 'backbone'"),
        (
            {"name": "timm/resnet18", "freeze": ["bn1", "backbone"]},
            "model.freeze: backbone stands alone, without a list",
        ),
        ({"name": "cnn", "freeze": "bakbone"}, "called 'bakbone'; expected one of: conv1"),
        ({"name": "timm/resnet18", "freeze": "*"}, "model.freeze: '*' freezes every parameter"),
        (
            {"name": "cnn", "freeze": "backbone"},
            "backbone needs a network off the shelf (timm/…, torchvision/…), deeplab, detector",
        ),
        ({"name": "cnn", "head": [{"dense": 4}]}, "model.head needs a network off the shelf"),
        (
            {"name": "timm/deit_tiny_distilled_patch16_224", "head": [{"dense": 4}]},
            "VisionTransformerDistilled has 2 heads; expected a network with one",
        ),
    ],
)
def test_what_cannot_be_frozen_or_headed_is_said(model: dict[str, Any], said: str) -> None:
    with pytest.raises(AssayError, match=re.escape(said)):
        make(**model)


# ---------------------------------------------------------------------------------------------------- heads


def test_every_network_that_has_a_backbone_is_named_where_one_has_none() -> None:
    with pytest.raises(AssayError, match=r"Flatten has no backbone .*, or deeplab, detector, yolo or rcnn"):
        head_names(nn.Flatten())
    assert head_names(make(name="yolo"))


def test_a_head_of_ones_own() -> None:
    network = make(name="timm/resnet18", head=LONG_HEAD)
    names = ["dense1", "activation1", "norm1", "dropout1", "dense2", "activation2", "dropout2", "output"]
    assert [name for name, _ in network.get_submodule("fc").named_children()] == names
    widths = [(m.in_features, m.out_features) for m in network.modules() if isinstance(m, nn.Linear)]
    assert widths == [(512, 16), (16, 8), (8, 3)]
    assert network(torch.randn(2, *SHAPE)).shape == (2, 3)


@pytest.mark.parametrize(("head", "width"), [(["average_pool"], 512), ([], 512 * 2 * 2)])
def test_maps_are_averaged_or_flattened(head: list[Any], width: int) -> None:
    network = make((3, 64, 64), name="torchvision/squeezenet1_0", head=head)
    side = parts(network).features(torch.randn(1, 3, 64, 64)).shape[-1]
    assert network.get_submodule("classifier.output").in_features == (width if head else 512 * side * side)


def test_the_head_is_frozen_around() -> None:
    network = make(name="timm/resnet18", head=[{"dense": 4}], freeze="backbone")
    assert {name.split(".")[0] for name in trainable(network)} == {"fc"}


@pytest.mark.parametrize(
    ("head", "said"),
    [
        (["dens"], "unknown layer of a head 'dens'; did you mean 'dense'?"),
        (["dense"], "dense: found None, expected a whole number of neurons"),
        ([{"dense": 0.5}], "dense: found 0.5, expected a whole number of neurons"),
        ([{"dropout": 1}], "dropout: found 1, expected at least 0 and less than 1"),
        ([{"batch_norm": 3}], "batch_norm takes no amount, found 3"),
        ([{"dense": 8}, "average_pool"], "average_pool can only come first"),
        ([{"dense": 8, "dropout": 0.5}], "expected a name such as batch_norm, or a pair such as {dense: 256}"),
    ],
)
def test_a_head_that_cannot_be(head: list[Any], said: str) -> None:
    found = mistakes(Recipe, {"data": {"source": "x"}, "model": {"name": "timm/resnet18", "head": head}})
    assert any(said in line for line in found), found


@pytest.mark.parametrize(
    "name",
    [
        "timm/resnet18",
        "timm/vit_tiny_patch16_224",
        "timm/mobilenetv2_100",
        "torchvision/squeezenet1_0",
        "torchvision/mobilenet_v2",
        "torchvision/shufflenet_v2_x0_5",
    ],
)
@pytest.mark.parametrize("head", [None, LONG_HEAD])
def test_features_and_head_make_the_network(name: str, head: list[Any] | None) -> None:
    network = make(name=name, head=head).eval()
    images = torch.randn(3, *SHAPE)
    divided = parts(network)
    assert head_names(network) == [divided.name]
    with torch.no_grad():
        assert torch.equal(divided.head(divided.features(images)), network(images))


# ----------------------------------------------------------------------------------------------- recipes


def test_keys_that_are_not_used_are_not_written() -> None:
    values = {"data": {"source": "x"}, "model": {"name": "cnn"}}
    plain = Recipe.model_validate(values)
    assert plain.dump()["model"] == {"name": "cnn"}
    explicit = {"name": "cnn", "pretrained": False, "strict": True, "freeze": "none", "head": None}
    assert Recipe.model_validate(values | {"model": explicit}).hash == plain.hash


def test_a_run_with_head_and_frozen_backbone_comes_back(tmp_path: Path) -> None:
    model = {"name": "timm/resnet18", "head": LONG_HEAD, "freeze": "backbone"}
    study = Study(
        title="?",
        name="headed",
        base={
            "data": {"source": "digits", "size": 32, "train": 64, "test": 64, "validation": 20},
            "model": model,
            "train": {"epochs": 1, "batch_size": 16},
            "evaluate": ["classification", "cost"],
        },
        seeds=1,
    )
    results = run_study(study, tmp_path, quiet=True)
    assert results.runs[0].state == "finished", results.runs[0].reason
    recipe, _, network = load_run(results.runs[0].folder)
    assert recipe.model.freeze == "backbone"
    assert {name.split(".")[0] for name in trainable(network)} == {"fc"}
    run_study(study, tmp_path, quiet=True)
