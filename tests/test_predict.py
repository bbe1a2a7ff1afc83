"""The class of pictures by a finished run: the same pixels give what the run itself predicted."""

import importlib
import json
import os
import shutil
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from PIL import Image

import assay
from assay import AssayError, predict
from assay.recipe import Fit
from assay.recipe.study import Study
from assay.runs.engine import run as run_study
from assay.tools.pictures import picture_file, read_pixels
from synthetic import fabricate, make_study

SETS = {
    "gray": {"data": {"source": "digits", "validation": 0.15}},
    "color": {
        "data": {"source": "set", "validation": 0.2, "test": 0.3, "size": [10, 12], "normalize": "symmetric"},
        "train": {"loss": "binary_cross_entropy"},
    },
    "deep": {"data": {"source": "deep", "validation": 0.2, "test": 0.3}},
    "letterboxed": {"data": {"source": "set", "validation": 0.2, "test": 0.3, "size": [10, 20], "fit": "letterbox"}},
}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data root with a set of two classes of coloured pictures that differ in size."""
    root = tmp_path_factory.mktemp("data")
    random = np.random.default_rng(0)
    for number in range(40):
        folder = root / "set" / "ab"[number % 2]
        folder.mkdir(parents=True, exist_ok=True)
        pixels = random.integers(0, 256, (10 + number % 7, 12 + number % 5, 3), np.uint8)
        Image.fromarray(pixels).save(folder / f"{number}.png")
        save_deep(root / "deep" / "ab"[number % 2] / f"{number}.png", random.integers(300, 1024, (6, 6)))
    return root


def save_deep(path: Path, pixels: np.ndarray) -> None:
    """Values of 10 bits in a file of 16."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels.astype(np.uint16)).save(path)


