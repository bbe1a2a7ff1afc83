"""What a network sees in one picture: channels by activity, Grad-CAM, the page, and the command."""

import re
from collections import OrderedDict
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
import torch
from markupsafe import escape
from PIL import Image
from torch import Tensor, nn

from assay.errors import AssayError
from assay.recipe.study import Study
from assay.report import style
from assay.runs.engine import run as run_study
from assay.tasks.classification.task import Prediction
from assay.tools.looking.maps import Unshown, by_activity, cam_layer, grad_cam, layer_maps, scaled
from assay.tools.looking.page import Look, enlarged, overlay, write_look
from assay.tools.predict import predict
from command import assay
from synthetic import NASTY


def network(outputs: int = 3, inplace: bool = True) -> nn.Sequential:
    """Two convolutions with activations (in place), then a dense layer."""
    torch.manual_seed(0)
    layers = [
        ("conv1", nn.Conv2d(1, 4, 3, padding=1)),
        ("act1", nn.ReLU(inplace=inplace)),
        ("pool1", nn.MaxPool2d(2)),
        ("conv2", nn.Conv2d(4, 5, 3, padding=1)),
        ("act2", nn.ReLU(inplace=inplace)),
        ("flatten", nn.Flatten()),
        ("dropout", nn.Dropout(0.5)),
        ("output", nn.Linear(5 * 3 * 4, outputs)),
    ]
    return nn.Sequential(OrderedDict(layers))


@pytest.fixture
def image() -> Tensor:
    return torch.randn(1, 6, 8, generator=torch.Generator().manual_seed(1))


# ------------------------------------------------------------------------------------------- channels


def test_channels_come_by_mean_absolute_activation_each_in_its_own_range() -> None:
    output = torch.tensor([[[0.0, 1.0]], [[-4.0, 0.0]], [[2.0, 2.0]], [[1.0, 0.0]]])
    channels = by_activity(output)
    assert [(c.number, c.activity) for c in channels] == [(1, 2.0), (2, 2.0), (0, 0.5), (3, 0.5)]
    assert [c.pixels.tolist() for c in channels] == [[[0, 255]], [[0, 0]], [[0, 255]], [[255, 0]]]
    assert (channels[0].low, channels[0].high) == (-4.0, 0.0)
    assert [c.number for c in by_activity(output, most=2)] == [1, 2]


@pytest.mark.parametrize("size", [1e-30, 1.0, 3e38])
def test_scaling_knows_very_small_and_very_large_values(size: float) -> None:
    assert scaled(torch.tensor([[-size, 0.2 * size, size]])).tolist() == [[0, 153, 255]]


def test_at_most_64_channels_are_shown_and_the_rest_counted(image: Tensor) -> None:
    (maps,), unshown = layer_maps(nn.Sequential(nn.Conv2d(1, 70, 3)), ["0"], image)
    assert maps.shape == (70, 4, 6)
    assert len(maps.channels) == 64
    assert maps.more == 6
    assert unshown == []


def test_layers_in_place_leave_the_picture_and_earlier_outputs_alone(image: Tensor) -> None:
    before, names = image.clone(), ["conv1", "act1", "conv2"]
    maps, _ = layer_maps(network(), names, image)
    plain, _ = layer_maps(network(inplace=False), names, image)
    assert [m.layer for m in maps] == names
    for one, other in zip(maps, plain, strict=True):
        assert [c.activity for c in one.channels] == [c.activity for c in other.channels]
    assert min(c.low for c in maps[0].channels) < 0
    layer_maps(nn.Sequential(nn.ReLU(inplace=True)), ["0"], image)
    assert image.equal(before)


