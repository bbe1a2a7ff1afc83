"""Folders of one's own, from the command line: their splits, the key that says what they are, names in no encoding."""

import json
import os
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from PIL import Image

from assay.data import load
from assay.recipe import Recipe
from assay.recipe.validation import validate
from assay.recipe.yaml_files import read_yaml
from command import Outcome, assay, write_study

bytes_for_names = pytest.mark.skipif(sys.platform != "linux", reason="the file system takes only Unicode names")


def put(folder: Path, number: int, first: int = 0) -> None:
    """Pictures of two classes in ``folder``, each unlike the others."""
    for label in ("cat", "dog"):
        (folder / label).mkdir(parents=True)
        for i in range(first, first + number):
            pixels = np.random.default_rng([i, label == "dog"]).integers(0, 256, (8, 8), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / label / f"{i:03d}.png")


def run(capfd: pytest.CaptureFixture[str], root: Path, **data: object) -> Outcome:
    base = {
        "data": {"source": "set", **data},
        "model": {"name": "mlp", "hidden": [4]},
        "train": {"epochs": 1, "keep": "last"},
        "evaluate": ["classification"],
    }
    study = write_study(root / "study.yaml", base=base, vary=None, name="study")
    return assay(capfd, "run", study, "--data", root, "--out", root / "runs", "-q")


def about(root: Path) -> dict[str, object]:
    content: dict[str, object] = json.loads((root / "runs/study/base/seed-0/data.json").read_text(encoding="utf-8"))
    return content


def test_a_validation_folder_validates_and_the_run_is_read_again_so(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    put(tmp_path / "set/seg_train/seg_train", 10)
    put(tmp_path / "set/seg_val/seg_val", 4, first=10)
    put(tmp_path / "set/seg_test/seg_test", 3, first=14)
    assert run(capfd, tmp_path).status == 0
    told = about(tmp_path)
    assert (told["classes"], told["counts"]) == (["cat", "dog"], {"train": 20, "validation": 8, "test": 6})
    run_folder = tmp_path / "runs/study/base/seed-0"
    recipe = validate(Recipe, read_yaml(run_folder / "recipe.yaml"), "recipe.yaml")
    data = load(recipe.data, 0, tmp_path)
    assert {data.images.names[i].split("/")[0] for i in data.indices["validation"]} == {"seg_val"}
    rows = pl.read_parquet(run_folder / "predictions.parquet").filter(pl.col("split") == "validation")
    assert len(rows) == 8
    assert assay(capfd, "refit", run_folder, "--data", tmp_path).status == 0
    checked = assay(capfd, "check", tmp_path / "set", "-q", "--out", tmp_path / "page")
    assert checked.status == 0
    assert "20 training, 8 validation and 6 test images · 2 classes" in (tmp_path / "page/index.html").read_text()


def test_folds_are_refused_until_the_recipe_says_what_they_are(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    for k in range(3):
        put(tmp_path / f"set/fold_{k}", 6, first=6 * k)
    refused = run(capfd, tmp_path)
    assert refused.status == 2
    assert "data.layout: {fold_0: train, fold_2: test}" in refused.err
    assert "--layout" in assay(capfd, "check", tmp_path / "set", "-q").err
    assert run(capfd, tmp_path, layout={"fold_0": "train", "fold_1": "train", "fold_2": "test"}).status == 0
    assert about(tmp_path)["counts"] == {"train": 22, "validation": 2, "test": 12}
    assert assay(capfd, "check", tmp_path / "study.yaml", "-q", "--data", tmp_path, "--out", tmp_path / "p").status == 0


def test_labels_of_a_table_that_hardly_differ_are_warned_of(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    put(tmp_path / "set", 12)
    lines = [f"{label}/{i:03d}.png,{label.upper() if i % 2 else label}" for label in ("cat", "dog") for i in range(12)]
    (tmp_path / "set/t.csv").write_text("\n".join(["image,label", *lines]))
    told = run(capfd, tmp_path, table="t.csv", label="label", validation=0.3)
    assert told.status == 0
    assert "assay: " in told.err
    assert "the classes 'CAT' and 'cat'; 'DOG' and 'dog' differ only by case" in told.err


@bytes_for_names
def test_names_that_are_not_utf_8_are_trained_on_and_written_legibly(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    put(tmp_path / "set", 12)
    picture = tmp_path / "set/cat" / os.fsdecode(b"caf\xe9.png")
    (tmp_path / "set/cat/003.png").rename(picture)
    (tmp_path / "set/dog").rename(tmp_path / "set" / os.fsdecode(b"h\xf8nd"))
    assert run(capfd, tmp_path).status == 0
    assert about(tmp_path)["classes"] == ["cat", r"h\xf8nd"]
    run_folder = tmp_path / "runs/study/base/seed-0"
    recipe = validate(Recipe, read_yaml(run_folder / "recipe.yaml"), "recipe.yaml")
    images = load(recipe.data, 0, tmp_path).images
    assert r"cat/caf\xe9.png" in images.names
    original = np.asarray(Image.open(picture))
    assert (images.pixels[images.names.index(r"cat/caf\xe9.png"), 0] == original).all()
    for ending in (".csv", ".json"):
        told = tmp_path / f"told{ending}"
        assert assay(capfd, "predict", run_folder, picture, tmp_path / "set", "--out", told).status == 0
        assert told.read_text(encoding="utf-8").count(r"\xe9.png" if ending == ".csv" else r"\\xe9.png") == 2
    assert assay(capfd, "maps", run_folder, picture, "--out", tmp_path / "maps").status == 0
    assert assay(capfd, "check", tmp_path / "set", "-q", "--out", tmp_path / "page").status == 0
    assert r"cat/caf\xe9.png" in (tmp_path / "page/tables/images.csv").read_text(encoding="utf-8")


@bytes_for_names
def test_a_folder_and_a_file_beside_the_pictures_may_have_names_that_are_not_utf_8(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / os.fsdecode(b"fran\xe7ais")
    put(folder, 12)
    (folder / "cat" / os.fsdecode(b"notes \xe9.txt")).write_text("x")
    named = run(capfd, tmp_path, source=str(folder))
    assert named.status == 2
    assert (
        r"fran\xe7ais has images or labels that cannot be read: cat/notes \xe9.txt (does not end like a picture)"
        in named.err
    )
    assert run(capfd, tmp_path, source=str(folder), on_bad_image="skip").status == 0
    assert about(tmp_path)["skipped"] == [[r"cat/notes \xe9.txt", "does not end like a picture"]]
    assert assay(capfd, "check", folder, "-q", "--out", tmp_path / "page").status == 0
    (folder / os.fsdecode(b"\xe9t\xe9")).mkdir()
    assert "class folder" in assay(capfd, "check", folder, "-q").err
