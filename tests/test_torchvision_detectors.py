"""torchvision's detectors behind the two doors: their own losses and boxes, on images as they come."""

import copy
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torchvision import models

from assay import seeds
from assay.errors import AssayError
from assay.models import build
from assay.models.catalogue import complete, shipped
from assay.models.detector import Selecting
from assay.models.freezing import training
from assay.models.torchvision_detectors import DETECTORS, backbone_weights, made
from assay.models.torchvision_networks import cached_file
from assay.models.weights import COUNTER, load_pretrained
from assay.recipe import Model, Recipe
from two_pictures import boxes, learn_two_pictures

QUICK = ["fasterrcnn_mobilenet_v3_large_320_fpn", "retinanet_resnet50_fpn", "ssdlite320_mobilenet_v3_large"]
ALL = [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in DETECTORS]


def shape(name: str) -> tuple[int, int, int]:
    return (3, 300, 300) if name.startswith("ssd300") else (3, 96, 128)


def network_of(name: str, classes: int = 3, **options: Any) -> Any:
    with seeds.scoped(0, "initialisation"):
        return build(Model(name=f"torchvision/{name}", **options), shape(name), classes)


def test_every_detector_of_torchvision_without_masks_and_keypoints_is_there() -> None:
    assert set(DETECTORS) == {
        "fasterrcnn_mobilenet_v3_large_320_fpn",
        "fasterrcnn_mobilenet_v3_large_fpn",
        "fasterrcnn_resnet50_fpn",
        "fasterrcnn_resnet50_fpn_v2",
        "fcos_resnet50_fpn",
        "retinanet_resnet50_fpn",
        "retinanet_resnet50_fpn_v2",
        "ssd300_vgg16",
        "ssdlite320_mobilenet_v3_large",
    }


@pytest.mark.parametrize("name", ALL)
def test_a_step_moves_the_weights_and_boxes_are_found(name: str) -> None:
    network, images = network_of(name), torch.randn(2, *shape(name))
    training(network)
    parts = network.losses(images, boxes([(10, 10, 60, 70, 1), (5, 5, 5, 5, 0)], []))
    sum(parts.values()).backward()  # type: ignore[union-attr]
    moved = [n for n, p in network.named_parameters() if p.grad is not None and p.grad.abs().sum()]
    assert any(n.startswith(network.encoder_name) for n in moved)
    assert {"class", "box"} <= parts.keys()
    assert all(part.isfinite() for part in parts.values())
    assert all(part.isfinite() for part in network.losses(images, boxes([], [])).values())
    network.eval().selecting = Selecting(score=0.0, most=7)
    with torch.no_grad():
        found = network(images)
    assert [len(each.scores) for each in found] == [7, 7]
    for each in found:
        assert set(each.labels.tolist()) <= {0, 1, 2}
        assert (each.scores.diff() <= 0).all()
        height, width = shape(name)[1:]
        assert (each.edges >= 0).all()
        assert (each.edges <= torch.tensor([width, height] * 2)).all()


@pytest.mark.parametrize("name", QUICK)
def test_it_is_torchvisions_own_network_without_its_transform(name: str) -> None:
    """torchvision's forward pass on images as they are, by a transform that is told to do nothing."""
    network = network_of(name)
    theirs: Any = made(name, 3)
    theirs.transform.image_mean, theirs.transform.image_std = [0.0] * 3, [1.0] * 3
    theirs.transform.min_size, theirs.transform.max_size = (96,), 128
    theirs.transform.fixed_size, theirs.transform.size_divisible = None, 1
    theirs.transform._skip_resize = True
    theirs.load_state_dict(network.state_dict())
    images, truth = torch.randn(2, *shape(name)), boxes([(10, 10, 60, 70, 1)], [(30, 8, 90, 40, 2)])
    first = 0 if "retinanet" in name else 1
    place = theirs.roi_heads if hasattr(theirs, "roi_heads") else theirs
    place.score_thresh, place.nms_thresh, place.detections_per_img = 0.001, 0.6, 300
    with torch.no_grad():
        network.eval(), theirs.eval()
        for own, other in zip(network(images), theirs(list(images)), strict=True):
            assert len(own.scores)
            assert torch.equal(own.labels + first, other["labels"])
            assert torch.allclose(own.edges, other["boxes"], atol=1e-3)
            assert torch.allclose(own.scores, other["scores"], atol=1e-5)
        network.train(), theirs.train()
        targets = [{"boxes": e, "labels": n + first} for e, n in zip(truth.edges, truth.labels, strict=True)]
        torch.manual_seed(0)
        own = network.losses(images, truth)
        torch.manual_seed(0)
        other = theirs(list(images), targets)
    assert sorted(v.item() for v in own.values()) == pytest.approx(sorted(v.item() for v in other.values()), rel=1e-4)


