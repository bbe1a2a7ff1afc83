"""Files of weights as trainings leave them: what is unambiguous is loaded, what was taken is told."""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from assay import seeds
from assay.errors import AssayError
from assay.models import build
from assay.models.weight_files import of_network, read_file
from assay.models.weights import in_words, load_pretrained
from assay.recipe import Model

SHAPE = (3, 32, 32)
State = dict[str, Tensor]


def make(seed: int) -> nn.Module:
    with seeds.scoped(seed, "initialisation"):
        return build(Model.model_validate({"name": "timm/resnet10t"}), SHAPE, 2)


@pytest.fixture(scope="module")
def state() -> State:
    return dict(make(0).state_dict())


def loaded(path: Path, **model: Any) -> tuple[nn.Module, dict[str, Any]]:
    network = make(1)
    asked = Model.model_validate({"name": "timm/resnet10t", "pretrained": str(path), **model})
    return network, load_pretrained(network, asked, SHAPE, ["a", "b"])


def under(prefix: str, state: State) -> State:
    return {f"{prefix}{name}": value for name, value in state.items()}


def halved(state: State) -> State:
    return {name: value / 2 if value.is_floating_point() else value for name, value in state.items()}


# ------------------------------------------------------------------------------------------- what lies around them

AROUND: dict[str, tuple[Callable[[State], Any], str, list[str]]] = {
    "nothing": (lambda s: s, "", []),
    "data parallel": (lambda s: under("module.", s), "module", []),
    "compiled": (lambda s: under("_orig_mod.", s), "_orig_mod", []),
    "compiled and data parallel": (lambda s: under("module._orig_mod.", s), "module._orig_mod", []),
    "a training": (
        lambda s: {"model_state_dict": s, "optimizer_state_dict": {"state": {0: {"step": torch.ones(1)}}}, "epoch": 3},
        "model_state_dict",
        ["optimizer_state_dict"],
    ),
    "a mean alone": (lambda s: {"epoch": 3, "state_dict_ema": s}, "state_dict_ema", []),
    "lightning": (lambda s: {"state_dict": under("model.", s), "epoch": 1}, "state_dict.model", []),
    "lightning with its loss": (
        lambda s: {"state_dict": under("model.", s) | {"criterion.weight": torch.ones(2)}},
        "state_dict.model",
        ["state_dict.criterion"],
    ),
    "swa": (lambda s: under("module.", s) | {"n_averaged": torch.tensor(3)}, "module", ["n_averaged"]),
    "arguments": (lambda s: {"state_dict": s, "args": argparse.Namespace(lr=0.1, at=Path("x"))}, "state_dict", []),
    "metrics": (lambda s: {"state_dict": s, "best": np.float64(0.9), "all": np.arange(3)}, "state_dict", []),
    "parameters": (lambda s: {n: nn.Parameter(v, v.is_floating_point()) for n, v in s.items()}, "", []),
}


@pytest.mark.parametrize("around", AROUND)
def test_weights_are_found_whatever_lies_around_them(around: str, state: State, tmp_path: Path) -> None:
    wrap, inside, beside = AROUND[around]
    torch.save(wrap(state), path := tmp_path / "w.pth")
    network, record = loaded(path)
    assert all(torch.equal(value, state[name]) for name, value in network.state_dict().items())
    assert record["origin"] == (f"{path} ({inside})" if inside else str(path))
    assert (record["is_whole"], record["not_loaded"], record["not_used"]) == (True, [], [])
    assert record["beside"] == beside


def test_a_backbone_in_a_larger_network_is_found_without_its_head(state: State, tmp_path: Path) -> None:
    body = {name: value for name, value in state.items() if not name.startswith("fc.")}
    torch.save(under("backbone.", body) | {"decoder.weight": torch.ones(3)}, path := tmp_path / "w.pth")
    network, record = loaded(path)
    assert torch.equal(network.state_dict()["layer1.0.conv1.weight"], state["layer1.0.conv1.weight"])
    assert (record["not_loaded"], record["beside"]) == (["fc.weight", "fc.bias"], ["decoder"])