@pytest.fixture(scope="module")
def runs(root: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A finished run of each kind."""
    out = tmp_path_factory.mktemp("runs")
    for name, sections in SETS.items():
        base: dict[str, Any] = {"model": {"name": "mlp", "hidden": [8]}, **sections}
        base["train"] = {"epochs": 2, "batch_size": 16, **sections.get("train", {})}
        run_study(Study(title=name, name=name, base=base, seeds=1), out, data=root, quiet=True)
    return {name: out / name / "base" / "seed-0" for name in SETS}


def said(run: Path) -> pl.DataFrame:
    """What the run predicted of its test images."""
    return pl.read_parquet(run / "predictions.parquet").filter(pl.col("split") == "test")


def digit(row: dict[str, Any]) -> np.ndarray:
    """The pixels of one of scikit-learn's digits, as bytes."""
    from sklearn.datasets import load_digits

    return np.rint(load_digits().images[row["image"]] * (255 / 16)).astype(np.uint8)


def agrees(prediction: Any, row: dict[str, Any]) -> None:
    """The prediction is the row of predictions.parquet."""
    assert list(prediction.probabilities.values()) == pytest.approx(row["probabilities"], abs=1e-5)
    assert prediction.probability == pytest.approx(row["confidence"], abs=1e-5)
    assert list(prediction.probabilities)[row["predicted"]] == prediction.label


@pytest.mark.parametrize("kind", ["color", "letterboxed", "deep"])
def test_files_of_the_source_give_what_the_run_said(runs: dict[str, Path], root: Path, kind: str) -> None:
    table = said(runs[kind])
    predictions = predict(runs[kind], [root / SETS[kind]["data"]["source"] / name for name in table["name"]])
    assert len(predictions) == 12
    for prediction, row in zip(predictions, table.iter_rows(named=True), strict=True):
        agrees(prediction, row)
        assert sum(prediction.probabilities.values()) == pytest.approx(1, abs=1e-5)


def files_of(folder: Path, pixels: np.ndarray) -> list[Path]:
    """The same gray pixels in every kind of file."""
    opaque = np.full_like(pixels, 255)
    kinds = {
        "gray.png": Image.fromarray(pixels),
        "rgb.png": Image.fromarray(np.stack([pixels] * 3, axis=-1)),
        "sixteen bits.png": Image.fromarray(pixels.astype(np.uint16) * 257),
        "opaque.png": Image.fromarray(np.stack([pixels] * 3 + [opaque], axis=-1)),
        "black where transparent.png": Image.fromarray(np.stack([opaque, pixels], axis=-1)),
        "palette.gif": Image.fromarray(pixels),
        "תמונה.bmp": Image.fromarray(pixels),
    }
    for name, image in kinds.items():
        image.save(folder / name)
    return [folder / name for name in kinds]


def test_every_kind_of_file_with_the_same_pixels_gives_the_same(runs: dict[str, Path], tmp_path: Path) -> None:
    row = said(runs["gray"]).row(0, named=True)
    for prediction in predict(runs["gray"], files_of(tmp_path, digit(row))):
        agrees(prediction, row)


def test_a_picture_of_more_bits_takes_the_range_of_the_run(runs: dict[str, Path], root: Path, tmp_path: Path) -> None:
    about = json.loads((runs["deep"] / "data.json").read_text())
    low, high = about["range"]
    assert 300 <= low < 310 < 1010 < high < 1024
    save_deep(tmp_path / "dark.png", np.full((6, 6), low))
    save_deep(tmp_path / "darker.png", np.zeros((6, 6)))
    dark, darker = predict(runs["deep"], [tmp_path / "dark.png", tmp_path / "darker.png"])
    assert dark.probabilities == darker.probabilities  # both black
    Image.fromarray(np.zeros((6, 6), np.uint8)).save(tmp_path / "black.png")
    assert predict(runs["deep"], [tmp_path / "black.png"])[0].probabilities == dark.probabilities
    log = (runs["deep"] / "log.txt").read_text()
    assert f"have more than 8 bits a value: {low:g}…{high:,g} of them became 0…255 (data.range)" in log


def test_a_run_from_before_there_was_a_range_takes_all_of_16_bits(runs: dict[str, Path], tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(runs["deep"], run)
    for file, key in (("data.json", "range"), ("status.json", "files")):
        kept = json.loads((run / file).read_text())
        del kept[key]
        (run / file).write_text(json.dumps(kept))
    save_deep(tmp_path / "deep.png", np.arange(36).reshape(6, 6) * 257)
    Image.fromarray(np.arange(36, dtype=np.uint8).reshape(6, 6)).save(tmp_path / "same.png")
    deep, same = predict(run, [tmp_path / "deep.png", tmp_path / "same.png"])
    assert deep.probabilities == same.probabilities


def test_what_is_to_be_known_of_a_picture_is_warned_of_under_its_name(runs: dict[str, Path], tmp_path: Path) -> None:
    save_deep(tmp_path / "deep.png", np.zeros((8, 8)))
    with pytest.warns(UserWarning, match=r"deep\.png: more than 8 bits a value, unlike the pictures of this run"):
        predict(runs["gray"], [tmp_path / "deep.png"])
    Image.new("L", (8, 8)).save(tmp_path / "two.gif", save_all=True, append_images=[Image.new("L", (8, 8), 9)])
    with pytest.warns(UserWarning, match=r"two\.gif: several frames, of which the first is read"):
        predict(runs["gray"], [tmp_path / "two.gif"])


@pytest.mark.skipif(os.name == "nt", reason="named pipes are POSIX")
def test_a_pipe_is_told_and_not_waited_for(runs: dict[str, Path], tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "x.png")
    with pytest.raises(AssayError, match=r"x\.png cannot be read: it is no regular file"):
        predict(runs["gray"], [tmp_path / "x.png"])


def test_a_picture_is_resized(runs: dict[str, Path], tmp_path: Path) -> None:
    Image.new("RGB", (300, 20)).save(tmp_path / "wide.jpg")
    Image.new("L", (8, 8)).save(tmp_path / "black.png")
    wide, black = predict(runs["gray"], [tmp_path / "wide.jpg", str(tmp_path / "black.png")])
    assert wide.probabilities == pytest.approx(black.probabilities, abs=1e-5)
    assert list(wide.probabilities) == [str(n) for n in range(10)]


def test_more_pictures_than_a_batch_come_in_order(
    runs: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = said(runs["gray"]).head(5).rows(named=True)
    files = [tmp_path / f"{row['name']}.png" for row in rows]
    for path, row in zip(files, rows, strict=True):
        Image.fromarray(digit(row)).save(path)
    monkeypatch.setattr("assay.data.batches._PASS_PIXELS", 2 * 10 * 12)
    for prediction, path, row in zip(predict(runs["gray"], files), files, rows, strict=True):
        assert prediction.picture == path
        agrees(prediction, row)
    assert predict(runs["gray"], []) == []


def test_what_is_no_picture_is_named(runs: dict[str, Path], tmp_path: Path) -> None:
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64), np.uint8))
    noise.save(tmp_path / "whole.png")
    noise.convert("F").save(tmp_path / "float.tiff")
    (tmp_path / "cut.png").write_bytes((tmp_path / "whole.png").read_bytes()[:2000])
    (tmp_path / "notes.png").write_text("these are words")
    (tmp_path / "empty.png").touch()
    for name, sentence in {
        "notes.png": "{} is not an image",
        "empty.png": "{} is not an image",
        "cut.png": "{} cannot be read: image file is truncated",
        "float.tiff": "{} cannot be read: its pixels are floating-point numbers",
        "absent.png": "there is no picture {}",
    }.items():
        with pytest.raises(AssayError) as error:
            predict(runs["gray"], [tmp_path / "whole.png", tmp_path / name])
        assert sentence.format(tmp_path / name) in str(error.value)