def test_how_boxes_are_selected_is_asked_of_the_network() -> None:
    network = network_of(QUICK[0]).eval()
    images = torch.randn(1, *shape(QUICK[0]))
    with torch.no_grad():
        network.selecting = Selecting(score=0.0, nms=None, most=1000)
        everything = network(images)[0]
        network.selecting = Selecting(score=0.0, nms=0.3, most=1000)
        apart = network(images)[0]
        network.selecting = Selecting(score=float(everything.scores.median()), nms=None, most=1000)
        likely = network(images)[0]
    assert len(apart.scores) < len(everything.scores)
    assert (likely.scores > everything.scores.median() - 1e-6).all()
    assert 0 < len(likely.scores) < len(everything.scores)


@pytest.mark.parametrize("name", ["ssdlite320_mobilenet_v3_large"])
def test_two_pictures_are_learned(name: str) -> None:
    learn_two_pictures(network_of(name, classes=2), shape(name))


@pytest.mark.parametrize("name", QUICK)
def test_a_frozen_backbone_leaves_the_pyramid_to_learn(name: str) -> None:
    network = network_of(name, freeze="backbone")
    frozen = {n for n, p in network.named_parameters() if not p.requires_grad}
    assert frozen == {n for n, _ in network.named_parameters() if network.is_encoders(n)}
    assert {n.split(".")[1] for n in frozen} == {network.encoder_name.split(".")[1]}


def test_gray_images_get_the_sum_of_the_colours() -> None:
    gray = build(Model(name=f"torchvision/{QUICK[2]}"), (1, 96, 128), 2)
    assert next(m for m in gray.modules() if isinstance(m, nn.Conv2d)).in_channels == 1
    with torch.no_grad():
        assert len(gray.eval()(torch.zeros(1, 1, 96, 128))) == 1


def test_images_come_normalised_as_torchvision_would_and_at_the_size_of_its_canvas() -> None:
    def data(name: str) -> Any:
        values = {"task": "classification", "data": {"source": "digits"}, "model": {"name": f"torchvision/{name}"}}
        return complete(Recipe.model_validate(values)).data

    assert data("ssdlite320_mobilenet_v3_large").size == (320, 320)
    assert data("ssdlite320_mobilenet_v3_large").normalize.std == (0.5, 0.5, 0.5)
    assert data("fasterrcnn_resnet50_fpn").size == (800, 800)
    assert data("ssd300_vgg16").normalize.std == pytest.approx((1 / 255,) * 3)


# ------------------------------------------------------------------------------------------------- weights


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache of torch's hub."""
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    (tmp_path / "checkpoints").mkdir()
    return tmp_path / "checkpoints"


def test_the_whole_of_coco_is_loaded_from_the_cache_but_for_the_classes(hub: Path) -> None:
    name = QUICK[2]
    theirs = made(name, 90)
    torch.save(theirs.state_dict(), cached_file(models.get_model_weights(name).DEFAULT))
    network = network_of(name, pretrained=True)
    loaded = load_pretrained(network, Model(name=f"torchvision/{name}", pretrained=True), shape(name), ["a", "b", "c"])
    assert loaded["is_whole"]
    assert "of_encoder" not in loaded
    own, other = network.state_dict(), theirs.state_dict()
    assert loaded["not_loaded"]
    assert all(n.startswith("head.classification_head") for n in loaded["not_loaded"])
    assert all(torch.equal(own[n], other[n]) for n in own if n not in loaded["not_loaded"])


