"""Networks of timm and torchvision: each builds, trains, predicts, is saved and probed."""

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from PIL import Image
from safetensors.torch import load as load_tensors
from torch import nn
from torch.nn import functional

from assay import seeds
from assay.errors import AssayError
from assay.models import build
from assay.models.catalogue import complete, inputs, try_out
from assay.models.state import check_kept, packed, restore, snapshot
from assay.recipe import Model, Recipe
from assay.recipe.study import Study
from assay.runs.engine import run as run_study
from assay.separation import layers
from assay.tools.predict import predict
from assay.tools.probe import probe, probe_model
from assay.train.checkpoint import State, pack, unpack
from command import assay

IMAGENET = {"mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}
NETWORKS = {
    "timm/resnet18": 32,
    "timm/vit_tiny_patch16_224": 32,
    "timm/efficientnet_b0": 32,
    "torchvision/mobilenet_v2": 32,
    "torchvision/squeezenet1_0": 32,
    "timm/mobilenetv2_100": 32,
    "timm/densenet121": 32,
    "timm/swin_tiny_patch4_window7_224": 56,
    "timm/resnet101": 32,
    "timm/vgg16": 32,
    "timm/inception_v3": 75,
    "torchvision/inception_v3": 75,
    "torchvision/googlenet": 32,
    "torchvision/resnet18": 32,
    "torchvision/densenet121": 32,
    "torchvision/efficientnet_b0": 32,
    "torchvision/swin_t": 32,
}
"""Name → a side that is quick and large enough."""
QUICK = 5


def make(name: str, shape: tuple[int, int, int], outputs: int = 3, seed: int = 0, **arguments: Any) -> nn.Module:
    with seeds.scoped(seed, "initialisation"):
        return build(Model(name=name, **arguments), shape, outputs)


def recipe(model: Any, **data: Any) -> Recipe:
    return Recipe.model_validate({"data": {"source": "digits"} | data, "model": {"name": model}})


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two classes of eight 20×20 pictures, dark and bright."""
    root = tmp_path_factory.mktemp("off the shelf") / "set"
    noise = np.random.default_rng(0)
    for label, low in (("dark", 0), ("bright", 120)):
        (root / label).mkdir(parents=True)
        for n in range(8):
            pixels = noise.integers(low, low + 100, (20, 20, 3), np.uint8)
            Image.fromarray(pixels).save(root / label / f"{n}.png")
    return root


# ----------------------------------------------------------------------------------------- every network


@pytest.mark.parametrize(
    ("name", "side"),
    [pytest.param(n, s, marks=[] if i < QUICK else pytest.mark.slow) for i, (n, s) in enumerate(NETWORKS.items())],
)
def test_a_network_trains_predicts_is_saved_and_probed(name: str, side: int) -> None:
    shape = (3, side, side)
    try_out(Model(name=name), shape, 3)
    model = make(name, shape).train()
    images, labels = torch.randn(4, *shape), torch.arange(4) % 3
    logits = model(images)
    assert logits.shape == (4, 3)
    functional.cross_entropy(logits, labels).backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())
    torch.optim.SGD(model.parameters(), 0.001).step()

    again = make(name, shape)
    again.load_state_dict(model.state_dict())
    with torch.no_grad():
        assert torch.equal(again.eval()(images), model.eval()(images))

    found = layers(model, [(images, labels)])
    assert found.table["value"].is_between(0, 1).all()
    last = list(model.named_children())[-1][0]
    assert last in {*found.table["layer"], *(name for name, _ in found.skipped)}


@pytest.mark.parametrize("name", ["torchvision/mnasnet0_5", "torchvision/regnet_y_400mf", "timm/resnet18"])
def test_the_tensors_of_a_network_are_copied_written_and_put_back(name: str) -> None:
    model, images = make(name, (3, 32, 32)), torch.randn(2, 3, 32, 32)
    check_kept(model)
    expected, again = model.eval()(images), make(name, (3, 32, 32), seed=1).eval()
    assert not torch.equal(again(images), expected)
    for tensors in (snapshot(model), unpack(pack(State(model=snapshot(model)))).model, load_tensors(packed(model))):
        other = make(name, (3, 32, 32), seed=1).eval()
        restore(other, tensors)
        assert torch.equal(other(images), expected)


def test_tensors_that_do_not_fit_are_not_put_back() -> None:
    model = make("timm/resnet18", (3, 32, 32))
    for tensors in (dict(list(snapshot(model).items())[1:]), snapshot(model) | {"more": torch.zeros(1)}):
        with pytest.raises(RuntimeError, match=r"conv1\.weight|more"):
            restore(model, tensors)


def test_layers_that_share_their_weights_are_kept() -> None:
    one = nn.Linear(3, 3)
    model = nn.Sequential(one, nn.Linear(3, 3))
    model[1].weight = one.weight
    check_kept(model)
    assert torch.equal(load_tensors(packed(model))["1.weight"], one.weight)


def test_a_network_that_cannot_be_kept_is_told_before_training() -> None:
    class Versioned(nn.Linear):
        def _load_from_state_dict(self, *_: Any) -> None:
            raise ValueError("version should be 9")

    with pytest.raises(AssayError, match=r"the network could not be kept.*version should be 9"):
        check_kept(Versioned(3, 3))


@pytest.mark.parametrize("freeze", ["none", "backbone"])
def test_a_network_that_marks_its_format_is_trained_and_predicts(freeze: str, pictures: Path, tmp_path: Path) -> None:
    base = {
        "data": {"source": str(pictures), "size": 32, "validation": 0.5},
        "model": {"name": "torchvision/mnasnet0_5", "freeze": freeze},
        "train": {"epochs": 2, "phases": [{"epochs": 1}, {"epochs": 1}]},
    }
    (run,) = run_study(Study(title="t", name="s", base=base, seeds=1), tmp_path, quiet=True).runs
    assert run.state == "finished"
    assert len(predict(run.folder, [pictures / "dark" / "0.png"])) == 1


@pytest.mark.parametrize("name", ["timm/resnet18", "torchvision/squeezenet1_0", "timm/vit_tiny_patch16_224"])
def test_gray_images_take_one_channel(name: str) -> None:
    try_out(Model(name=name), (1, 32, 32), 3)
    assert make(name, (1, 32, 32))(torch.randn(2, 1, 32, 32)).shape == (2, 3)


def test_a_gray_network_of_torchvision_sees_what_the_rgb_one_sees() -> None:
    gray, rgb = (make("torchvision/resnet18", (channels, 32, 32)).eval() for channels in (1, 3))
    images = torch.randn(2, 1, 32, 32)
    assert torch.allclose(gray(images), rgb(images.expand(-1, 3, -1, -1)), atol=1e-5)


def test_weights_follow_the_seed() -> None:
    one, same = (make("timm/resnet18", (3, 32, 32)).state_dict() for _ in range(2))
    assert all(torch.equal(one[name], same[name]) for name in one)


def test_an_own_argument_reaches_the_network() -> None:
    assert make("timm/resnet18", (3, 32, 32), drop_rate=0.25).drop_rate == 0.25
    assert make("torchvision/squeezenet1_0", (3, 32, 32), dropout=0.25).classifier[0].p == 0.25


# ------------------------------------------------------------------------------------------ their images


def test_a_recipe_is_completed_by_what_the_network_was_made_for() -> None:
    data = complete(recipe("timm/resnet18")).dump()["data"]
    assert (data["size"], data["color"], data["normalize"]) == ([224, 224], "rgb", IMAGENET)
    assert complete(recipe("timm/inception_v3")).data.size == (299, 299)
    assert complete(recipe("torchvision/vgg16")).dump()["data"]["normalize"] == IMAGENET


def test_what_a_recipe_states_stays() -> None:
    data = complete(recipe("timm/resnet18", size=[40, 48], color="gray", normalize="standard")).data
    assert (data.size, data.color, data.normalize) == ((40, 48), "gray", "standard")


def test_gray_images_get_the_mean_of_the_colours() -> None:
    normalize = complete(recipe("timm/resnet18", color="gray")).dump()["data"]["normalize"]
    assert normalize == {"mean": [pytest.approx(0.449)], "std": [pytest.approx(0.226)]}


def test_inception_of_torchvision_gets_what_its_own_transform_would_give() -> None:
    made_for = inputs(Model(name="torchvision/inception_v3"))
    assert made_for is not None
    pixels, outer, inner = torch.rand(1, 3, 4, 4), torch.tensor(IMAGENET["mean"]), torch.tensor(IMAGENET["std"])
    from torchvision.models import Inception3

    network = Inception3(transform_input=True, aux_logits=False, init_weights=False)
    theirs = network._transform_input((pixels - outer.view(-1, 1, 1)) / inner.view(-1, 1, 1))
    ours = (pixels - torch.tensor(made_for.mean).view(-1, 1, 1)) / torch.tensor(made_for.std).view(-1, 1, 1)
    assert torch.allclose(ours, theirs, atol=1e-5)


@pytest.mark.parametrize("name", ["timm/resnet18", "cnn"])
def test_completion_is_the_same_twice_and_through_a_file(name: str) -> None:
    first = recipe(name)
    done = complete(first).dump()
    assert complete(complete(first)).dump() == done
    assert complete(Recipe.model_validate(yaml.safe_load(yaml.safe_dump(first.dump())))).dump() == done
    assert complete(Recipe.model_validate(yaml.safe_load(yaml.safe_dump(done)))).dump() == done


def test_networks_of_our_own_keep_their_recipes() -> None:
    data = recipe("cnn")
    assert complete(data).data == data.data
    assert data.data.normalize == "standard"


# ---------------------------------------------------------------------------------------------- mistakes


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("timm/resnet81", "unknown timm model 'resnet81'; did you mean 'resnet18' or"),
        ("timm/resnet18.a1_in2k", "unknown timm model 'resnet18.a1_in2k'; did you mean 'resnet18.a1_in1k'"),
        ("torchvision/vgg61", "unknown torchvision model 'vgg61'; did you mean 'vgg"),
        ("tim/resnet18", "unknown model 'tim/resnet18'; did you mean 'timm/resnet18'"),
        ("resnet18", "unknown model 'resnet18'; did you mean 'resnet9' or 'timm/resnet18'"),
        ("torchvision/maskrcnn_resnet50_fpn", "'torchvision/maskrcnn_resnet50_fpn' is no image classifier"),
    ],
)
def test_an_unknown_name_is_told_the_nearest(name: str, said: str) -> None:
    with pytest.raises(AssayError, match=re.escape(said)):
        complete(recipe(name))


@pytest.mark.parametrize(
    ("model", "side", "said"),
    [
        ({"name": "timm/resnet18", "drop": 1}, 32, "model 'timm/resnet18' has no argument 'drop'"),
        ({"name": "torchvision/resnet18", "drop": 1}, 32, "model 'torchvision/resnet18' has no argument 'drop'"),
        ({"name": "timm/resnet18", "num_classes": 1}, 32, "model 'timm/resnet18' has no argument 'num_classes'"),
        ({"name": "torchvision/vit_b_16"}, 40, "cannot be built for images of 40×40: Input shape indivisible"),
        ({"name": "torchvision/alexnet"}, 32, "the network does not fit images of (3, 32, 32): "),
    ],
)
def test_a_network_that_cannot_be_is_refused(model: dict[str, Any], side: int, said: str) -> None:
    with pytest.raises(AssayError, match=re.escape(said)):
        try_out(Model(**model), (3, side, side), 3)


def test_what_gives_no_logits_is_no_classifier(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("assay.models.catalogue.build", lambda *_: nn.Flatten())
    with pytest.raises(AssayError, match="model 'timm/odd' gives \\(48,\\) for an image, expected 3 numbers"):
        try_out(Model(name="timm/odd"), (3, 4, 4), 3)


def test_a_network_that_cannot_live_without_memory_is_tried_in_earnest(monkeypatch: pytest.MonkeyPatch) -> None:
    class Reads(nn.Flatten):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            assert x.sum().item() == 0
            return super().forward(x)[:, :3]

    monkeypatch.setattr("assay.models.catalogue.build", lambda *_: Reads())
    try_out(Model(name="timm/odd"), (3, 4, 4), 3)


def test_normalize_model_needs_a_network_that_has_one() -> None:
    with pytest.raises(AssayError, match=r"data.normalize: model 'cnn' has no normalisation of its own"):
        complete(recipe("cnn", normalize="model"))


@pytest.mark.parametrize("name", ["detector", "rcnn"])
def test_a_backbone_without_its_library_is_told_by_its_full_name(name: str) -> None:
    for backbone, such in (("resnet18", "timm/resnet18"), ("x/y", "timm/tf_efficientnet_lite0")):
        with pytest.raises(
            AssayError, match=f"model.backbone: found '{backbone}', expected a network of timm such as {such}"
        ):
            complete(recipe(name, normalize="model").model_copy(update={"model": Model(name=name, backbone=backbone)}))


def test_a_mean_for_every_channel() -> None:
    from assay.data import load

    values = recipe("cnn", normalize={"mean": [0.5, 0.5], "std": [0.5, 0.5]})
    with pytest.raises(AssayError, match=r"data.normalize.mean: found 2 numbers, expected one a channel: 1"):
        load(values.data, 0, Path())


def test_catalogue_imports_neither_torch_nor_timm() -> None:
    code = "import sys, assay.models.catalogue; sys.exit('torch' in sys.modules or 'timm' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


# ------------------------------------------------------------------------------------------- whole runs


@pytest.fixture(scope="module")
def run(pictures: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The finished run of a small study."""
    study = Study(
        title="Does a network off the shelf train?",
        name="shelf",
        base={
            "data": {"source": str(pictures), "size": 32, "validation": 0.25, "test": 0.25},
            "model": {"name": "timm/resnet18"},
            "train": {"epochs": 1, "batch_size": 4, "optimizer": "sgd"},
            "evaluate": ["classification", "cost"],
        },
        seeds=1,
    )
    out = tmp_path_factory.mktemp("runs")
    results = run_study(study, out, quiet=True)
    assert [r.state for r in results.runs] == ["finished"], results.runs[0].reason
    run_study(study, out, quiet=True)  # the same recipe is recognised
    return results.runs[0].folder


def test_the_recipe_on_disk_has_everything_written_out(run: Path) -> None:
    data = yaml.safe_load((run / "recipe.yaml").read_text(encoding="utf-8"))["data"]
    assert (data["size"], data["color"], data["normalize"]) == (32, "rgb", IMAGENET)


def test_a_run_predicts(run: Path, pictures: Path) -> None:
    found = predict(run, [pictures / "dark" / "0.png"])
    assert set(found[0].probabilities) == {"bright", "dark"}


def test_a_run_is_probed(run: Path) -> None:
    assert "layer4" in probe(run, splits=["test"]).table["layer"].to_list()


# -------------------------------------------------------------------------------------- without a run


def test_a_network_is_probed_without_a_run(pictures: Path) -> None:
    found = probe_model("timm/resnet18", pictures, ["layer*", "fc"], images=8, size=32)
    assert {"layer1", "layer4", "fc"} <= set(found.table["layer"])
    assert set(found.table["split"]) == {"train", "test"}
    widths = dict(found.table.select("layer", "width").rows())
    assert (widths["layer1"], widths["fc"]) == (64 * 8 * 8, 2)


def test_the_command_probes_a_network(
    pictures: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ASSAY_DATA", str(pictures.parent))
    command = ("probe", "--model", "timm/resnet18", "--data", "set", "--size", "32", "--layers", "layer1,fc")
    ended = assay(capfd, *command, "--split", "test", "--images", "4")
    assert ended.status == 0, ended.err
    assert "timm/resnet18: random weights, a head fitted to the classes; at most 4 images of each split" in ended.out
    assert "separation test" in ended.out
    assert "layer1" in ended.out
    page = Path("probes") / "timm_resnet18" / "index.html"
    assert ended.out.splitlines()[-1] == f"page: {page}"
    assert "random weights · images of set · at most 4 images of the test images" in page.read_text(encoding="utf-8")


def test_an_image_that_cannot_be_read_is_left_out_and_named(
    pictures: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    damaged = tmp_path / "damaged"
    shutil.copytree(pictures, damaged)
    (damaged / "dark" / "torn.png").write_bytes((damaged / "dark" / "0.png").read_bytes()[:100])
    command = (
        "probe",
        "--model",
        "mlp",
        "--data",
        str(damaged),
        "--layers",
        "flatten, output",
        "--split",
        "train, test",
        "--out",
        str(tmp_path / "page"),
    )
    ended = assay(capfd, *command)
    assert ended.status == 0, ended.err
    assert "dark/torn.png was left out: " in ended.out
    assert "dark/torn.png" in (tmp_path / "page" / "tables" / "skipped.csv").read_text(encoding="utf-8")
    assert {"flatten", "output"} <= {line.split(" ")[0] for line in ended.out.splitlines()}
    found = probe_model("mlp", damaged)
    assert [name for name, _ in found.left_out] == ["dark/torn.png"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "expected either the folder of a finished run, or --model"),
        (("somewhere", "--model", "timm/resnet18"), "expected either the folder of a finished run, or --model"),
        (("--model", "timm/resnet18"), "probe --model timm/resnet18: --data is missing"),
        (("somewhere", "--size", "32"), "--size, --layout and --pretrained go with --model"),
        (("--model", "timm/resnet81", "--data", "digits"), "unknown timm model 'resnet81'"),
        (("--model", "timm/resnet18", "--data", "digit"), "unknown data source 'digit'; did you mean 'digits'?"),
    ],
)
def test_what_probe_needs_is_said(words: tuple[str, ...], said: str, capfd: pytest.CaptureFixture[str]) -> None:
    ended = assay(capfd, "probe", *words)
    assert ended.status == 2
    assert said in ended.err
