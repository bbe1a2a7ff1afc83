"""Networks as graphs: the same numbers from onnxruntime and torch.export, for any number of images."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from assay.errors import AssayError
from assay.models.catalogue import build
from assay.models.detector import Found
from assay.recipe import Model, Recipe
from assay.seeds import scoped
from assay.tools.export import onnx_file, torch_file
from assay.tools.export.checking import Side, checked, equal
from assay.tools.export.description import description
from assay.tools.export.graph import Whole, traced, whole
from assay.tools.export.reading import answering

pytest.importorskip("onnxscript", reason="the extra 'export' is not installed")

NETWORKS: dict[str, tuple[str, tuple[int, int, int]]] = {
    "cnn": ("classification", (1, 28, 28)),
    "elu_resnet": ("classification", (3, 32, 32)),
    "timm/resnet18": ("classification", (3, 64, 64)),
    "timm/vit_tiny_patch16_224": ("classification", (3, 32, 32)),
    "yolo": ("detection", (3, 64, 96)),
    "deeplab": ("segmentation", (3, 64, 48)),
}
"""Name → the task, and the shape of the images that it is asked about here."""
CLASSES = ["a", "b", "c", "d", "e"]


def network(name: str, shape: tuple[int, int, int]) -> nn.Module:
    """With random weights, and batch norms that have seen something."""
    with scoped(0, "test"):
        found = build(Model(name=name), shape, len(CLASSES)).eval()
        for norm in (module for module in found.modules() if isinstance(module, nn.BatchNorm2d)):
            norm.running_mean.normal_(0, 0.1)
            norm.running_var.uniform_(0.5, 1.5)
    return found


@pytest.mark.parametrize("name", NETWORKS)
def test_both_graphs_agree_with_torch_on_every_image(name: str, tmp_path: Path) -> None:
    task, shape = NETWORKS[name]
    about = {"classes": CLASSES, "shape": list(shape), "mean": [0.45] * shape[0], "std": [0.25] * shape[0]}
    recipe = Recipe.model_validate({"task": task, "data": {"source": "noise"}, "model": {"name": name}})
    model = network(name, shape)
    told = description(Path("study/base/seed-0"), recipe, about, {}, model)
    torchs = whole(model, recipe, about)
    program = traced(torchs, shape)
    onnx_file.write(program, told, tmp_path / "model.onnx")
    torch_file.write(program, told, tmp_path / "model.pt2")
    pixels = np.random.default_rng(0).integers(0, 256, (21, *shape), np.uint8)
    own = Side(torchs.graph, answering(torchs.graph, told).ask)
    for read, path in ((onnx_file.read, "model.onnx"), (torch_file.read, "model.pt2")):
        graph, kept = read(tmp_path / path)
        assert kept == told
        found = checked(task, list(told["outputs"]), own, Side(graph, answering(graph, kept).ask), pixels, 10)
        assert found.images == 21
        assert found.agrees, found.in_words
        assert found.same == 1


@torch.library.custom_op("assay_tests::strange", mutates_args=())
def strange(values: Tensor) -> Tensor:
    return values.clone()


@strange.register_fake
def _(values: Tensor) -> Tensor:
    return torch.empty_like(values)


class Strange(nn.Module):
    """Uses an operator that nobody has translated."""

    def forward(self, images: Tensor) -> Tensor:
        found: Any = strange(images)
        return found


class Undecided(nn.Module):
    """Does what the pixels say."""

    def forward(self, images: Tensor) -> Tensor:
        return images if images.sum() > 0 else -images


def test_an_operator_that_onnx_lacks_is_named(tmp_path: Path) -> None:
    program = traced(Whole(Strange(), [0.5], [0.25]).eval(), (1, 4, 4))
    told = {"input": {"name": "images"}, "outputs": {"logits": ""}}
    with pytest.raises(AssayError, match=r"the network uses assay_tests[.:]+strange\S*, which has no operator in ONNX"):
        onnx_file.write(program, told, tmp_path / "model.onnx")
    assert not (tmp_path / "model.onnx").exists()
    torch_file.write(program, told, tmp_path / "model.pt2")
    (out,) = torch_file.read(tmp_path / "model.pt2")[0](np.full((3, 1, 4, 4), 255, np.uint8))
    np.testing.assert_allclose(out.numpy(), np.full((3, 1, 4, 4), 2.0))


def test_a_network_that_decides_by_its_numbers_is_refused_in_a_sentence() -> None:
    with pytest.raises(AssayError, match=r"torch\.export cannot follow the network: ") as error:
        traced(Whole(Undecided(), [0.5], [0.25]).eval(), (1, 4, 4))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", ["torchvision/ssdlite320_mobilenet_v3_large"])
def test_boxes_made_in_several_steps_are_refused_with_a_way_out(name: str) -> None:
    recipe = Recipe.model_validate({"task": "detection", "data": {"source": "noise"}, "model": {"name": name}})
    about = {"classes": CLASSES, "shape": [3, 64, 64], "mean": [0.5] * 3, "std": [0.25] * 3}
    with pytest.raises(AssayError, match=f"model '{name}' makes its boxes in steps .* or --to safetensors"):
        whole(build(Model(name=name), (3, 64, 64), len(CLASSES)), recipe, about)


EDGES = [[0.0, 0.0, 10.0, 10.0], [0.0, 0.0, 10.0, 10.05], [20.0, 20.0, 30.0, 30.0]]
SCORES = [0.9, 0.9, 0.5]


@pytest.mark.parametrize(
    ("edges", "labels", "scores", "same"),
    [
        (EDGES, [0, 0, 1], SCORES, True),
        (EDGES[::-1], [1, 0, 0], SCORES[::-1], True),
        (EDGES, [0, 1, 1], SCORES, False),
        (EDGES[:2], [0, 0], SCORES[:2], False),
        ([*EDGES, EDGES[2]], [0, 0, 1, 1], [*SCORES, 0.5], False),
        ([EDGES[0], EDGES[2], EDGES[2]], [0, 0, 1], SCORES, False),
        ([*EDGES[:2], [20.0, 20.0, 30.0, 30.2]], [0, 0, 1], SCORES, False),
        (EDGES, [0, 0, 1], [0.9, 0.9, 0.501], False),
    ],
)
def test_boxes_are_the_same_in_any_order_each_with_a_partner_of_its_own(
    edges: list[list[float]], labels: list[int], scores: list[float], same: bool
) -> None:
    one = Found(torch.tensor(EDGES), torch.tensor([0, 0, 1]), torch.tensor(SCORES))
    other = Found(torch.tensor(edges), torch.tensor(labels), torch.tensor(scores))
    assert equal("detection", [one], [other]).tolist() == [same]


def test_no_boxes_are_the_same_as_none() -> None:
    none = Found(torch.empty(0, 4), torch.empty(0, dtype=torch.int64), torch.empty(0))
    assert equal("detection", [none], [none]).tolist() == [True]
