"""Pages of commands in Persian: every text of theirs, beside files that stay English."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from assay.errors import AssayError
from assay.language.speech import LANGUAGES
from assay.recipe import Data
from assay.recipe.yaml_files import read_yaml
from assay.tools.descent.command import show_descent
from assay.tools.descent.page import write_descent
from assay.tools.inspection import Inspection, inspect, write_inspection
from assay.tools.inspection.command import check
from assay.tools.worked.command import explain_numbers, explain_place
from assay.tools.worked.problem import read_problem
from command import assay
from drawn_boxes import voc
from drawn_masks import mask, picture, values
from driving import run_here, write_study
from persian import latin
from planted import plant
from test_inspection_boxes import PLANTED
from test_inspection_told import inspected


def labels(root: Path) -> Inspection:
    plant(root)
    return inspect(Data(source="planted"), root)


def numbers(root: Path) -> Inspection:
    ages = [*range(58), 999, 7]
    rows = ["image,age,eyes", *(f"{i:02},{age},2" for i, age in enumerate(ages) if i != 30), "xx,1,2"]
    return inspected(root, rows, targets=["age", "eyes"])


def tags(root: Path) -> Inspection:
    rows = [f"{i:02},{1 - i % 2},{1 - i % 2},{int(i == 0)},{int(i < 59)}" for i in range(60)]
    return inspected(root, ["image,a,b,c,d", *rows], tags=["a", "b", "c", "d"])


def boxes(root: Path) -> Inspection:
    return inspect(Data(source=str(voc(root / "set", PLANTED)), on_bad_image="skip"), root)


def masks(root: Path) -> Inspection:
    for k in range(10):
        split = "train" if k < 6 else "test"
        drawn = values(size=(12, 10), r1=1, r3=1, r5=2 if k < 6 else 0)
        drawn[11, :2] = 1
        picture(root / "set" / "images" / split / f"p{k}x.png", (12, 10), k)
        mask(root / "set" / "masks" / split / f"p{k}x.png", np.full_like(drawn, 255) if k == 3 else drawn)
    (root / "set" / "classes.txt").write_text("void\ndisc\ncross\n")
    return inspect(Data(source=str(root / "set"), on_bad_image="skip"), root)


OWN = {"png", "jpg", "dog", "cat", "Platelets", "void", "disc", "cross", "age", "eyes"}
"""Names of classes and of files, which tables and captions of pictures have as they are."""
REASONS = {"not", "readable", "image", "there", "such", "picture", "line", "column"}
"""Of pictures that could not be read: what errors say stays English."""


@pytest.mark.parametrize("made", [labels, numbers, tags, boxes, masks])
def test_the_page_of_a_check_in_persian(made: Callable[[Path], Inspection], tmp_path: Path, unsaid: Any) -> None:
    found = made(tmp_path)
    pages = {
        language: write_inspection(found, tmp_path / language, "assay check x", language) for language in ("en", "fa")
    }
    text = {language: page.read_text(encoding="utf-8") for language, page in pages.items()}
    assert '<html lang="fa" dir="rtl">' in text["fa"]
    assert unsaid.texts == set()
    assert latin(text["fa"], OWN | REASONS) == set()
    assert latin(text["en"], OWN) >= {"images", "copies", "Method"}
    for file in pages["en"].parent.rglob("*.*"):
        if file != pages["en"]:
            assert file.read_bytes() == (pages["fa"].parent / file.relative_to(pages["en"].parent)).read_bytes()


def test_a_check_speaks_the_language_asked_for_and_prints_english(tmp_path: Path, capsys: Any) -> None:
    plant(tmp_path)
    _, page = check("planted", root=tmp_path, out=tmp_path / "out", quiet=True, language="fa")
    assert "<h2>یافته‌ها</h2>" in page.read_text(encoding="utf-8")
    with pytest.raises(AssayError, match="unknown language 'farsi'"):
        check("planted", root=tmp_path, out=tmp_path / "out", quiet=True, language="farsi")


def test_the_page_of_descent_in_persian(tmp_path: Path, unsaid: Any) -> None:
    pages = {language: write_descent(tmp_path / language, "assay explain x", language) for language in ("en", "fa")}
    text = {language: page.read_text(encoding="utf-8") for language, page in pages.items()}
    assert '<html lang="fa" dir="rtl">' in text["fa"]
    assert unsaid.texts == set()
    assert latin(text["fa"], {"descent", "SGD", "momentum", "Adam"}) == set()
    assert latin(text["en"]) >= {"ravine", "Gradients", "step"}
    script = text["fa"][text["fa"].index('getElementById("walks")') :]
    assert "از ۶۰" in script
    assert "gone at step" not in script
    assert '<option value="fitting" selected>مناسب</option>' in text["fa"]  # the walks go by their English names
    assert '<input dir="ltr" id="number"' in text["fa"]  # ← goes back
    walks = [page[page.index('id="walks">') :].split("</script>")[0] for page in text.values()]
    assert walks[0] == walks[1]


def test_descent_speaks_the_language_asked_for_and_prints_english(tmp_path: Path, capfd: Any) -> None:
    ended = assay(capfd, "explain", "descent", "--language", "fa", "--out", str(tmp_path))
    assert (ended.status, ended.out.strip()) == (0, f"page: {tmp_path / 'index.html'}")
    assert "<h2>همه‌ی گام‌ها</h2>" in (tmp_path / "index.html").read_text(encoding="utf-8")
    with pytest.raises(AssayError, match="unknown language 'farsi'"):
        show_descent(tmp_path, language="farsi")


SHIPPED = sorted((Path(__file__).parents[1] / "studies" / "explain").glob("*.yaml"))
WORKED = [path for path in SHIPPED if "input" in read_yaml(path)]

AS_THEY_ARE = {"Autograd", "Shift", "ReLU", "exp", "log", "max", "mean", "stride", "padding", "dilation", "trous"}
"""What a reader knows by its English name, keys of the keyboard, and functions in formulas."""


@pytest.mark.parametrize("path", WORKED, ids=lambda path: path.stem)
def test_numbers_worked_in_persian_are_the_same_numbers(path: Path, tmp_path: Path, unsaid: Any) -> None:
    found = {language: explain_numbers(path, tmp_path / language, language=language) for language in ("en", "fa")}
    text = {language: each.page.read_text(encoding="utf-8") for language, each in found.items()}
    title = set(re.findall(r"\w+", read_problem(path).title))
    assert found["fa"].lines == found["en"].lines
    assert '<html lang="fa" dir="rtl">' in text["fa"]
    assert unsaid.texts == set()
    assert latin(text["fa"], title | AS_THEY_ARE) == set()
    assert latin(text["en"], title) >= {"Forward", "Checks", "Gradient"}
    sums = {language: re.search(r'id="worked">(.*?)</script>', each, re.S) for language, each in text.items()}
    assert sums["fa"] is not None
    assert sums["en"] is not None
    assert sums["fa"][1] == sums["en"][1]


def test_a_place_of_a_picture_worked_in_persian(tmp_path: Path, unsaid: Any) -> None:
    base = {"data": {"source": "digits", "train": 100, "test": 50}, "model": {"name": "cnn", "channels": [4]}}
    study = write_study(tmp_path / "small.yaml", base=base | {"train": {"epochs": 1}})
    (run,) = (each.folder for each in run_here(study, tmp_path).runs)
    Image.fromarray(np.arange(64, dtype=np.uint8).reshape(8, 8)).save(tmp_path / "p.png")
    asked = (run, "conv1", tmp_path / "p.png", "3,5")
    english, persian = (explain_place(*asked, tmp_path / name, language=name) for name in LANGUAGES)
    page = persian.page.read_text(encoding="utf-8")
    assert persian.lines == english.lines
    assert unsaid.texts == set()
    assert latin(page, AS_THEY_ARE | {"conv1", "base", "seed"}) == set()
    assert "<h2>جای تصویر</h2>" in page
