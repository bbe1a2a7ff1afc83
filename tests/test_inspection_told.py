"""assay check of pictures that a table tells numbers or tags of."""

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from assay.data.targets import Tags
from assay.errors import AssayError
from assay.recipe import Data
from assay.tools.inspection import Inspection, inspect, write_inspection
from assay.tools.inspection.command import check
from assay.tools.inspection.numbers import far_out
from assay.tools.inspection.tags import together
from assay.tools.inspection.verdict import verdict
from command import assay, write_study
from planted import darker, pictures, save

IMAGES = [*pictures(30)["a"], *pictures(30)["b"]]


def inspected(root: Path, rows: list[str], **data: Any) -> Inspection:
    """60 unrelated pictures, the last one a darker copy of the first, and a table of ``rows``."""
    for i, image in enumerate([*IMAGES[:-1], darker(IMAGES[0])]):
        save(root / "set" / f"{i:02}.png", image)
    (root / "set" / "t.csv").write_text("\n".join(rows) + "\n")
    values = {"source": "set", "table": "t.csv", "on_bad_image": "skip", **data}
    return inspect(Data.model_validate(values), root)


@pytest.fixture(scope="module")
def numbers(tmp_path_factory: pytest.TempPathFactory) -> Inspection:
    """Ages 0 to 57 and one of 999, a number that never changes, a copy of another age, a row without a picture."""
    ages = [*range(58), 999, 7]
    rows = ["image,age,eyes", *(f"{i:02},{age},2" for i, age in enumerate(ages) if i != 30), "xx,1,2"]
    return inspected(tmp_path_factory.mktemp("numbers"), rows, targets=["age", "eyes"])


@pytest.fixture(scope="module")
def tags(tmp_path_factory: pytest.TempPathFactory) -> Inspection:
    """Every second picture has a and b, the first of all c, all of them d but picture 59, which has nothing."""
    rows = [f"{i:02},{1 - i % 2},{1 - i % 2},{int(i == 0)},{int(i < 59)}" for i in range(60)]
    return inspected(tmp_path_factory.mktemp("tags"), ["image,a,b,c,d", *rows], tags=["a", "b", "c", "d"])


def test_numbers_are_told_with_what_is_far_out_and_what_never_changes(numbers: Inspection) -> None:
    said = verdict(numbers)
    ages = [float(age) for i, age in enumerate([*range(58), 999, 7]) if i != 30]
    low, high = np.quantile(ages, [0.25, 0.75])
    middle = f"the middle half from {low:g} to {high:g}"
    assert f"age goes from 0 to 999, {middle}; 1 image is far out, the farthest 58.png with 999." in said
    assert "eyes is 2 in every image: there is nothing to learn." in said
    assert any(text.startswith("1 image is left out: ") for text in said)
    assert "1 picture is not listed in the source and left out." in said


def test_copies_with_different_values_are_told(numbers: Inspection) -> None:
    assert numbers.conflicts.tolist() == [[0, 58]]
    assert any(text.startswith("In 1 pair of near copies the values differ") for text in verdict(numbers))
    assert not any("label" in text for text in verdict(numbers))


def test_the_page_of_numbers(numbers: Inspection, tmp_path: Path) -> None:
    page = write_inspection(numbers, tmp_path).read_text(encoding="utf-8")
    assert "<h2>Numbers</h2>" in page
    assert "Near copies with different values" in page
    assert "<h2>Labels</h2>" not in page
    assert "numbers: age, eyes" in page
    table = pl.read_csv(tmp_path / "tables" / "numbers.csv")
    assert table["far out"].to_list() == [1, 0]
    assert table["median"].to_list() == [float(np.median([*range(30), *range(31, 58), 999, 7])), 2.0]
    assert pl.read_csv(tmp_path / "tables" / "outliers.csv").rows() == [("58.png", "age", 999.0)]
    images = pl.read_csv(tmp_path / "tables" / "images.csv")
    assert images["values"][1] == "age 1, eyes 2"
    assert "score" not in images.columns
    assert not (tmp_path / "tables" / "doubtful.csv").exists()


def test_tags_are_told_with_those_that_always_go_together(tags: Inspection) -> None:
    said = verdict(tags)
    assert "1 image has no tag." in said
    assert "c: only one image has it." in said
    assert "1 pair of tags is always together: a and b." in said
    assert any(text.startswith("In 1 pair of near copies the tags differ") for text in said)


def test_the_page_of_tags(tags: Inspection, tmp_path: Path) -> None:
    page = write_inspection(tags, tmp_path).read_text(encoding="utf-8")
    assert "<h2>Tags</h2>" in page
    assert "no tag" in page
    counts = pl.read_csv(tmp_path / "tables" / "class-counts.csv")
    assert counts["images"].to_list() == [30, 30, 1, 59]
    assert counts["share"].to_list() == pytest.approx([0.5, 0.5, 1 / 60, 59 / 60])
    assert pl.read_csv(tmp_path / "tables" / "images.csv")["tags"][0] == "a, b, c, d"


def test_far_out_by_hand() -> None:
    values = np.array([0.0, 1, 2, 3, 4])  # middle half from 1 to 3, so that −5 and 9 are its reach
    assert not far_out(values).any()
    assert far_out(np.array([0.0, 1, 2, 3, 4, *[1, 2, 3] * 8, 11])).tolist() == [False] * 29 + [True]
    assert not far_out(np.array([1.0, 1, 1, 1, 50])).any()


def test_together_by_hand() -> None:
    assert together(Tags(np.array([[1, 1, 0, 1, 0], [1, 1, 1, 0, 1], [0, 0, 0, 0, 0]], np.uint8))).tolist() == [[0, 1]]


def test_a_study_file_names_its_data(
    numbers: Inspection, tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    inspected(tmp_path, ["image,age", *(f"{i:02},{i}" for i in range(60))], targets="age")
    base = {"data": {"source": "set", "table": "t.csv", "targets": "age"}, "model": {"name": "mlp"}}
    ended = assay(capfd, "check", write_study(Path("ages.yaml"), base=base, vary=None), "--quiet", "--data", tmp_path)
    assert ended.status == 0, ended
    assert "age goes from 0 to 59, the middle half from 14.75 to 44.25." in ended.out
    assert Path("checks/ages/index.html").exists()


def test_folders_of_any_name_are_read_as_the_layout_says(tmp_path: Path) -> None:
    for i, image in enumerate(IMAGES):
        save(tmp_path / "set" / ("one", "two")[i % 3 == 0] / "ab"[i % 2] / f"{i:02}.png", image)
    found, _ = check("set", layout="one=train, two=test", out=tmp_path / "page", root=tmp_path, quiet=True)
    assert found.images.classes == ["a", "b"]
    assert found.images.is_test.sum() == 20
    with pytest.raises(AssayError, match=r"--layout: .* has no folder 'three' with pictures"):
        check("set", layout="one=train,three=test", out=tmp_path / "page", root=tmp_path, quiet=True)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("base: {model: mlp}", "s.yaml says nothing of data: expected a study with base.data, or a recipe"),
        ("base: {data: {table: t.csv}}", "s.yaml: the key 'source' is missing"),
        ("data: {source: set, tabel: t.csv}", "s.yaml: unknown key 'tabel'; did you mean 'table'"),
    ],
)
def test_a_file_that_says_nothing_of_data(tmp_path: Path, text: str, sentence: str) -> None:
    (tmp_path / "s.yaml").write_text(text)
    with pytest.raises(AssayError, match=sentence):
        check(str(tmp_path / "s.yaml"), root=tmp_path, quiet=True)
