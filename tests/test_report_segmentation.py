"""The page of a study of segmentation: IoU by class, which mean it is, pixels that are mixed up, pictures in strips."""

import json
import re
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from PIL import Image

from assay.data.palette import UNKNOWN, palette
from assay.recipe.study import Study
from assay.report.document import breakable
from assay.report.page import write_report
from assay.report.section import Strips, Swatches, every
from assay.report.sections import segments, segments_pictures
from assay.report.subject import Subject
from assay.results import Results
from assay.results.formats import in_title
from assay.results.metrics import label
from assay.runs.engine import run as run_study

BASE: dict[str, Any] = {
    "task": "segmentation",
    "data": {"source": "scenes", "train": 16, "validation": 6, "test": 12},
    "model": {"name": "deeplab", "width": 4, "aspp": "none"},
    "train": {"epochs": 1, "batch_size": 16},
    "evaluate": ["segmentation", "uncertainty"],
}


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Results:
    """Two losses, one with a field around it, two seeds each."""
    losses = {"cross-entropy": {}, "dice": {"train.loss": {"name": "dice"}, "predict.crf": "tune"}}
    values = {"title": "Which loss?", "name": "scenes", "base": BASE, "variants": losses, "seeds": 2}
    return run_study(Study.model_validate(values), tmp_path_factory.mktemp("runs"), quiet=True)


@pytest.fixture(scope="module")
def page(results: Results) -> Path:
    return write_report(results)


def test_the_iou_of_every_class_is_that_of_the_matrices_kept_with_the_run(results: Results, page: Path) -> None:
    shown = pl.read_csv(page.parent / "figures" / "classes-iou.csv")
    for variant in ("cross-entropy", "dice"):
        runs = [run for run in results.finished if run.variant == variant]
        each = []
        for run in runs:
            matrix = np.array(results.metrics(run)["confusion_matrix"])
            union = matrix.sum(axis=0) + matrix.sum(axis=1) - np.diag(matrix)
            each.append(100 * np.diag(matrix) / union)
        found = shown.filter(pl.col("variant") == variant)
        assert found["class"].to_list() == ["background", "disc", "square", "triangle"]
        np.testing.assert_allclose(found["mean"], np.mean(each, axis=0), rtol=1e-9, equal_nan=True)
        np.testing.assert_allclose(found["low"], np.min(each, axis=0), rtol=1e-9)


