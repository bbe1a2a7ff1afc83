"""The page as it is used: narrow, printed, mailed without the files beside it."""

import re
import shutil
from pathlib import Path

import polars as pl
import pytest

from assay.report import write_report
from assay.results import Results
from chrome import chrome
from synthetic import fabricate, make_study
from test_report_browser import CHROMIUM

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium; apt-get install chromium")

LONG = [f"augmentation mild, then a rotation of kind {kind} with a long tail" for kind in "ABC"]


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    with chrome(tmp_path_factory.mktemp("chrome")) as opened:
        yield opened


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    variants = {name: {"train.epochs": 4 + i} for i, name in enumerate(LONG)}
    study = make_study(seeds=2).model_copy(update={"vary": {}, "variants": variants})
    return write_report(Results.read(fabricate(tmp_path_factory.mktemp("long"), study, classes=["cat", "dog"])))


def test_the_one_file_gives_out_all_that_lies_beside_it(written: Path, browser, tmp_path: Path) -> None:
    browser.open(shutil.copy(written, tmp_path / "mailed.html"), 1280)
    browser.run("document.querySelectorAll('details').forEach((each) => (each.open = true))")
    beside = [path for path in written.parent.glob("*/*") if path.suffix != ".svg"]
    for path in [next(p for p in beside if p.suffix == kind) for kind in (".csv", ".tex", ".pdf")]:
        address = path.relative_to(written.parent).as_posix()
        assert browser.download(f"document.querySelector(`[href='{address}']`).click()", path.name) == path.read_bytes()
    offered = browser.run("[...document.querySelectorAll('.files a')].map((each) => each.getAttribute('href'))")
    assert set(offered) == {path.relative_to(written.parent).as_posix() for path in beside} - HIDDEN


HIDDEN = {"tables/per-class.csv", "tables/per-class.tex"}
"""Written as files and not shown."""


def test_a_figure_is_downloaded_as_it_is_shown(written: Path, browser) -> None:
    browser.open(written, 1280)
    row = "document.querySelector('[data-chart=per-class]').closest('figure').querySelector('.files')"
    first = browser.download(f"{row}.children[0].click()", "per-class.svg").decode()
    assert "<svg" in first
    assert "var(--" not in first
    assert browser.download(f"{row}.children[1].click()", "per-class.png").startswith(b"\x89PNG")
    (browser.downloads / "per-class.svg").unlink()
    assert browser.run(f"{row}.innerText").split("PDF")[1] == "CSV"
    choose = "const menu = document.querySelector('[data-chart=per-class] select'); menu.selectedIndex = 1;"
    browser.run(f"{{ {choose} menu.dispatchEvent(new Event('change')); menu.dispatchEvent(new Event('input')); }}")
    second = browser.download(f"{row}.children[0].click()", "per-class.svg").decode()
    assert re.findall(r"mean \(%\): [\d.]+", second) != re.findall(r"mean \(%\): [\d.]+", first)
    assert "PDF as first drawn" in browser.run(f"{row}.innerText")


def test_names_on_a_narrow_page_read_apart_and_only_tables_scroll_sideways(written: Path, browser) -> None:
    browser.open(written, 420)
    page = "document.documentElement"
    assert browser.run(f"{page}.scrollWidth - {page}.clientWidth") == 0
    # what only screen readers hear stands far to the right
    browser.run(
        "document.querySelector('.scroll tr:last-child td:last-child').append(document.querySelector('.scroll .sr'))"
    )
    assert browser.run(f"{page}.scrollWidth - {page}.clientWidth") == 0
    assert browser.run("[...document.querySelectorAll('.scroll')].some((each) => each.scrollWidth > each.clientWidth)")
    labels = "[...document.querySelectorAll('[data-chart=training-time] .role-axis-label text')]"
    found = browser.run(f"{labels}.map((each) => each.textContent)").copy()
    names = [text for text in found if not re.fullmatch(r"[\d.]+", text)]
    assert len(set(names)) == 3
    assert [re.search("kind (.)", name)[1] for name in names] == ["A", "B", "C"]


def test_a_matrix_of_two_classes_is_square(written: Path, browser) -> None:
    browser.open(written, 1280)
    box = "document.querySelector('[data-chart^=confusion] .mark-rect').getBoundingClientRect()"
    width, height = browser.run(f"[{box}.width, {box}.height]")
    assert width == pytest.approx(height, rel=0.05)
    assert width > 150


def test_paper_keeps_colours_columns_and_pairs(written: Path, browser) -> None:
    browser.open(written, 680, "print")
    assert (
        browser.run("getComputedStyle(document.querySelector('.legend button'), '::before').printColorAdjust")
        == "exact"
    )
    assert browser.run(
        "[...document.querySelectorAll('table')].every((each) => each.getBoundingClientRect().right <= 681)"
    )
    columns = browser.run("getComputedStyle(document.querySelector('#learning .grid')).gridTemplateColumns")
    assert len(columns.split()) == 2
    assert browser.pdf().startswith(b"%PDF")


def test_pictures_are_folded_after_a_row_and_open(written: Path, browser) -> None:
    browser.open(written, 1280)
    shown = "[...document.querySelectorAll('#pictures img')].filter((each) => each.checkVisibility()).length"
    folded = browser.run("document.querySelectorAll('#pictures details').length")
    kinds = browser.run("document.querySelectorAll('#pictures .chosen').length")
    pictures = pl.read_parquet(next(written.parents[1].glob("*/seed-0/pictures.parquet"))).height
    assert browser.run(shown) == 5 * kinds < pictures
    assert folded == kinds
    browser.run("document.querySelectorAll('#pictures details').forEach((each) => (each.open = true))")
    assert browser.run(shown) == pictures