def test_only_a_finished_run_predicts(tmp_path: Path) -> None:
    folder = fabricate(tmp_path, make_study(), states={("activation=relu", 0): "failed"})
    with pytest.raises(AssayError, match="there is no run; expected the folder of a finished run"):
        predict(tmp_path, ["x.png"])
    with pytest.raises(AssayError, match="its run is failed; expected the folder of a finished run"):
        predict(folder / "activation=relu" / "seed-0", ["x.png"])
    with pytest.raises(AssayError, match=r"model\.safetensors is not the network of this run: Error\(s\) in loading"):
        predict(folder / "activation=relu" / "seed-1", ["x.png"])


@pytest.mark.parametrize("name", ["model.safetensors", "data.json", "recipe.yaml", "status.json"])
def test_a_damaged_run_is_named(runs: dict[str, Path], tmp_path: Path, name: str) -> None:
    copy = tmp_path / "seed-0"
    copy.mkdir()
    for path in runs["gray"].iterdir():
        (copy / path.name).write_bytes(path.read_bytes())
    (copy / name).write_text("{ half a fi")
    with pytest.raises(AssayError) as error:
        predict(copy, [])
    assert str(copy / name) in str(error.value)


def test_public_names_stay_what_they_are_when_every_module_is_imported() -> None:
    for path in Path(assay.__file__).parent.glob("[a-z]*.py"):
        importlib.import_module(f"assay.{path.stem}")
    for name in assay.__all__:
        assert callable(getattr(assay, name)), name


def test_a_picture_larger_than_a_padded_canvas_is_told_to_be_shrunk(tmp_path: Path) -> None:
    about: dict[str, Any] = {"shape": [3, 8, 10]}
    cases: list[tuple[tuple[int, int], Fit, bool]]
    cases = [((20, 8), "pad", True), ((10, 8), "pad", False), ((20, 8), "stretch", False)]
    for size, fit, told in cases:
        path = tmp_path / f"{size[0]} {fit}.png"
        Image.new("RGB", size).save(path)
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            read_pixels(picture_file(path), about, fit)
        assert [
            str(one.message).startswith(f"{path}: 8×20 (height×width) is larger than the 8×10") for one in said
        ] == ([True] * told)