def test_the_page_says_which_mean_it_is_and_what_it_means(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    plain = re.sub(r"<[^>]+>", "", text)
    assert "Which mean IoU" in plain
    assert "mmsegmentation and torchvision" in plain
    assert "the share of which both is true" in plain
    meanings = pl.read_csv(page.parent / "tables" / "meanings.csv")
    assert {"miou", "miou_per_image", "miou_per_pair", "iou_micro"} <= set(meanings.columns)
    assert "number of pixels" in plain
    assert "number of images, summed" not in plain
    assert "only the pixels within 3 of the border between two classes" in plain
    assert "bands of 2 % of a picture's diagonal" in plain.replace("&#39;", "'")


def test_the_page_says_how_far_from_a_border_is_near_it() -> None:
    said = segments.at_borders([5])
    assert "only the pixels within 5 of the border" in said
    assert "bands of 5 pixels" in said
    assert "within 3 or 5 of" in segments.at_borders([None, 5])
    assert label("border_5_miou") == "mIoU within 5 px of borders"
    assert label("border_miou") == "mIoU within 3 px of borders"


def test_the_page_says_which_field_each_run_has_chosen(results: Results, page: Path) -> None:
    shown = pl.read_csv(page.parent / "tables" / "crf.csv")
    runs = [run for run in results.finished if run.variant == "dice"]
    assert shown["seed"].to_list() == [run.seed for run in runs]
    for run, row in zip(runs, shown.iter_rows(named=True), strict=True):
        tuned = json.loads((run.folder / "crf.json").read_text())
        least = min(tuned["tried"], key=lambda one: one["loss"])
        assert (row["without"], row["with"]) == (tuned["tried"][0]["loss"], least["loss"])
        assert (row["chosen"] == "none") == (tuned["chosen"] is None)
        assert tuned["chosen"] is None or f"bilateral {tuned['chosen']['bilateral']:g}, " in row["chosen"]
    assert "Which field was chosen" in page.read_text(encoding="utf-8")


def test_pictures_kept_before_there_was_a_map_of_doubt_are_shown(
    results: Results, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = Results.pictures
    monkeypatch.setattr(Results, "pictures", lambda self, run: whole(self, run).drop("unsure"))
    section = segments_pictures.section(Subject(results))
    assert section is not None
    for part in every(Strips, [section]):
        assert list(part.panels) == ["picture", "truth", "answer", "wrong"]
        assert {len(strip.pngs) for strip in part.strips} == {4}


def test_the_means_that_are_called_so_stand_without_differences(page: Path) -> None:
    assert "difference" in (page.parent / "tables" / "results.tex").read_text(encoding="utf-8")
    assert "difference" not in (page.parent / "tables" / "meanings.tex").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("name", "lines"),
    [
        ("focal(gamma=2.0,weights=[1,2])", ["focal(", "gamma=", "2.0,", "weights=", "[1,", "2])"]),
        ("a<b>_cccccccccccccc(d)", ["a&lt;b&gt;_", "cccccccccccccc(", "d)"]),
        ("a name of plain words", ["a name of plain words"]),
        ("f(a_b)", ["f(a_b)"]),
        ("learning_rate=f()", ["learning_rate=f()"]),
    ],
)
def test_no_line_of_a_name_begins_with_a_lone_bracket(name: str, lines: list[str]) -> None:
    assert breakable(name).split("<wbr>") == lines


def test_the_uncertainty_is_of_pixels_by_temperature(results: Results, page: Path) -> None:
    shown = pl.read_csv(page.parent / "tables" / "uncertainty.csv")
    assert set(shown["method"]) == {"plain", "temperature"}
    plain = shown.filter(variant="dice", method="plain", score="nll")["mean"].item()
    assert plain == pytest.approx(np.mean(list(results.values("nll_plain")["dice"].values())))
    text = re.sub(r"<[^>]+>", "", page.read_text(encoding="utf-8"))
    assert "Larger marks: more pixels" in text
    assert "Injected dropout" not in text


def test_each_panel_shows_its_map(results: Results) -> None:
    section = segments_pictures.section(Subject(results))
    assert section is not None
    colours = palette(["background", "disc", "square", "triangle"])
    (legend,) = every(Swatches, [section])
    assert legend.colors["disc"] == "#" + bytes(colours[1]).hex()
    strips = [strip for part in every(Strips, [section]) for strip in part.strips]
    assert [part.title for part in every(Strips, [section])] == list(segments_pictures.HEADINGS.values())
    for strip in strips:
        picture, truth, said, wrong, unsure = (np.array(Image.open(BytesIO(p)).convert("RGB")) for p in strip.pngs)
        assert picture.shape == truth.shape == said.shape == wrong.shape == unsure.shape
        unknown = (truth == UNKNOWN).all(axis=2)
        agree = (truth == said).all(axis=2)
        assert (wrong[unknown] == UNKNOWN).all()
        assert (wrong[agree & ~unknown] == segments_pictures.RIGHT).all()
        np.testing.assert_array_equal(wrong[~agree & ~unknown], said[~agree & ~unknown])
        assert (unsure[..., 0] == unsure[..., 1]).all()
        assert unsure.min() < 255


def test_the_worst_pictures_come_first_and_the_best_last(results: Results) -> None:
    section = segments_pictures.section(Subject(results))
    assert section is not None
    by_title = {part.title: [float(s.note.split()[1]) for s in part.strips] for part in every(Strips, [section])}
    assert by_title["The worst"] == sorted(by_title["The worst"])
    assert by_title["The best"] == sorted(by_title["The best"], reverse=True)
    assert by_title["The worst"][0] <= by_title["In the middle"][0] <= by_title["The best"][0]


@pytest.mark.parametrize(
    ("words", "title"),
    [("mIoU", "mIoU"), ("test loss", "Test loss"), ("ROC AUC (macro)", "ROC AUC (macro)"), ("R²", "R²"), ("a", "A")],
)
def test_a_title_keeps_the_capitals_of_its_words(words: str, title: str) -> None:
    assert in_title(words) == title
