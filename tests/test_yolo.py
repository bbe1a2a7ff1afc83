"""YOLO: published sizes, any image, finite losses, boxes learned."""

import math
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn
from torchvision.ops import complete_box_iou

from assay.data.boxes import NO_BOX, BoxBatch
from assay.errors import AssayError
from assay.models.anchor_free import AnchorFree, cells
from assay.models.anchors import Anchors
from assay.models.assignment import task_aligned
from assay.models.catalogue import build, complete, try_out
from assay.models.detector import Detector, Selecting
from assay.models.head import encoder_and_rest, output_names
from assay.models.layer_table import summary
from assay.models.yolo import yolo
from assay.recipe import Data, Model, Recipe
from assay.seeds import scoped
from assay.tasks.box_matching import Detections, Objects, match
from assay.tasks.box_scores import map_score

HEADS = ("anchor_free", "anchors")
PARAMETERS = {
    # (head, classes) → size → parameters, batch norms counted; with anchors, also folded into the convolutions
    ("anchors", 80): {
        "n": (1_872_157, 1_867_405),
        "s": (7_235_389, 7_225_885),
        "m": (21_190_557, 21_172_173),
        "l": (46_563_709, 46_533_693),
        "x": (86_749_405, 86_705_005),
    },
    ("anchors", 3): {
        "n": (1_767_976, 1_763_224),
        "s": (7_027_720, 7_018_216),
        "m": (20_879_400, 20_861_016),
        "l": (46_149_064, 46_119_048),
        "x": (86_231_272, 86_186_872),
    },
    ("anchor_free", 80): {
        "n": (2_654_800, None),
        "s": (9_153_136, None),
        "m": (25_111_440, None),
        "l": (53_225_008, None),
        "x": (97_276_432, None),
    },
    ("anchor_free", 3): {"n": (2_509_033, None), "s": (9_123_337, None), "x": (97_202_281, None)},
}
"""YOLOv5's published counts (n, m, l with batch norms, s and x without), and those of its trunk under YOLOv8's head."""


@pytest.mark.parametrize(
    ("head", "classes", "size", "counted", "folded"),
    [(*key, size, *counts) for key, sizes in PARAMETERS.items() for size, counts in sizes.items()],
)
def test_the_parameters_are_those_published(
    head: Any, classes: int, size: Any, counted: int, folded: int | None
) -> None:
    with torch.device("meta"):
        network = yolo((3, 640, 640), classes, size=size, head=head)
    found = sum(p.numel() for p in network.parameters())
    norms = sum(module.num_features for module in network.modules() if isinstance(module, nn.BatchNorm2d))
    assert found == counted
    assert folded in (None, found - norms)


def tiny(head: str, shape: tuple[int, int, int] = (3, 64, 64), classes: int = 3) -> Detector:
    with scoped(0, "test"):
        network = build(Model(name="yolo", head=head), shape, classes)
    assert isinstance(network, Detector)
    return network


def batch(rows: list[list[tuple[float, ...]]], most: int) -> BoxBatch:
    """Boxes of each image as (label, x1, y1, x2, y2)."""
    edges, labels = torch.zeros(len(rows), most, 4), torch.full((len(rows), most), NO_BOX)
    for i, boxes in enumerate(rows):
        for j, (label, *sides) in enumerate(boxes):
            edges[i, j], labels[i, j] = torch.tensor(sides), int(label)
    return BoxBatch(edges, labels)


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("shape", [(3, 64, 64), (1, 33, 95), (4, 7, 100)])
@pytest.mark.parametrize("classes", [1, 5])
def test_any_size_any_channels_any_number_of_classes(head: str, shape: tuple[int, int, int], classes: int) -> None:
    network = try_out(Model(name="yolo", head=head), shape, classes, "boxes").eval()
    network.selecting = Selecting(score=0.0, nms=None, most=10_000)  # type: ignore[assignment]
    with torch.no_grad():
        found = network(torch.randn(2, *shape))
    for image in found:
        assert len(image.scores) > 0
        assert image.labels.max() < classes
        assert (image.edges >= 0).all()
        assert (image.edges[:, [2, 3]] <= torch.tensor([shape[2], shape[1]])).all()


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("most", [0, 1, 4])
def test_a_batch_without_any_box_teaches_finite_lessons(head: str, most: int) -> None:
    network = tiny(head).train()
    parts = network.losses(torch.randn(2, 3, 64, 64), batch([[], []], most))
    assert all(part.shape == () for part in parts.values())
    sum(parts.values(), torch.zeros(())).backward()
    assert all(p.grad is not None and bool(p.grad.isfinite().all()) for p in network.parameters())
    assert parts["box"].item() == 0


@pytest.mark.parametrize("head", HEADS)
def test_room_for_more_boxes_changes_no_loss(head: str) -> None:
    network = tiny(head).train()
    images = torch.randn(2, 3, 64, 64)
    rows: list[list[tuple[float, ...]]] = [[(0, 4, 4, 30, 30), (2, 20, 10, 60, 50)], [(1, 1, 1, 12, 14)]]
    few, many = (network.losses(images, batch(rows, most)) for most in (2, 7))
    assert few.keys() == many.keys()
    for name, part in few.items():
        torch.testing.assert_close(part, many[name])


