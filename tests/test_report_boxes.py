"""The page of a study of detection: AP of classes, curves, thresholds, errors, sizes, scores, and boxes in pictures."""

import re
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from assay.report.frames import Frames
from assay.report.page import write_report
from assay.report.section import Swatches, every
from assay.report.sections import boxes, boxes_curves, boxes_pictures
from assay.report.sections.classes_curves import CLASS
from assay.report.subject import Subject
from assay.results import Results
from boxed import CLASSES, THRESHOLDS, box_runs, box_study
from chrome import chrome
from test_report_browser import CHROMIUM


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Results:
    """Three variants, two seeds each."""
    return Results.read(box_runs(tmp_path_factory.mktemp("runs"), box_study()))


@pytest.fixture(scope="module")
def page(results: Results) -> Path:
    return write_report(results)


def test_the_ap_of_every_class_is_the_mean_over_seeds_between_the_extremes(results: Results, page: Path) -> None:
    shown = pl.read_csv(page.parent / "figures" / "classes-ap.csv").filter(variant="size=s")
    each = [pl.read_parquet(run.folder / "classes.parquet")["ap"].to_numpy() for run in results.finished]
    own = 100 * np.array([ap for run, ap in zip(results.finished, each, strict=True) if run.variant == "size=s"])
    assert shown["class"].to_list() == CLASSES
    np.testing.assert_allclose(shown["mean"], own.mean(axis=0))
    np.testing.assert_allclose(shown["low"], own.min(axis=0))
    np.testing.assert_allclose(shown["high"], own.max(axis=0))


def test_the_page_says_which_boxes_an_ap_is_counted_of(results: Results, page: Path) -> None:
    subject = Subject(results)
    told = "Boxes: a score of at least 0.001, NMS of each class at an IoU of 0.6, at most 300 an image."
    assert boxes.selection(subject) == told
    text = plain(page)
    assert told in text
    assert "read at 101 recalls, of at most 100 boxes of a class and image" in text


def test_the_report_of_a_class_has_its_threshold_and_its_boxes(page: Path) -> None:
    best = pl.read_csv(page.parent / "tables" / "classes-1-size-n.csv")
    assert best["boxes"].to_list() == [800, 70, 69]
    np.testing.assert_allclose(best["threshold"], THRESHOLDS, atol=0.1)
    assert (best["ap_low"] <= best["ap"]).all()


def test_the_area_of_a_curve_is_ap50_and_that_of_the_mean_its_mean(results: Results, page: Path) -> None:
    curves = pl.read_csv(page.parent / "figures" / "curves-precision_recall.csv").filter(variant="size=n")
    area = {name: area for name, area in curves.select("class", "area").unique().iter_rows()}
    there = results.stacked("classes").filter(variant="size=n")
    for name in CLASSES:
        assert area[name] == pytest.approx(there.filter(pl.col("class") == name)["ap_50"].mean())
    assert area["mean of the classes (macro)"] == pytest.approx(there["ap_50"].mean())


def test_the_chosen_threshold_stands_in_its_class_and_all_in_the_mean(results: Results) -> None:
    chosen = boxes_curves.thresholds(Subject(results)).filter(variant="n")
    own = chosen.filter(pl.col("class") == pl.col("of"))
    assert own["class"].to_list() == CLASSES
    np.testing.assert_allclose(own["threshold"], THRESHOLDS, atol=0.1)
    assert chosen.filter(pl.col("class") == CLASS.mean)["of"].to_list() == CLASSES


def test_the_confusion_has_the_background_and_shares_of_what_is_there(results: Results, page: Path) -> None:
    cells = pl.read_csv(page.parent / "tables" / "confusion.csv").filter(variant="size=n")
    assert cells["true"].unique(maintain_order=True).to_list() == [*CLASSES, "background"]
    assert cells.group_by("true").agg(pl.col("share").sum())["share"].to_list() == pytest.approx([1.0] * 4, abs=1e-5)
    summed = results.stacked("box_confusion").filter(variant="size=n")
    assert cells["count"].sum() == summed["count"].sum()


def test_a_size_of_few_boxes_is_called_noise_and_every_size_bears_its_number(page: Path) -> None:
    assert "Of few boxes, so hardly more than noise: small (7)." in plain(page)
    sizes = pl.read_csv(page.parent / "figures" / "sizes-ap.csv")["size"].unique(maintain_order=True)
    assert sizes.to_list() == ["small (7)", "medium (295)", "large (637)"]