class Odd(nn.Module):
    """Gives what is no set of maps, and owns a layer that is never called."""

    def __init__(self) -> None:
        super().__init__()
        self.pair, self.broken, self.idle = Pair(), Broken(), nn.Conv2d(1, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.broken(self.pair(x)[0])


class Pair(nn.Module):
    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return x, x


class Broken(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x / 0


def test_layers_without_maps_are_listed_with_the_reason(image: Tensor) -> None:
    maps, unshown = layer_maps(Odd(), ["idle", "pair", "broken"], image)
    assert maps == []
    assert unshown == [
        Unshown("pair", "its output is a tuple, expected a tensor (1, channels, height, width)"),
        Unshown("broken", "its output is not finite"),
        Unshown("idle", "the forward pass never calls it"),
    ]
    _, (flat,) = layer_maps(network(), ["flatten", "conv1"], image)
    assert flat == Unshown("flatten", "its output has the shape (1, 60), expected (1, channels, height, width)")


# ------------------------------------------------------------------------------------------- Grad-CAM


def test_grad_cam_of_a_network_that_pools_is_the_class_activation_map(image: Tensor) -> None:
    """With global average pooling and a linear head, the weights are the head's over the number of pixels."""
    pytest.importorskip("captum")
    torch.manual_seed(0)
    layers = [nn.Conv2d(1, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3)]
    model = nn.Sequential(*layers)
    output = layers[0](image[None])[0]
    for target in range(3):
        expected = torch.einsum("c,chw->hw", layers[3].weight[target], output).relu() / 24
        torch.testing.assert_close(grad_cam(model, "0", image, target), expected.detach())


@pytest.mark.parametrize("layer", ["conv1", "act1", "conv2", "act2"])
def test_grad_cam_is_the_formula_also_before_a_layer_in_place(image: Tensor, layer: str) -> None:
    pytest.importorskip("captum")
    model = network(inplace=False).eval()
    kept: list[Tensor] = []
    handle = model.get_submodule(layer).register_forward_hook(lambda _m, _i, output: kept.append(output))
    logits = model(image[None])
    handle.remove()
    (gradient,) = torch.autograd.grad(logits[0, 2], kept[0])
    expected = (gradient.mean(dim=(2, 3), keepdim=True) * kept[0]).sum(dim=1)[0].relu().detach()
    trained = network().train()
    torch.testing.assert_close(grad_cam(trained, layer, image, 2), expected)
    assert trained.training
    assert all(p.grad is None for p in trained.parameters())


def test_a_single_logit_speaks_for_the_second_class_and_against_the_first(image: Tensor) -> None:
    pytest.importorskip("captum")
    one, two = network(outputs=1), network(outputs=2)
    both = {k: torch.cat([-v, v]) if k.startswith("output") else v for k, v in one.state_dict().items()}
    two.load_state_dict(both)
    for target in (0, 1):
        torch.testing.assert_close(grad_cam(one, "conv2", image, target), grad_cam(two, "conv2", image, target))


def test_the_last_convolution_with_more_than_a_pixel_is_taken(image: Tensor) -> None:
    assert cam_layer(network(), image) == "conv2"
    assert cam_layer(network(), image, "pool1") == "pool1"
    pooled = nn.Sequential(nn.Conv2d(1, 2, 3), nn.AdaptiveAvgPool2d(1), nn.Conv2d(2, 3, 1), nn.Flatten())
    assert cam_layer(pooled, image) == "0"
    assert cam_layer(nn.Sequential(nn.Flatten(), nn.Linear(48, 2)), image) is None
    with pytest.raises(AssayError, match=r"^--cam: layer '2' has no maps \(its maps are a single pixel\)"):
        cam_layer(pooled, image, "2")


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("conv3", "--cam: no layer is called 'conv3'; did you mean 'conv2' or 'conv1'?"),
        (
            "output",
            "--cam: layer 'output' has no maps (its output has the shape (1, 3), expected (1, channels, height, "
            "width)); expected one of: conv1, conv2",
        ),
    ],
)
def test_a_layer_that_cannot_be_shown_is_told(image: Tensor, name: str, sentence: str) -> None:
    with pytest.raises(AssayError, match=f"^{re.escape(sentence)}$"):
        cam_layer(network(), image, name)


# ------------------------------------------------------------------------------------------- the page


def test_pictures_are_enlarged_in_whole_steps() -> None:
    pixels = np.arange(6, dtype=np.uint8).reshape(1, 2, 3)
    large = enlarged(pixels)
    assert large.shape == (1, 212, 318)
    assert (large[:, ::106, ::106] == pixels).all()
    assert (large[0, :106, :106] == 0).all()
    assert enlarged(np.zeros((3, 400, 10), np.uint8)).shape == (3, 400, 10)


def test_the_overlay_is_half_picture_half_colour() -> None:
    dark, bright = (np.array([int(style.sequential(9)[i][k : k + 2], 16) for k in (1, 3, 5)]) for i in (0, -1))
    pixels = np.full((1, 400, 400), 100, np.uint8)
    mixed = overlay(pixels, np.array([[0.0, 7.0]], np.float32))
    assert mixed.shape == (3, 400, 400)
    assert mixed[:, 200, 0] == pytest.approx((100 + dark) / 2, abs=1)
    assert mixed[:, 200, -1] == pytest.approx((100 + bright) / 2, abs=1)
    silent = overlay(pixels, np.zeros((2, 2), np.float32))
    assert (np.ptp(silent.reshape(3, -1), axis=1) == 0).all()


