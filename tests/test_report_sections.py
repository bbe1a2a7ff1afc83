"""What holds of every section of the page, and of every kind of part that a section may have."""

import re
from importlib import import_module, resources
from pathlib import Path

import polars as pl
import pytest
from PIL import Image

from assay.report.figures import Figure
from assay.report.page import page_sections, render, write_report
from assay.report.section import (
    Aside,
    Code,
    Command,
    Facts,
    Folded,
    Gallery,
    Grid,
    Group,
    Legend,
    Line,
    Name,
    Pairs,
    Picture,
    Section,
    Sentences,
    Sheet,
    Text,
    every,
)
from assay.report.sections.catalogue import SECTIONS
from assay.report.sections.learning import quantities
from assay.report.sections.results_charts import effect
from assay.report.subject import Subject
from assay.report.tables import Cell, Column, Table
from assay.results import Results
from synthetic import fabricate, make_study

WAITING = {("activation=relu", 0): "failed", ("activation=elu", 0): "waiting"}
SHAPES = {
    "usual": (make_study(3, 2), {"skipped": [("a.png", "truncated")]}),
    "one run": (make_study(1, 1), {"validation": False}),
    "nothing yet": (make_study(2, 1), {"states": WAITING}),
}
NASTY = "</li><b>bold</b>"


