"""The pictures of the report: which, in which order, with which words; and runs made before there were all kinds."""

import re
from html import unescape
from pathlib import Path

import polars as pl
import pytest

from assay.report import write_report
from assay.report.section import Picture
from assay.report.sections.galleries import share
from assay.report.sections.pictures import galleries
from assay.report.subject import Subject
from assay.results import Results
from synthetic import CLASSES, fabricate, make_study


def study_folder(tmp_path: Path, **options) -> Path:
    return fabricate(tmp_path, make_study(1, 2), **options)


def shown(folder: Path) -> dict[str, list[Picture]]:
    subject = Subject(Results.read(folder))
    return {gallery.title: gallery.pictures for gallery in galleries(subject, subject.best)}


def rewrite(folder: Path, kept: pl.Expr) -> None:
    for path in folder.glob("*/seed-*/pictures.parquet"):
        pl.read_parquet(path).filter(kept).write_parquet(path)


def answers(folder: Path) -> pl.DataFrame:
    return pl.read_parquet(next(folder.glob("*/seed-0")) / "predictions.parquet").filter(split="test")


def test_three_squares_of_the_first_seed(tmp_path):
    folder = study_folder(tmp_path, accuracies=[0.8])
    found, test = shown(folder), answers(folder)
    assert [(heading, len(those)) for heading, those in found.items()] == [
        ("A sample", 25), ("The surest mistakes", 25), ("The least sure", 25),
    ]  # fmt: skip
    wrong = test.filter(pl.col("label") != pl.col("predicted"))
    surest = wrong.sort("confidence", descending=True, maintain_order=True).head(25)
    assert [p.name for p in found["The surest mistakes"]] == surest["name"].to_list()
    assert [p.name for p in found["The least sure"]] == test.sort("confidence", maintain_order=True)["name"][
        :25
    ].to_list()
    by_name = {row["name"]: row for row in test.iter_rows(named=True)}
    for picture in [p for those in found.values() for p in those]:
        row = by_name[picture.name]
        (said,) = picture.lines
        assert (picture.heading, said.text) == (CLASSES[row["label"]], CLASSES[row["predicted"]])
        assert picture.state == ("right" if row["label"] == row["predicted"] else "wrong")
        assert (said.note, picture.size) == (share(row["confidence"]), (32, 32))


def test_the_page_says_of_each_picture_what_it_is_and_what_it_was_taken_for(tmp_path):
    folder = study_folder(tmp_path, accuracies=[0.8])
    page = write_report(Results.read(folder)).read_text("utf-8")
    cells = re.findall(r'<li class="(right|wrong)">\s*<img(.*?)>(.*?)</li>', page, flags=re.S)
    pictures = [picture for those in shown(folder).values() for picture in those]
    assert len(cells) == len(pictures) == 75
    for (kind, image, words), picture in zip(cells, pictures, strict=True):
        (said,) = picture.lines
        assert f'alt="{picture.heading}: {picture.name}"' in unescape(image)
        truth, answer = words.split('class="answer"')
        assert f"<bdi>{picture.heading}</bdi>" in truth
        assert f"<bdi>{said.text}</bdi>" in answer
        assert unescape(answer).count(said.note) == 1
        assert ("✓" in answer, "✗" in answer) == (picture.state == "right", picture.state == "wrong")
        assert picture.state == kind
    right = sum(p.state == "right" for p in shown(folder)["The least sure"])
    assert f"the lowest probability of the predicted class, lowest first; {right} of 25 right." in page
    assert "from 400 test images" in page


def test_a_run_from_before_the_least_sure_shows_what_it_has(tmp_path):
    folder = study_folder(tmp_path, accuracies=[0.8])
    rewrite(folder, (pl.col("kind") != "unsure") & (pl.int_range(pl.len()).over("kind") < 16))
    assert {heading: len(those) for heading, those in shown(folder).items()} == {
        "A sample": 16, "The surest mistakes": 16,
    }  # fmt: skip
    page = write_report(Results.read(folder)).read_text("utf-8")
    assert "The surest mistakes" in page
    assert "The least sure" not in page


def test_fewer_than_a_square(tmp_path):
    folder = study_folder(tmp_path, images=20, accuracies=[0.9], noise=0)
    assert [len(those) for those in shown(folder).values()] == [20, 2, 20]


def test_without_mistakes_there_is_no_place_for_them(tmp_path):
    folder = study_folder(tmp_path, accuracies=[1], noise=0)
    assert list(shown(folder)) == ["A sample", "The least sure"]
    page = write_report(Results.read(folder)).read_text("utf-8")
    assert "The surest mistakes" not in page
    assert "25 of 25 right" in page


def test_without_a_table_there_is_no_section(tmp_path):
    folder = study_folder(tmp_path)
    for path in folder.glob("*/seed-*/pictures.parquet"):
        path.unlink()
    assert shown(folder) == {}
    assert 'id="pictures"' not in write_report(Results.read(folder)).read_text("utf-8")


def test_only_one_run_is_on_the_page_however_many_there_are(tmp_path):
    few, many = (fabricate(tmp_path, make_study(3, seeds, name=f"of-{seeds}")) for seeds in (1, 5))
    counts = [write_report(Results.read(folder)).read_text("utf-8").count("data:image/png") for folder in (few, many)]
    assert counts[0] == counts[1] <= 75


@pytest.mark.parametrize(
    ("confidence", "text"),
    [(0.5, "50 %"), (0.987, "99 %"), (0.996, "> 99 %"), (1.0, "> 99 %"), (0.012, "1 %"), (0.004, "< 1 %")],
)
def test_no_share_is_rounded_to_certainty(confidence, text):
    assert share(confidence) == text