class Reader(HTMLParser):
    """The images and the outside addresses of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.images: list[dict[str, str | None]] = []
        self.outside: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if tag == "img":
            self.images.append(values)
        self.outside += [v for k, v in attrs if k == "src" and v and not v.startswith("data:")]


def test_names_on_the_page_are_escaped_and_every_picture_is_described(tmp_path: Path, image: Tensor) -> None:
    maps, unshown = layer_maps(network(), ["conv1", "flatten", "output"], image)
    nasty = " ".join(NASTY)
    answer = Prediction(Path(nasty), nasty, {nasty: 0.75, "other": 0.25})
    picture = Path(f"{nasty}.png".replace("/", ""))
    look = Look(Path("runs"), picture, np.zeros((1, 6, 8), np.uint8), answer, maps, unshown, "conv2", None)
    page = write_look(look, tmp_path / "page").read_text(encoding="utf-8")
    assert nasty not in page
    assert str(escape(nasty)) in page
    assert "pip install &#39;assay-studies[maps]&#39;" in page
    assert "vegaEmbed =" not in page
    found = Reader(page)
    assert found.outside == []
    assert len(found.images) == 1 + 4
    assert all(each["alt"] for each in found.images)
    assert "prefers-color-scheme: dark" in page


# ---------------------------------------------------------------------------------------- the command


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run of a small convolutional network on digits."""
    out = tmp_path_factory.mktemp("runs")
    base = {
        "data": {"source": "digits", "validation": 0.15},
        "model": {"name": "cnn", "channels": [3, 4], "dense": [8]},
        "train": {"epochs": 1, "batch_size": 64},
    }
    run_study(Study(title="maps", name="maps", base=base, seeds=1), out, quiet=True)
    return out / "maps" / "base" / "seed-0"


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / "a <b>digit.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (8, 8), np.uint8)).save(path)
    return path


def test_the_command_writes_one_page_and_prints_its_path(
    run: Path, picture: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("captum")
    monkeypatch.chdir(tmp_path)
    ended = assay(capfd, "maps", run, picture, "--layers", "conv*, dense1")
    assert (ended.status, ended.err) == (0, "")
    path = Path(ended.out.strip().removeprefix("page: "))
    assert path == Path("maps") / "a <b>digit" / "index.html"
    assert [each.name for each in path.parent.iterdir()] == ["index.html"]
    page = path.read_text(encoding="utf-8")
    (prediction,) = predict(run, [picture])
    assert f"<bdi>{prediction.label}</bdi>, with probability {prediction.probability:.3f}" in page
    described = [each["alt"] for each in Reader(page).images]
    assert described[1] == f"Grad-CAM of {prediction.label} at layer conv2, over a <b>digit.png"
    assert sorted(described[2:5]) == [f"channel {n} of conv1" for n in range(3)]
    assert sorted(described[5:]) == [f"channel {n} of conv2" for n in range(4)]
    assert "its output has the shape (1, 8), expected (1, channels, height, width)" in page


def test_another_folder_and_another_layer(
    run: Path, picture: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("captum")
    ended = assay(capfd, "maps", run, picture, "--cam", "conv1", "--out", tmp_path / "there")
    assert ended.out == f"page: {tmp_path / 'there' / 'index.html'}\n"
    assert "at layer conv1, over" in (tmp_path / "there" / "index.html").read_text(encoding="utf-8")


def test_without_captum_the_page_has_the_channels_and_says_what_to_install(
    run: Path, picture: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("assay.tools.looking.command.available", lambda: False)
    assert assay(capfd, "maps", run, picture, "--layers", "conv1", "--out", tmp_path).status == 0
    page = (tmp_path / "index.html").read_text(encoding="utf-8")
    assert "Grad-CAM needs captum" in page
    assert [each["alt"] for each in Reader(page).images][1].startswith("channel ")


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--layers", "cnv*"], "assay: layers: no layer is called 'cnv*'; did you mean 'conv2' or 'conv1'?\n"),
        (["--cam", "dense1"], "assay: --cam: layer 'dense1' has no maps (its output has the shape (1, 8), "),
        (["--cam", "conv9"], "assay: --cam: no layer is called 'conv9'; did you mean 'conv2' or 'conv1'?\n"),
    ],
)
def test_mistakes_are_sentences(
    run: Path, picture: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str], options: list[str], sentence: str
) -> None:
    ended = assay(capfd, "maps", run, picture, "--out", tmp_path / "page", *options)
    assert ended.status == 2
    assert ended.err.startswith(sentence)
    assert not (tmp_path / "page").exists()


def test_no_run_and_no_picture_are_sentences(
    run: Path, picture: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert "there is no run; expected the folder of a finished run" in assay(capfd, "maps", tmp_path, picture).err
    (tmp_path / "notes.png").write_text("these are words")
    ended = assay(capfd, "maps", run, tmp_path / "notes.png")
    assert (ended.status, ended.err) == (2, f"assay: {tmp_path / 'notes.png'} is not an image\n")


def test_help_names_every_option(capfd: pytest.CaptureFixture[str]) -> None:
    ended = assay(capfd, "maps", "--help")
    for word in ("RUN", "PICTURE", "--layers", "--cam", "--out", "block1.*", "Grad-CAM"):
        assert word in ended.out
