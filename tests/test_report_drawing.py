"""The figures' SVG and PDF files: drawn here or by another process, which may die."""

import subprocess
import sys

import pytest

from assay.report import drawing, style
from assay.report.bundle import VEGA_LITE
from synthetic import fabricate, make_study

BARS = {
    "data": {"values": [{"a": "x", "b": 1}, {"a": "y", "b": 2}]},
    "mark": "bar",
    "encoding": {"x": {"field": "a", "type": "nominal"}, "y": {"field": "b", "type": "quantitative"}},
}
REFUSED = {"data": {"values": []}, "mark": "no such mark"}


def test_a_process_apart_draws_the_same_as_this_one():
    specs = {"bars": BARS, "refused": REFUSED}
    config = style.config(style.PAPER_FONT)
    there = drawing.apart(specs, config, VEGA_LITE)
    for _ in range(5):  # what is in an order of chance would differ
        assert there == drawing.here(specs, config, VEGA_LITE)
    assert there.svg["bars"].startswith("<svg")
    assert there.pdf["bars"].startswith(b"%PDF")


def test_a_figure_that_cannot_be_drawn_is_told_and_the_others_are_there():
    found = drawing.here({"refused": REFUSED, "bars": BARS}, {}, VEGA_LITE)
    assert list(found.svg) == list(found.pdf) == ["bars"]
    assert found.trouble.startswith("Figures that could not be drawn: refused: ")


@pytest.mark.skipif(sys.platform != "linux", reason="addresses are limited on Linux only")
def test_under_an_address_limit_the_page_is_written_and_says_what_is_not_there(tmp_path):
    folder = fabricate(tmp_path, make_study(1, 1), images=20)
    limit = "import resource; resource.setrlimit(resource.RLIMIT_AS, (8 << 30, 8 << 30));"
    core = "resource.setrlimit(resource.RLIMIT_CORE, (0, 0));"
    write = "import sys; from assay.report import write_report; from assay.results import Results;"
    script = f"{limit}{core}{write} write_report(Results.read(sys.argv[1]))"
    done = subprocess.run([sys.executable, "-c", script, str(folder)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    page = (folder / "report" / "index.html").read_text(encoding="utf-8")
    for told in (done.stderr, page):
        assert "no SVG and PDF files" in told
        assert "Addresses are limited to 8 GiB" in told
    assert "data-chart=" in page
    assert {path.suffix for path in (folder / "report" / "figures").iterdir()} == {".csv"}