# ------------------------------------------------------------------------------------------------- several networks


@pytest.mark.parametrize(
    "wrap",
    [
        lambda plain, mean: {"state_dict": plain, "state_dict_ema": under("module.", mean)},
        lambda plain, mean: {"model": plain, "model_ema": mean},
        lambda plain, mean: {"state_dict": under("model.", plain) | under("ema_model.", mean)},
        lambda plain, mean: {"swa": mean, "net": plain},
    ],
)
def test_of_a_mean_over_the_training_and_the_last_weights_the_mean_is_taken_and_told(
    wrap: Callable[[State, State], Any], state: State, tmp_path: Path
) -> None:
    torch.save(wrap(state, halved(state)), path := tmp_path / "w.pth")
    network, record = loaded(path)
    assert torch.equal(network.state_dict()["layer1.0.conv1.weight"], state["layer1.0.conv1.weight"] / 2)
    inside = record["origin"].removeprefix(str(path))
    assert "ema" in inside or "swa" in inside
    assert record["origin"] in in_words(record)
    assert f"beside them in the file: {record['beside'][0]}" in in_words(record)


def test_where_nothing_tells_which_is_meant_all_are_named(state: State, tmp_path: Path) -> None:
    torch.save({"student": state, "teacher": halved(state)}, path := tmp_path / "w.pth")
    with pytest.raises(AssayError, match="several networks that fit: 'student', 'teacher'; save the one that is meant"):
        loaded(path)
    torch.save({"student": state, "epoch": 3}, path)
    assert loaded(path)[1]["origin"] == f"{path} (student)"


def test_what_does_not_fit_is_shown_under_the_names_of_the_network(state: State, tmp_path: Path) -> None:
    other = {name: value for name, value in state.items() if name != "bn1.weight"}
    torch.save({"state_dict": under("module.", other)}, path := tmp_path / "w.pth")
    with pytest.raises(AssayError, match=r"1 are missing in it: bn1\.weight"):
        loaded(path)
    assert loaded(path, strict=False)[1]["not_loaded"] == ["bn1.weight"]


def test_names_that_are_found_in_few_places_are_no_several_networks() -> None:
    given = {name: torch.ones(1) for name in ("a.weight", "b.weight", "c.bias")}
    assert of_network(given, ["weight", "x", "y", "z"])[0] == ""
    assert of_network(given, ["bias"])[0] == "c."


# ------------------------------------------------------------------------------------------------- formats


@pytest.mark.filterwarnings("ignore:.*torch.jit:FutureWarning")
def test_a_program_is_told_apart_from_weights(tmp_path: Path) -> None:
    torch.jit.script(nn.Linear(2, 2)).save(path := tmp_path / "w.pt")
    with pytest.raises(AssayError, match=r"is a program of TorchScript; expected what torch\.save"):
        read_file(path)


def test_the_format_is_told_by_the_content(state: State, tmp_path: Path) -> None:
    save_file(state, renamed := tmp_path / "pytorch_model.bin")
    torch.save(state, other := tmp_path / "model.safetensors")
    torch.save(state, old := tmp_path / "old.pth", _use_new_zipfile_serialization=False)
    for path in (renamed, other, old):
        assert all(torch.equal(value, state[name]) for name, value in read_file(path).items())


def test_no_code_in_a_file_is_run(tmp_path: Path, state: State) -> None:
    class Touch:
        def __init__(self, path: Path) -> None:
            self.path = path

        def __reduce__(self) -> Any:
            return (exec, (f"open({str(self.path)!r}, 'w')",))

    torch.save({"model": state, "extra": Touch(tmp_path / "touched")}, path := tmp_path / "w.pth")
    assert set(read_file(path)) == {f"model.{name}" for name in state}
    torch.save({"model": state, "extra": Touch(tmp_path / "touched")}, path, _use_new_zipfile_serialization=False)
    with pytest.raises(AssayError, match="holds objects that only code of their own could make"):
        read_file(path)
    assert not (tmp_path / "touched").exists()
