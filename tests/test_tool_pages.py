"""The pages of probe, rank and refit in a real browser: every chart is drawn, and nothing complains."""

import html
import re
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from assay.separation import Layers
from assay.tools.probe_page import write_probe
from assay.tools.ranking import Ranking
from assay.tools.ranking.page import write_ranking
from assay.tools.ranking.ranking import SCHEMA
from assay.tools.refit import Arm, Change, Refit, Standing
from assay.tools.refit.page import write_refit
from test_report_browser import CHROMIUM, browse

NAME = "</script> <b>\"'"
"""A name that somebody gave a class, a layer or a run."""


def probed(folder: Path) -> Path:
    """Two layers, one of which has no test value."""
    rows = [
        {"layer": layer, "depth": depth, "width": 8, "split": split, "index": "separation", "value": value}
        for depth, layer, split, value in [
            (1, NAME, "train", 0.5),
            (1, NAME, "test", 0.25),
            (2, "output", "train", 1.0),
        ]
    ]
    ends = {"order": pl.lit(None, pl.Int64), "low": pl.col("value") - 0.1, "high": pl.col("value") + 0.1}
    table = pl.DataFrame(rows).with_columns(**ends, chance=pl.lit(0.5))
    return write_probe(Layers(table, [("output", "why")], [("x.png", "torn")]), NAME, "facts", folder, "assay probe x")


def ranked(folder: Path) -> Path:
    """Two backbones of one name in two libraries, and one that could not be ranked."""
    rows = [
        {"model": f"{library}/{NAME}", "place": place, "logme": 0.1, "size": "8×8", "macs": 10**6 * place}
        | dict.fromkeys(("width", "parameters", "features_seconds"), 1)
        | {f"cross_{n}{end}": 0.5 + by for n in ("si", "csi") for end, by in (("", 0), ("_low", -0.1), ("_high", 0.1))}
        for place, library in enumerate(("timm", "torchvision"), start=1)
    ]
    rows.append({"model": "timm/none", "reason": "no weights"})
    found = Ranking(pl.DataFrame(rows, schema=SCHEMA), "Take one.", [("x.png", "torn")])
    return write_ranking(found, NAME, "facts", f"title: {NAME}", folder, "assay rank x")


def refitted(folder: Path) -> Path:
    """A refit without validation images, after which one image is gained and two are forgotten."""
    standing = Standing(10, 0.5, 1.0, 0.1)
    counted = Change(1, 2, (1, 0), (0, 2), -0.1)
    tested = Change(1, 2, (1, 0), (0, 2), -0.1, -0.3, -0.05, 0.01, 0.03, "worse")
    arm = Arm({"train": standing, "test": standing}, {"train": counted, "test": tested})
    run = folder / "variant" / "seed-0"
    found = Refit(run, (NAME, "b"), 3, 5, 0.01, 5, {"train": standing, "test": standing}, arm, arm, tested)
    return write_refit(found, "assay refit x")


PAGES: dict[str, tuple[Callable[[Path], Path], set[str]]] = {
    "probe": (probed, {"layers-separation"}),
    "rank": (ranked, {"cross-si", "cross-csi", "cost"}),
    "refit": (refitted, {"changes", "classes-mistakes", "classes-random"}),
}


@pytest.mark.parametrize("tool", PAGES)
def test_what_was_found_stands_on_the_page(tool: str, tmp_path: Path) -> None:
    write, figures = PAGES[tool]
    page = write(tmp_path)
    text = page.read_text(encoding="utf-8")
    assert NAME not in re.sub(r'<script type="module">.*?</script>', "", text, flags=re.DOTALL)
    assert NAME in html.unescape(re.sub("<bdi>|</bdi>", "", text))
    assert {path.stem for path in (page.parent / "figures").glob("*.svg")} == figures
    assert f"assay {tool} x" in text
    for name in re.findall(r'href="((?:tables|figures)/[^"]+)"', text):
        assert (page.parent / name).is_file(), name


@pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium; apt-get install chromium")
@pytest.mark.parametrize("tool", PAGES)
def test_every_chart_is_drawn_and_nothing_complains(tool: str, tmp_path: Path) -> None:
    write, figures = PAGES[tool]
    document, console = browse(write(tmp_path), tmp_path)
    assert console == []
    places = re.findall(r'<div class="chart[^"]*" data-chart="([^"]+)"[^>]*data-state="(\w+)"', document)
    assert dict(places) == dict.fromkeys(figures, "drawn")
