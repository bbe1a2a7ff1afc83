"""Runs that a study finds in its folder: taken over where the recipe is the same, refused where the base is another."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from assay.errors import AssayError
from assay.results import Results
from assay.runs.reuse import essence
from assay.system import claim
from assay.system.integrity import digests
from assay.tools.verify import verify
from driving import count, leftovers, run_here, tree, write_study

NARROW: dict[str, Any] = {"vary": {"model.hidden": [[4], [5]]}}
WIDE: dict[str, Any] = {"vary": NARROW["vary"] | {"train.batch_size": [64, 32]}}


@pytest.fixture(scope="module")
def narrow(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study of two finished runs, ``hidden=4`` and ``hidden=5``."""
    place = tmp_path_factory.mktemp("reuse")
    return run_here(write_study(place / "s.yaml", **NARROW), place).folder


@pytest.fixture
def folder(narrow: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(narrow, tmp_path / "s"))


def run(folder: Path, **values: Any) -> Results:
    return run_here(write_study(folder.with_suffix(".yaml"), **values), folder.parent)


def trained(results: Results) -> list[str]:
    """The variants whose run was begun under that name."""
    return [each.variant for each in results.runs if "taken over" not in (each.folder / "log.txt").read_text()]


def test_a_factor_more_trains_only_what_is_new(folder: Path) -> None:
    earlier = {name: (folder / name).read_bytes() for name in tree(folder) if "report" not in name}
    before = Results.read(folder)
    wide = run(folder, **WIDE)
    assert [each.state for each in wide.runs] == ["finished"] * 4
    assert sorted(trained(wide)) == ["hidden=4, batch_size=32", "hidden=5, batch_size=32"]
    for old, new in (("hidden=4", "hidden=4, batch_size=64"), ("hidden=5", "hidden=5, batch_size=64")):
        assert wide.metrics(wide.run(new, 0)) == before.metrics(before.run(old, 0))
        assert wide.predictions(wide.run(new, 0)).equals(before.predictions(before.run(old, 0)))
    assert all(not one.wrong for one in verify(folder))
    assert leftovers(folder) == []
    kept = {name: content for name, content in earlier.items() if name.startswith("hidden")}
    assert {name: (folder / name).read_bytes() for name in kept} == kept


def test_a_factor_less_finds_what_the_wider_study_trained(tmp_path: Path) -> None:
    run(tmp_path / "s", **WIDE)
    narrow = run(tmp_path / "s", **NARROW)
    assert trained(narrow) == []
    assert [each.state for each in narrow.runs] == ["finished"] * 2


def test_another_seed_or_a_damaged_run_is_trained(folder: Path) -> None:
    (folder / "hidden=4" / "seed-0" / "model.safetensors").write_bytes(b"damaged")
    wide = run(folder, seeds=2, **WIDE)
    assert len(trained(wide)) == 7
    assert "taken over" in (wide.run("hidden=5, batch_size=64", 0).folder / "log.txt").read_text()
    assert [each.state for each in wide.runs] == ["finished"] * 8


def test_runs_without_hashes_are_taken_over_too(folder: Path) -> None:
    for path in folder.rglob("status.json"):
        status = json.loads(path.read_text())
        path.write_text(json.dumps({key: value for key, value in status.items() if key != "files"}))
    assert len(trained(run(folder, **WIDE))) == 2


def test_a_takeover_that_was_cut_off_is_begun_again(folder: Path) -> None:
    half = folder / "hidden=4,batch_size=64" / "seed-0"
    half.mkdir(parents=True)
    (half / "metrics.json").write_text("{}")
    (half / "checkpoint.safetensors").write_bytes(b"left")
    wide = run(folder, **WIDE)
    assert len(trained(wide)) == 2
    assert digests(half) == json.loads((half / "status.json").read_text())["files"]
    assert leftovers(folder) == []


def test_a_run_that_somebody_holds_is_left_to_him(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    held = folder / "hidden=4,batch_size=64" / "seed-0"
    held.mkdir(parents=True)
    seen: list[set[str]] = []
    monkeypatch.setattr("assay.runs.engine.work", lambda *_: seen.append(tree(held)))
    with claim.acquire(held, claim.Watch()):
        run(folder, **WIDE)
    assert seen == [{"claim-000001.json"}]


def test_a_recipe_is_known_by_what_it_says() -> None:
    assert essence({"a": {"b": 1, "c": None}, "d": [2]}) == essence({"d": [2], "a": {"b": 1}})
    assert essence({"a": 1}) != essence({"a": 1.5})


# ---------------------------------------------------------------------------------------- other studies


def refused(folder: Path, sentence: str, **values: Any) -> None:
    before = {name: (folder / name).read_bytes() for name in tree(folder)}
    with pytest.raises(AssayError, match=sentence):
        run(folder, **values)
    assert {name: (folder / name).read_bytes() for name in tree(folder)} == before


def base(**changes: Any) -> dict[str, Any]:
    values = {
        "data": {"source": "digits", "train": 300, "validation": 0.2, "test": 100},
        "model": {"name": "mlp", "hidden": [8]},
        "train": {"epochs": 2, "batch_size": 64},
    }
    return {key: values[key] | changes.get(key, {}) for key in values}


def test_a_study_of_the_same_name_and_other_data_is_refused(folder: Path) -> None:
    other = base(data={"source": "discs"})
    told = r"s belongs to another study: data\.source is 'digits' there and 'discs' here; choose another --out"
    refused(folder, told, base=other, vary={"model.dropout": [0.1, 0.2]})
    refused(folder, told, base=other, vary={"model.hidden": [[6], [7]]})
    told = r"data\.source is 'digits' there and 'shapes' here"
    refused(folder, told, base=base(data={"source": "shapes"}), variants={"one": {}})


def test_what_either_study_varies_may_differ_in_their_bases(folder: Path) -> None:
    wider = run(folder, base=base(model={"hidden": [6]}, train={"epochs": 1}), vary={"train.epochs": [1, 2]})
    assert [each.state for each in wider.runs] == ["finished"] * 2


def test_a_default_that_one_base_spells_out_is_no_difference(folder: Path) -> None:
    spelled = base(model={"dropout": 0.0}, train={"optimizer": {"name": "adam"}})
    assert [each.state for each in run(folder, base=spelled, **NARROW).runs] == ["finished"] * 2
    assert count(folder, "started") == 2