@pytest.mark.parametrize("head", HEADS)
def test_a_box_without_extent_and_one_as_large_as_the_image_teach_finite_lessons(head: str) -> None:
    network = tiny(head).train()
    parts = network.losses(torch.randn(1, 3, 64, 64), batch([[(0, 9, 9, 9, 9), (1, 0, 0, 64, 64)]], 2))
    sum(parts.values(), torch.zeros(())).backward()
    assert all(bool(p.grad.isfinite().all()) for p in network.parameters() if p.grad is not None)


def test_one_class_has_no_loss_for_classes_under_anchors() -> None:
    parts = tiny("anchors", classes=1).losses(torch.randn(2, 3, 64, 64), batch([[(0, 4, 4, 30, 30)], []], 1))
    assert parts.keys() == {"box", "objectness"}


@pytest.mark.parametrize("head", HEADS)
def test_the_first_scores_are_low(head: str) -> None:
    network = tiny(head, (3, 320, 320)).eval()
    network.selecting = Selecting(score=0.0, nms=None, most=10_000)
    with torch.no_grad():
        found = network(torch.randn(1, 3, 320, 320))[0]
    assert found.scores.median() < 0.02


def test_the_anchors_are_scaled_by_the_longer_side() -> None:
    network: Any = tiny("anchors", (3, 256, 128), classes=1)
    network.selecting = Selecting(score=0.0, nms=None, most=3_000)
    with torch.no_grad():
        for output in network.head.outputs:
            output.weight.zero_()
            output.bias.zero_()  # sigmoid ½: each box as large as its anchor, in the middle of its cell
        found = network.eval()(torch.zeros(1, 3, 256, 128))[0].edges
    whole = found[(found[:, :2] > 0).all(dim=1) & (found[:, 2] < 128) & (found[:, 3] < 256)]
    sides = {(round(width, 3), round(height, 3)) for width, height in (whole[:, 2:] - whole[:, :2]).tolist()}
    assert {(4.0, 5.2), (6.4, 12.0), (13.2, 9.2), (24.8, 18.0), (62.4, 79.2)} <= sides
    middles = (whole[:, :2] + whole[:, 2:]) / 2
    torch.testing.assert_close(middles % 4, torch.zeros_like(middles))


def test_the_recipe_says_which_head() -> None:
    recipe = complete(Recipe(data=Data(source="digits"), model=Model(name="yolo")))
    assert recipe.model.arguments == {"size": "n", "head": "anchor_free"}
    assert complete(recipe) == recipe
    with pytest.raises(AssayError, match=r"model\.head: found 'anchor'; did you mean 'anchors'"):
        tiny("anchor")
    with pytest.raises(AssayError, match="layers for whole images, and 'yolo' has a head for boxes"):
        build(Model.model_validate({"name": "yolo", "head": [{"dense": 3}]}), (3, 64, 64), 3)


@pytest.mark.parametrize("head", HEADS)
def test_a_frozen_backbone_leaves_neck_and_head(head: str) -> None:
    network = build(Model(name="yolo", head=head, freeze="backbone"), (3, 64, 64), 3)
    assert {name.partition(".")[0] for name, p in network.named_parameters() if p.requires_grad} == {"neck", "head"}


@pytest.mark.parametrize("head", HEADS)
def test_other_classes_change_nothing_but_the_outputs(head: str) -> None:
    few, many = ({name: p.shape for name, p in tiny(head, classes=classes).named_parameters()} for classes in (3, 90))
    changed = {name for name, shape in few.items() if many[name] != shape}
    (output,) = output_names(tiny(head))
    assert changed
    assert all(name.startswith(f"{output}.") for name in changed)


def pictures(count: int, side: int, generator: np.random.Generator) -> tuple[Tensor, BoxBatch]:
    """Digits pasted at random places and sizes, two a picture side by side."""
    digits, canvases, rows = load_digits(), np.zeros((count, 1, side, side), np.float32), []
    for canvas in canvases:
        boxes = []
        for half in range(2):
            which, scale = int(generator.integers(100)), int(generator.integers(2, 5))
            high = wide = 8 * scale
            x = half * side // 2 + int(generator.integers(side // 2 - wide + 1))
            y = int(generator.integers(side - high + 1))
            canvas[0, y : y + high, x : x + wide] = np.kron(digits.images[which] / 16, np.ones((scale, scale)))
            boxes.append((float(digits.target[which] % 3), x, y, x + wide, y + high))
        rows.append(boxes)
    return torch.from_numpy(canvases), batch(rows, 2)


def map_50(network: Detector, images: Tensor, truth: BoxBatch) -> float:
    with torch.no_grad():
        found = network.eval()(images)
    edges, labels, scores = (torch.cat(parts).numpy() for parts in zip(*found, strict=True))
    ends = np.cumsum([0, *(len(each.scores) for each in found)])
    count, most = truth.labels.shape
    there = Objects(
        truth.edges.flatten(0, 1).numpy(), truth.labels.flatten().numpy(), np.zeros(count * most, np.int64),
        np.arange(count + 1) * most,
    )  # fmt: skip
    matched = match(there, Detections(edges, labels, scores, ends), 3)
    return float(map_score(matched, 0.5)(np.ones((1, count)))[0])