def test_where_only_the_backbone_is_cached_it_is_loaded_and_the_rest_stays_random(hub: Path) -> None:
    name = QUICK[1]
    backbone = models.resnet50()
    torch.save(backbone.state_dict(), cached_file(backbone_weights(name)))
    chosen = Model(name=f"torchvision/{name}", pretrained=True)
    _, origin = shipped(chosen, shape(name))
    assert "ResNet50" in origin
    network = network_of(name)
    before = copy.deepcopy(network.state_dict())
    loaded = load_pretrained(network, chosen, shape(name), ["a", "b", "c"])
    after = network.state_dict()
    assert torch.equal(after["backbone.body.layer4.2.conv3.weight"], backbone.state_dict()["layer4.2.conv3.weight"])
    tensors = [n for n in after if network.is_encoders(n) and not n.endswith(COUNTER)]
    assert loaded["loaded"] == len(tensors)
    assert all(torch.equal(before[n], after[n]) for n in after if not network.is_encoders(n))


def test_a_classifier_of_torchvision_becomes_the_backbone(tmp_path: Path) -> None:
    classifier = models.resnet50(num_classes=7)
    torch.save(classifier.state_dict(), tmp_path / "weights.pth")
    chosen = Model(name=f"torchvision/{QUICK[1]}", pretrained=str(tmp_path / "weights.pth"))
    network = network_of(QUICK[1])
    loaded = load_pretrained(network, chosen, shape(QUICK[1]), ["a", "b", "c"])
    own: dict[str, Tensor] = network.state_dict()
    assert loaded["loaded"] == loaded["of_encoder"]
    assert torch.equal(own["backbone.body.conv1.weight"], classifier.conv1.weight)


def test_masks_and_keypoints_are_refused_and_a_slip_is_told_the_nearest_name() -> None:
    with pytest.raises(AssayError, match="is no image classifier, and not for segmentation or boxes"):
        network_of("maskrcnn_resnet50_fpn")
    with pytest.raises(AssayError, match="did you mean 'retinanet_resnet50_fpn'"):
        network_of("retinanet_resnet5_fpn")
    with pytest.raises(AssayError, match="has no argument 'fg_iou_tresh'; did you mean 'fg_iou_thresh'"):
        network_of(QUICK[1], fg_iou_tresh=0.4)
    with pytest.raises(AssayError, match="has no argument 'min_size'"):
        network_of(QUICK[0], min_size=300)
    assert network_of(QUICK[1], fg_iou_thresh=0.4, bg_iou_thresh=0, topk_candidates=1)
    assert network_of(QUICK[1], fg_iou_thresh=0.4)._network[0].proposal_matcher.high_threshold == 0.4


@pytest.mark.parametrize(
    ("name", "options", "told"),
    [
        (
            "ssdlite320_mobilenet_v3_large",
            {"iou_thresh": "high"},
            "model.iou_thresh: found 'high', expected a number from",
        ),
        (
            "ssdlite320_mobilenet_v3_large",
            {"iou_thresh": math.nan},
            "model.iou_thresh: found nan, expected a number from",
        ),
        ("ssdlite320_mobilenet_v3_large", {"positive_fraction": True}, "found True, expected a number from 0 to 1"),
        ("fcos_resnet50_fpn", {"center_sampling_radius": -1}, "found -1, expected a number from 0"),
        ("fcos_resnet50_fpn", {"topk_candidates": 2.5}, "found 2.5, expected a whole number above 0"),
        (QUICK[0], {"rpn_post_nms_top_n_train": -3}, "found -3, expected a whole number above 0"),
        (
            QUICK[0],
            {"rpn_fg_iou_thresh": 0.1},
            "model.rpn_bg_iou_thresh is 0.3 and model.rpn_fg_iou_thresh 0.1; expected at most as much",
        ),
    ],
)
def test_a_value_that_an_option_cannot_have_is_told_in_a_sentence(
    name: str, options: dict[str, Any], told: str
) -> None:
    with pytest.raises(AssayError, match=told):
        network_of(name, **options)