def test_scores_of_all_seeds_are_weighed_by_their_boxes(results: Results, page: Path) -> None:
    shown = pl.read_csv(page.parent / "figures" / "reliability.csv").filter(variant="size=n", bin=4)
    own = results.stacked("box_calibration").filter(variant="size=n", bin=4)
    hits = (own["precision"] * own["count"]).sum()
    assert shown["precision"].item() == pytest.approx(100 * hits / own["count"].sum())
    assert shown["boxes"].item() == own["count"].sum()


def test_a_picture_shows_what_is_there_and_what_reaches_the_threshold(results: Results) -> None:
    section = boxes_pictures.section(Subject(results))
    assert section is not None
    run = results.run("size=n", 0)
    kept = results.pictures(run)
    by_title = {part.title: part.pictures for part in every(Frames, [section])}
    assert list(by_title) == list(boxes_pictures.HEADINGS.values())
    for kind, title in boxes_pictures.HEADINGS.items():
        for row, shown in zip(kept.filter(kind=kind).iter_rows(named=True), by_title[title], strict=True):
            said = [mark for mark in shown.marks if not mark.is_true]
            reach = [s >= THRESHOLDS[c] for s, c in zip(row["scores"], row["classes"], strict=True)]
            assert sum(mark.is_true for mark in shown.marks) == len(row["true_boxes"])
            assert len(said) - sum(reach) in (0, 1)
            assert sum(mark.is_lifted for mark in shown.marks) == (kind != "sample")
            sides = [(m.edges[2] - m.edges[0]) * (m.edges[3] - m.edges[1]) for m in shown.marks]
            assert sides == sorted(sides, reverse=True)
    first, row = by_title["The dearest false alarms"][0], kept.filter(kind="false_alarm").row(0, named=True)
    box = row["focus"]
    assert row["on"][box] == -1
    assert first.note == f"{CLASSES[row['classes'][box]]} {row['scores'][box]:.2f}, on no object"
    (legend,) = every(Swatches, [section])
    assert set(legend.colors) == set(CLASSES)


def test_every_part_of_the_loss_has_a_figure_beside_the_sum_and_the_watched_value(results: Results, page: Path) -> None:
    drawn = {path.stem for path in (page.parent / "figures").glob("learning-*.csv")}
    names = {"train-loss", "train-class", "train-box", "validation-map"}
    assert drawn == {f"learning-{name}" for name in names}
    box = pl.read_csv(page.parent / "figures" / "learning-train-box.csv").filter(variant="size=n")
    assert box["mean"].to_list() == pytest.approx([1, 1 / 2, 1 / 3, 1 / 4])
    assert "the sum of the parts" in plain(page)
    group = page.read_text(encoding="utf-8").split("What is minimised")[1]
    assert 'data-chart="learning-train-loss"' in group
    assert "losses of their own" not in plain(page)


@pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium; apt-get install chromium")
def test_boxes_are_told_under_the_focus_which_the_arrows_move(page: Path, tmp_path: Path) -> None:
    with chrome(tmp_path) as browser:
        browser.ask("Emulation.setFocusEmulationEnabled", enabled=True)
        browser.open(page, 420)
        root = "document.documentElement"
        assert browser.run(f"{root}.scrollWidth - {root}.clientWidth") == 0
        rects = "document.querySelector('.framed svg').querySelectorAll('rect')"
        browser.run(f"{rects}[0].focus()")
        assert browser.run("document.getElementById('tip').textContent") == browser.run(f"{rects}[0].ariaLabel")
        press = "document.activeElement.dispatchEvent(new KeyboardEvent('keydown', {key: 'ArrowLeft', bubbles: true}))"
        browser.run(press)
        last = f"{rects}[{rects}.length - 1]"
        assert browser.run(f"document.activeElement === {last}")
        assert browser.run("document.getElementById('tip').textContent") == browser.run(f"{last}.ariaLabel")
        assert browser.run(f"[...{rects}].filter((one) => one.tabIndex === 0).length") == 1
        browser.run("document.activeElement.blur()")
        assert browser.run("document.getElementById('tip').hidden")
        frame = "document.querySelector('.framed')"
        image, drawn = (f"{frame}.querySelector('{tag}').getBoundingClientRect()" for tag in ("img", "svg"))
        assert browser.run(f"{image}.width / {drawn}.width") == pytest.approx(1, abs=0.01)
        assert browser.run(f"{image}.height / {drawn}.height") == pytest.approx(1, abs=0.01)


def plain(page: Path) -> str:
    return re.sub(r"<[^>]+>", "", page.read_text(encoding="utf-8"))