@pytest.mark.parametrize("head", HEADS)
def test_a_few_pictures_are_learned_by_heart(head: str) -> None:
    images, truth = pictures(4, 64, np.random.default_rng(0))
    network = tiny(head, (1, 64, 64))
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = 0.2  # so few steps
    optimizer = torch.optim.AdamW(network.parameters(), 5e-3)
    for _ in range(50):
        optimizer.zero_grad()
        sum(network.train().losses(images, truth).values(), torch.zeros(())).backward()
        optimizer.step()
    assert map_50(network, images, truth) > 0.9


def blank(head: AnchorFree | Anchors) -> AnchorFree | Anchors:
    """A head that says 0 of everything."""
    with torch.no_grad():
        for p in head.parameters():
            p.zero_()
    return head


def test_the_loss_without_anchors_by_hand() -> None:
    head = blank(AnchorFree((8, 8, 8), (8, 16, 32), 4))
    maps = [torch.zeros(1, 8, 64 // stride, 64 // stride) for stride in (8, 16, 32)]
    truth = batch([[(2, 0, 0, 64, 48)]], 1)
    parts = head.losses(maps, truth)
    # every score ½, every box of 15 strides: all cross-entropies log 2, of distances log 16
    raw_edges, scores = head(maps)
    centers, strides = cells([part.shape[2:] for part in maps], (8, 16, 32), torch.device("cpu"))
    torch.testing.assert_close(raw_edges[0], torch.cat([centers - 7.5 * strides, centers + 7.5 * strides], dim=1))
    share = task_aligned(raw_edges, scores, centers, truth, 8).share[0]
    total = share.sum().item()
    assert total > 1
    overlap = complete_box_iou(raw_edges[0], truth.edges[0])[:, 0]
    assert parts["class"].item() == pytest.approx(0.5 * (64 + 16 + 4) * 4 * math.log(2) / total, rel=1e-5)
    assert parts["box"].item() == pytest.approx(7.5 * ((1 - overlap) * share).sum().item() / total, rel=1e-5)
    assert parts["distribution"].item() == pytest.approx(1.5 * math.log(16), rel=1e-5)


def test_the_loss_with_anchors_by_hand() -> None:
    head = blank(Anchors((8, 8, 8), (8, 16, 32), 40))
    parts = head.losses(
        [torch.zeros(1, 8, 640 // s, 640 // s) for s in (8, 16, 32)], batch([[(2, 278, 291, 394, 381)]], 1)
    )
    # a box of 116×90 around (336, 336): its cells and anchors, every box in the middle of its cell
    learners = {
        8: ([(42, 42), (41, 42), (42, 41)], [(33, 23)]),
        16: ([(21, 21), (20, 21), (21, 20)], [(30, 61), (62, 45), (59, 119)]),
        32: ([(10, 10)], [(116, 90), (156, 198), (373, 326)]),
    }
    away = 0.0
    for stride, (places, anchors) in learners.items():
        middles = (torch.tensor(places).repeat_interleave(len(anchors), dim=0) + 0.5) * stride
        half = torch.tensor(anchors).repeat(len(places), 1) / 2
        said = torch.cat([middles - half, middles + half], dim=1)
        away += (1 - complete_box_iou(said, torch.tensor([[278.0, 291, 394, 381]]))).mean().item()
    assert parts["box"].item() == pytest.approx(0.05 * away, rel=1e-5)
    assert parts["objectness"].item() == pytest.approx((4 + 1 + 0.4) * math.log(2), rel=1e-5)
    assert parts["class"].item() == pytest.approx(3 * 0.5 * 40 / 80 * math.log(2), rel=1e-5)


@pytest.mark.parametrize(("size", "billions"), [("n", 0.87), ("s", 3.33)])
def test_the_work_is_that_of_its_size(size: Any, billions: float) -> None:
    assert summary(yolo((3, 416, 416), 3, size=size, head="anchors"), (3, 416, 416)).macs / 1e9 == pytest.approx(
        billions, abs=0.005
    )


@pytest.mark.parametrize("head", HEADS)
def test_neck_and_head_learn_and_find_the_same_on_kept_maps(head: str) -> None:
    network, shape = tiny(head, (3, 50, 70)).eval(), (3, 50, 70)
    images, truth = torch.randn(2, *shape), batch([[(0, 4, 4, 30, 30)], [(2, 1, 1, 60, 44)]], 1)
    divided = encoder_and_rest(network, shape)  # type: ignore[arg-type]
    with torch.no_grad():
        rows = divided.features(images)
        for name, part in network.losses(images, truth).items():
            torch.testing.assert_close(divided.head.losses(rows, truth)[name], part)  # type: ignore[operator]
        for found, wanted in zip(divided.head(rows), network(images), strict=True):
            torch.testing.assert_close(found, wanted)