@pytest.fixture(scope="module", params=SHAPES)
def subject(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Subject:
    study, options = SHAPES[request.param]
    return Subject(Results.read(fabricate(tmp_path_factory.mktemp("sections"), study, images=40, **options)))


@pytest.fixture(scope="module")
def usual(tmp_path_factory: pytest.TempPathFactory) -> Subject:
    return Subject(Results.read(fabricate(tmp_path_factory.mktemp("usual"), make_study(2, 1), images=20)))


def maker(where: str):
    module, name = where.split(":")
    return getattr(import_module(module), name)


@pytest.mark.parametrize("where", SECTIONS["classification"])
def test_every_entry_of_the_catalogue_gives_a_section_or_none(where: str, subject: Subject) -> None:
    section = maker(where)(subject)
    assert section is None or (isinstance(section, Section) and section.parts and section.title)


def test_every_file_that_makes_a_section_is_in_the_catalogue() -> None:
    files = {path.name[:-3] for path in resources.files("assay.report.sections").iterdir() if path.name[-3:] == ".py"}
    modules = (import_module(f"assay.report.sections.{name}") for name in files)
    listed = {where for those in SECTIONS.values() for where in those}
    assert {f"{module.__name__}:section" for module in modules if hasattr(module, "section")} == listed


def test_anchors_are_unique_and_the_navigation_leads_to_each(subject: Subject) -> None:
    page = write_report(subject.results).read_text(encoding="utf-8")
    anchors = re.findall(r'\bid="([^"]+)"', page.split('<script type="module">')[0])
    assert len(anchors) == len(set(anchors))
    navigation = re.search(r"<nav.*?</nav>", page, flags=re.S)
    assert re.findall(r'href="#(\w+)"', navigation[0]) == re.findall(r'<section id="(\w+)"', page)


def test_everything_drawn_or_listed_has_its_files_under_a_name_of_its_own(subject: Subject) -> None:
    folder, sections = write_report(subject.results).parent, page_sections(subject)
    expected = [
        f"figures/{it.name}.{end}"
        for it in every(Figure, sections)
        for end in ("svg", "pdf", "csv")[2 * (not it.is_file) :]
    ]
    expected += [f"tables/{it.name}.{end}" for it in every(Table, sections) for end in ("csv", "tex")]
    expected += [f"tables/{it.name}.csv" for it in every(Sheet, sections)]
    assert sorted(expected) == sorted(path.relative_to(folder).as_posix() for path in folder.glob("*/*"))


def figure(name: str) -> Figure:
    frame = pl.DataFrame({"variant": ["a"], "kind": ["interval"], "difference": [1.0], "low": [0.0], "high": [2.0]})
    frame = frame.with_columns(verdict=pl.lit("better"), p=pl.lit(0.01), seed=pl.lit(None, pl.Int64))
    return Figure(name, NASTY, "words", "alt", effect(frame, ["a"], "difference"), frame)


def table(name: str) -> Table:
    return Table(name, "caption", [Column("a")], [[Cell(NASTY, is_name=True)]], pl.DataFrame({"a": [1]}))


def drawn(usual: Subject, *parts: object, beside: tuple[Table | Sheet, ...] = ()) -> str:
    """The only section of a page, its white space in single blanks."""
    page, _ = render(usual, [Section("here", "Title", "Caption", parts, beside=beside)])
    return " ".join(re.search(r'<section id="here">(.*?)</section>', page, flags=re.S)[1].split())


def test_every_kind_of_part_is_drawn_and_its_text_stays_text(usual: Subject, png: bytes) -> None:
    words = ("so ", Name(NASTY), " and ", Sheet(NASTY, pl.DataFrame()))
    parts = [
        table("t"), figure("f"), Text(words), Sentences([words, NASTY]), Code(NASTY), Command("c", NASTY),
        Legend(NASTY, {NASTY: "#0072b2", "b": "#000000"}), Facts([Pairs(NASTY, [(NASTY, NASTY), ("k", [NASTY])])]),
        Gallery(NASTY, NASTY, [Picture(NASTY, png, NASTY, [Line(NASTY, NASTY)], "wrong")]),
        Group(words, [Text(NASTY)]), Grid([figure("g")]), Folded(words, [Text(NASTY)]),
        Aside("a", NASTY, [Text(NASTY)]),
    ]  # fmt: skip
    for part in parts:
        html = drawn(usual, part)
        assert "bold&lt;/b&gt;" in html, part
        assert "<b>" not in html, part
    assert "--swatch: var(--c0)" in drawn(usual, parts[6])


def test_headings_are_a_level_deeper_in_a_group_and_not_in_what_is_folded(usual: Subject) -> None:
    html = drawn(usual, Folded("s", [Group("one", [Grid([figure("f")]), Group("two", [Folded("s", [figure("g")])])])]))
    assert re.findall(r"<h(\d)", html) == ["2", "3", "4", "4", "5"]


def test_a_legend_of_one_is_not_drawn(usual: Subject) -> None:
    assert "legend" not in drawn(usual, Legend("k", {"a": "#000000"}))
    assert drawn(usual, Legend("k", {"a": "#000000", "b": "#000000"})).count("<button") == 2


@pytest.mark.parametrize(("state", "sign"), [("right", "✓"), ("wrong", "✗"), ("neutral", "")])
def test_a_picture_shows_its_state_or_none(usual: Subject, png: bytes, state: str, sign: str) -> None:
    html = drawn(
        usual, Gallery("g", "", [Picture("a.png", png, "12.5 g", [Line("11 g", "−1.5"), Line("9 to 13")], state)])
    )
    assert "".join(re.findall("[✓✗]", html)) == sign * 2
    assert (f'<li class="{state}">' in html) == bool(sign)
    assert html.index("12.5 g") < html.index("11 g") < html.index("−1.5") < html.index("9 to 13")
    assert 'width="5" height="3" class="pixels"' in html


def test_what_lies_beside_is_found_and_not_shown(usual: Subject) -> None:
    hidden, sheet = table("hidden"), Sheet("sheet", pl.DataFrame())
    text = Text(("as ", sheet))
    section = Section("s", "S", "", [Group("g", [Folded("f", [text, table("shown")])])], beside=[hidden])
    assert [it.name for it in every(Table, [section])] == ["shown", "hidden"]
    assert list(every(Sheet, [section])) == [sheet]
    assert "hidden" not in drawn(usual, *section.parts, beside=(hidden,))


def test_learning_shows_whatever_was_watched_and_the_loss_last(usual: Subject) -> None:
    names = ["epoch", "train_loss", "validation_loss", "train_mae", "validation_mae", "validation_r2", "seconds"]
    assert quantities(usual, pl.DataFrame(schema=dict.fromkeys(names, pl.Float64))) == ["mae", "r2", "loss"]
    assert quantities(usual, pl.DataFrame()) == []


@pytest.fixture(scope="module")
def png(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path: Path = tmp_path_factory.mktemp("png") / "a.png"
    Image.new("L", (5, 3)).save(path)
    return path.read_bytes()
