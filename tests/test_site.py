"""The site builds strictly, leads nowhere that is not there, fetches nothing, and has what was promised."""

import os
import subprocess
import sys
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

pytest.importorskip("mkdocs", reason="the extra 'docs' is not installed")
pytest.importorskip("material", reason="the extra 'docs' is not installed")
pytest.importorskip("mkdocstrings", reason="the extra 'docs' is not installed")

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "documentation"))

from gallery import GALLERY, Shown, make, study  # noqa: E402
from reference import default, names, takes  # noqa: E402

MADE = ("gallery", "results/explain")
"""Folders of pages that assay wrote: whole files, with tests of their own."""
QUICK = (study("digits", "Digits.", changes="--seeds 1 --set train.epochs=1"), GALLERY[4])


@dataclass
class Page(HTMLParser):
    """What a page has to link to, what it links to, and what a browser fetches for it."""

    anchors: set[str] = field(default_factory=set)
    links: list[str] = field(default_factory=list)
    fetched: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value for name, value in attrs if value}
        self.anchors |= {given[name] for name in ("id", "name") if name in given}
        if tag == "a" and "href" in given:
            self.links.append(given["href"])
        elif tag in ("link", "script", "img", "source", "iframe"):
            self.fetched += [
                given[name] for name in ("href", "src") if name in given and given.get("rel") != "canonical"
            ]


def read(path: Path) -> Page:
    page = Page()
    page.feed(path.read_text(encoding="utf-8"))
    return page


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As ``make docs`` builds it, with a gallery of two quick pages."""
    folder = tmp_path_factory.mktemp("site")
    make(QUICK, folder / "gallery")
    environment = os.environ | {"ASSAY_GALLERY": str(folder / "gallery"), "NO_MKDOCS_2_WARNING": "1"}
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder / "built")]
    ended = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=600)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return folder / "built"


@pytest.fixture(scope="module")
def pages(site: Path) -> dict[Path, Page]:
    """The pages that MkDocs wrote."""
    found = (path for path in site.rglob("*.html") if path.name != "404.html")
    made = [site / folder for folder in MADE]
    return {path: read(path) for path in found if path.parent not in made or path.name == "index.html"}


def test_no_link_leads_nowhere(site: Path, pages: dict[Path, Page]) -> None:
    broken, checked = [], 0
    for path, page in pages.items():
        for link in [*page.links, *page.fetched]:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            checked += 1
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            there = target.is_file() and target.is_relative_to(site)
            anchor = unquote(parts.fragment)
            has_it = (
                not anchor or anchor == "__top" or (there and anchor in (pages.get(target) or read(target)).anchors)
            )
            if not (there and has_it):
                broken.append(f"{path.relative_to(site)}: {link}")
    print(f"{checked} links of {len(pages)} pages")
    assert broken == []
    assert checked > 1000


def test_nothing_is_fetched_from_elsewhere(site: Path, pages: dict[Path, Page]) -> None:
    assert {link for page in pages.values() for link in page.fetched if urlsplit(link).netloc} == set()
    styles = [path for path in site.rglob("*.css") if "//fonts." in path.read_text(encoding="utf-8")]
    assert styles == []


def test_every_public_name_has_its_place_in_the_reference(pages: dict[Path, Page]) -> None:
    anchors = set().union(*(page.anchors for page in pages.values()))
    source = ROOT / "src"
    for stub in source.rglob("__init__.pyi"):
        package = ".".join(stub.parent.relative_to(source).parts)
        for name, home in names(stub):
            place = f"{package}.{home}.{name}" if home else f"{package}.{name}"
            assert place in anchors or place == "assay.report.page.write_report", place


def test_the_fields_of_the_recipe_are_those_of_its_schema(site: Path) -> None:
    page = (site / "reference" / "fields.html").read_text(encoding="utf-8")
    for key in ("accumulate", "ema", "compile", "channels_last", "label_smoothing", "split_seed"):
        assert f"<code>{key}</code>" in page
    assert "An exponential moving average of the weights, updated after every step." in page


def test_what_a_field_takes_is_told_in_words() -> None:
    assert takes({"type": "integer", "exclusiveMinimum": 0}) == "whole number > 0"
    assert takes({"anyOf": [{"type": "number", "minimum": 0, "exclusiveMaximum": 1}, {"type": "null"}]}) == (
        "number ≥ 0 and < 1 or `null`"
    )
    assert takes({"enum": ["best", "last"]}) == "`best` or `last`"
    assert takes({"type": "array", "items": {"$ref": "#/$defs/Phase"}}) == "list of [Phase](#phase)"
    assert (default({"default": None}), default({})) == ("`null`", "")


def test_the_gallery_shows_pages_with_the_commands_that_made_them(site: Path) -> None:
    index = (site / "gallery" / "index.html").read_text(encoding="utf-8")
    assert "Which activation for a small network on handwritten digits?" in index
    assert 'src="digits.svg"' in index
    assert "</html>" in (site / "gallery" / "convolution.html").read_text(encoding="utf-8")
    digits = (site / "gallery" / "digits.html").read_text(encoding="utf-8")
    assert "Which activation for a small network on handwritten digits?" in digits


def test_every_study_of_the_gallery_is_shipped() -> None:
    shown = [word for each in GALLERY for word in each.command.split() if word.endswith(".yaml")]
    assert len(shown) >= 4
    assert all((ROOT / path).is_file() for path in shown)


def test_a_command_that_fails_ends_the_gallery_with_its_words(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="assay explain nothing-of-this-name"):
        make([Shown("explain nothing-of-this-name", "x/index.html", "")], tmp_path)
