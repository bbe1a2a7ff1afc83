"""Networks for segmentation: each gives logits for every pixel of images of any size."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import segmentation_models_pytorch as smp
import torch
from torch import Tensor, nn
from torch.nn import functional
from torchvision import models

from assay import seeds
from assay.errors import AssayError
from assay.models import build, summary
from assay.models.catalogue import complete, try_out
from assay.models.deeplab import DeepLab, convolution
from assay.models.segmenter import Segmenter
from assay.models.weights import in_words, load_pretrained
from assay.recipe import Model, Recipe

SMALL = "timm/mobilenetv3_small_050"
QUICK = [
    {"name": "deeplab", "width": 4},
    {"name": "smp/deeplabv3plus", "encoder": SMALL},
    {"name": "torchvision/lraspp_mobilenet_v3_large"},
]
OTHERS = [
    *(
        {"name": f"smp/{name}", "encoder": SMALL}
        for name in ("unet", "unetplusplus", "fpn", "pspnet", "pan", "linknet")
    ),
    *({"name": f"smp/{name}", "encoder": SMALL} for name in ("manet", "deeplabv3", "upernet", "segformer")),
    {"name": "smp/dpt"},
    {"name": "torchvision/deeplabv3_mobilenet_v3_large"},
    {"name": "torchvision/fcn_resnet50"},
    {"name": "smp/unet", "encoder": "timm/convnext_atto"},
    {"name": "smp/unet", "encoder": "timm/swin_tiny_patch4_window7_224"},
]


def make(name: str, shape: tuple[int, int, int] = (3, 90, 70), outputs: int = 5, seed: int = 0, **more: Any) -> Any:
    with seeds.scoped(seed, "initialisation"):
        return build(Model(name=name, **more), shape, outputs)


def warmed(network: nn.Module, images: Tensor) -> nn.Module:
    """In evaluation mode, with batch norms that have seen the images."""
    network.train()
    with torch.no_grad():
        for _ in range(3):
            network(images)
    return network.eval()


# ----------------------------------------------------------------------------------------- every network


@pytest.mark.parametrize(
    "model",
    [pytest.param(m, id=m["name"], marks=[] if m in QUICK else pytest.mark.slow) for m in [*QUICK, *OTHERS]],
)
def test_a_network_gives_logits_for_every_pixel_and_trains_all_its_parameters(model: dict[str, Any]) -> None:
    shape = (3, 90, 70)
    try_out(Model(**model), shape, 5, "pixel")
    network = make(**model).train()
    logits = network(torch.randn(2, *shape))
    assert logits.shape == (2, 5, 90, 70)
    functional.cross_entropy(logits, torch.randint(5, (2, 90, 70))).backward()
    unused = [name for name, p in network.named_parameters() if p.grad is None or not p.grad.isfinite().all()]
    assert not [name for name in unused if not name.startswith(f"{network.encoder_name}.")]
    assert [m.out_channels for m in last_layers(network)] == [5] * len(network.output_names)


def last_layers(network: Segmenter) -> list[nn.Conv2d]:
    found = []
    for name in network.output_names:
        found.append([m for m in network.get_submodule(name).modules() if isinstance(m, nn.Conv2d)][-1])
    return found


def test_images_that_a_network_does_not_divide_are_padded_with_the_mean_colour() -> None:
    network = warmed(make("smp/unet", encoder=SMALL), torch.randn(4, 3, 96, 96))
    images = torch.randn(2, 3, 90, 70)
    whole = torch.zeros(2, 3, 96, 96)
    whole[:, :, :90, :70] = images
    with torch.no_grad():
        assert torch.equal(network(images), network(whole)[:, :, :90, :70])


@pytest.mark.parametrize("gray", [False, True])
def test_gray_images_fit(gray: bool) -> None:
    for model in QUICK:
        assert try_out(Model(**model), (1 if gray else 3, 33, 47), 2, "pixel") is not None


# ------------------------------------------------------------------------------------------------ deeplab


@pytest.mark.parametrize(("stride", "rate"), [(1, 2), (1, 3), (2, 2)])
def test_an_atrous_convolution_is_one_by_a_kernel_with_zeros_between(stride: int, rate: int) -> None:
    layer = convolution(2, 4, 3, stride, rate).conv
    assert isinstance(layer, nn.Conv2d)
    kernel = torch.zeros(4, 2, 2 * rate + 1, 2 * rate + 1)
    kernel[:, :, ::rate, ::rate] = layer.weight.detach()
    images = torch.randn(2, 2, 17, 14)
    expected = functional.conv2d(images, kernel, stride=stride, padding=rate)
    assert torch.allclose(layer(images), expected, atol=1e-5)


@pytest.mark.parametrize("output_stride", [8, 16])
def test_with_a_smaller_output_stride_the_same_weights_say_the_same_and_more(output_stride: int) -> None:
    """Atrous convolutions compute what the coarse network computes, at more places."""
    images = torch.randn(4, 3, 64, 96)
    coarse = make("deeplab", width=4, output_stride=32)
    warmed(coarse, images)
    fine = make("deeplab", width=4, output_stride=output_stride, seed=1).eval()
    fine.load_state_dict(coarse.state_dict())
    step = 32 // output_stride
    with torch.no_grad():
        (early, last), (same, more) = coarse.encode(images), fine.encode(images)
    assert torch.equal(early, same)
    assert more.shape[2:] == (64 // output_stride, 96 // output_stride)
    assert torch.allclose(more[:, :, ::step, ::step], last, atol=1e-4 * float(last.abs().max()))


def test_the_pyramid_has_a_branch_for_each_rate_and_the_mean_of_the_map() -> None:
    network = make("deeplab", width=4, aspp=[2, 5])
    kernels = [(b.conv.kernel_size, b.conv.dilation) for b in network.aspp.branches]
    assert kernels == [((1, 1), (1, 1)), ((3, 3), (2, 2)), ((3, 3), (5, 5))]
    assert network.aspp.project.conv.in_channels == 4 * 16
    maps = torch.randn(2, 32, 6, 7)
    network.eval()
    mean = network.aspp.mean(maps)
    assert torch.allclose(mean, network.aspp.mean[1](maps.mean(dim=(2, 3), keepdim=True)), atol=1e-6)


@pytest.mark.parametrize(
    ("arguments", "parameters"),
    [({}, 3_960_939), ({"decoder": False}, 3_831_275), ({"aspp": "none"}, 2_960_235)],
)
def test_parts_of_deeplab_are_arguments(arguments: dict[str, Any], parameters: int) -> None:
    network = make("deeplab", outputs=11, **arguments)
    assert sum(p.numel() for p in network.parameters()) == parameters
    dilated = make("deeplab", outputs=11, output_stride=8, **arguments)
    assert sum(p.numel() for p in dilated.parameters()) == parameters


def test_without_a_decoder_logits_of_the_last_map_are_interpolated() -> None:
    network = make("deeplab", (3, 64, 64), width=4, decoder=False).eval()
    images = torch.randn(1, 3, 64, 64)
    coarse = network.decode(network.encode(images))
    assert coarse.shape == (1, 5, 4, 4)
    expected = functional.interpolate(coarse, (64, 64), mode="bilinear", align_corners=False)
    assert torch.equal(network(images), expected)


def test_deeplab_learns_squares_from_nothing() -> None:
    torch.manual_seed(0)
    corner = np.random.default_rng(0).integers(0, 20, (16, 2))
    masks = torch.zeros(16, 32, 32, dtype=torch.int64)
    for mask, (y, x) in zip(masks, corner, strict=True):
        mask[y : y + 12, x : x + 12] = 1
    images = masks[:, None].float().expand(-1, 3, -1, -1) + 0.5 * torch.randn(16, 3, 32, 32)
    network = make("deeplab", (3, 32, 32), 2, width=8, aspp=[2]).train()
    optimizer = torch.optim.Adam(network.parameters(), 0.01)
    for _ in range(60):
        optimizer.zero_grad()
        functional.cross_entropy(network(images), masks).backward()
        optimizer.step()
    said = warmed(network, images)(images).argmax(1)
    assert float((said[masks == 1] == 1).float().mean()) > 0.9
    assert float((said == masks).float().mean()) > 0.95


# ------------------------------------------------------------------------------------------- libraries


@pytest.mark.parametrize(("name", "kind"), [("deeplabv3plus", smp.DeepLabV3Plus), ("fpn", smp.FPN)])
def test_a_network_of_smp_says_what_smp_says(name: str, kind: Any) -> None:
    images = torch.randn(2, 3, 64, 96)
    own = warmed(make(f"smp/{name}", encoder=SMALL), images)
    theirs = kind(f"tu-{SMALL.partition('/')[2]}", encoder_weights=None, classes=5)
    theirs.load_state_dict(own.state_dict())
    with torch.no_grad():
        assert torch.equal(own(images), theirs.eval()(images))


@pytest.mark.parametrize("name", ["lraspp_mobilenet_v3_large", "deeplabv3_mobilenet_v3_large"])
def test_a_network_of_torchvision_says_what_torchvision_says(name: str) -> None:
    images = torch.randn(2, 3, 50, 71)
    own = warmed(make(f"torchvision/{name}"), images)
    theirs = models.get_model(name, weights=None, weights_backbone=None, num_classes=5)
    theirs.load_state_dict(own.state_dict())
    with torch.no_grad():
        assert torch.equal(own(images), theirs.eval()(images)["out"])


def test_the_images_are_those_of_the_encoder() -> None:
    recipe = Recipe.model_validate(
        {"data": {"source": "digits"}, "model": {"name": "smp/unet", "encoder": "timm/vgg11"}}
    )
    whole = complete(recipe)
    assert whole.data.size == (224, 224)
    assert whole.data.normalize.model_dump()["mean"] == (0.485, 0.456, 0.406)
    assert complete(recipe.model_copy(update={"model": Model(name="smp/unet")})).model.arguments == {
        "encoder": "timm/tf_efficientnet_lite0"
    }


@pytest.mark.parametrize(
    ("model", "said"),
    [
        (
            {"name": "cnn"},
            r"gives \(5,\) for an image, expected 5 numbers for each of its 32×32 pixels; .*deeplab, smp/",
        ),
        ({"name": "deeplab", "aspp": [0]}, r"model.aspp: found \[0\], expected none, or a list of rates"),
        ({"name": "deeplab", "output_stride": 4}, "model.output_stride: found 4, expected 8, 16 or 32"),
        ({"name": "deeplab", "witdh": 4}, "has no argument 'witdh'; did you mean 'width'"),
        ({"name": "deeplab", "head": [{"dense": 4}]}, "'deeplab' has a decoder; leave it out"),
        ({"name": "smp/unett"}, "unknown smp model 'unett'; did you mean 'unet'"),
        ({"name": "unet"}, "unknown model 'unet'; did you mean 'smp/unet'"),
        ({"name": "smp/unet", "encodr": "x"}, "has no argument 'encodr'; did you mean 'encoder'"),
        ({"name": "smp/unet", "classes": 3}, "has no argument 'classes'; expected one of: .*decoder_channels"),
        ({"name": "smp/unet", "encoder": "resnet18"}, "model.encoder: found 'resnet18', expected a network of timm"),
        ({"name": "smp/unet", "encoder": "timm/resnet81"}, "unknown timm model 'resnet81'"),
        ({"name": "smp/unet", "encoder": "timm/vit_tiny_patch16_224"}, "expected a network that gives maps in several"),
        ({"name": "smp/pan", "encoder": "timm/vgg11"}, "needs an encoder that can be dilated, such as timm/resnet18"),
        ({"name": "smp/unet", "decoder_channels": [3]}, "on timm/tf_efficientnet_lite0 cannot be built: Model depth"),
        ({"name": "torchvision/fcn_resnet50", "aux_loss": True}, "has no argument 'aux_loss'"),
    ],
)
def test_what_does_not_suit_is_told(model: dict[str, Any], said: str) -> None:
    with pytest.raises(AssayError) as error:
        try_out(Model(**model), (3, 32, 32), 5, "pixel")
    assert re.search(said, str(error.value)), str(error.value)


def test_a_network_for_segmentation_is_no_classifier() -> None:
    with pytest.raises(AssayError, match=r"'deeplab' gives \(5, 32, 32\) for an image, expected 5 numbers"):
        try_out(Model(name="deeplab"), (3, 32, 32), 5)


def test_the_table_of_layers_counts_what_a_network_does() -> None:
    network = DeepLab(3, 5, 4, 16, (2,), True)
    table = summary(network, (3, 64, 64))
    assert table.parameters == sum(p.numel() for p in network.parameters())
    by_name = {layer.name: layer for layer in table.layers}
    assert by_name["output"].macs == 8 * 5 * 16 * 16
    assert by_name["encoder.stem.conv"].macs == 3 * 4 * 9 * 32 * 32
    assert by_name["aspp.branches.1.conv"].macs == 32 * 16 * 9 * 4 * 4
    assert table.macs == sum(layer.macs for layer in table.layers)


# ---------------------------------------------------------------------------------------------- weights


@pytest.mark.parametrize(
    ("encoder", "segmenter"),
    [
        (SMALL, {"name": "smp/unet", "encoder": SMALL}),
        ("timm/convnext_atto", {"name": "smp/unet", "encoder": "timm/convnext_atto"}),
        ("torchvision/resnet50", {"name": "torchvision/fcn_resnet50"}),
    ],
)
def test_the_weights_of_a_classifier_fit_the_encoder(encoder: str, segmenter: dict[str, Any], tmp_path: Path) -> None:
    classifier = make(encoder, (3, 64, 64), seed=1)
    torch.save(classifier.state_dict(), tmp_path / "classifier.pth")
    model = Model(**segmenter, pretrained=str(tmp_path / "classifier.pth"))
    network = make(**segmenter)
    record = load_pretrained(network, model, (3, 90, 70), list("abcde"))
    assert record["loaded"] == record["of_encoder"] == sum(map(network.is_encoders, network.state_dict()))
    assert in_words(record).startswith(f"loaded {record['loaded']} of {record['loaded']} tensors of the encoder from")
    given = {name.replace("_", "."): tensor for name, tensor in classifier.state_dict().items()}
    for name, tensor in network.state_dict().items():
        if network.is_encoders(name):
            assert torch.equal(tensor, given[network.inside(name).replace("_", ".").removeprefix("features.")])


def test_the_weights_of_a_network_for_other_classes_fit_all_but_the_last_layer(tmp_path: Path) -> None:
    for model in QUICK:
        other = make(**model, outputs=7, seed=1)
        torch.save(other.state_dict(), tmp_path / "other.pth")
        network = make(**model)
        record = load_pretrained(
            network, Model(**model, pretrained=str(tmp_path / "other.pth")), (3, 90, 70), list("abcde")
        )
        assert "of_encoder" not in record
        assert {name.rpartition(".")[0] for name in record["not_loaded"]} <= {
            name for name, _ in network.named_modules() if name.startswith(network.output_names)
        }
        assert record["loaded"] + len(record["not_loaded"]) == len(network.state_dict())
