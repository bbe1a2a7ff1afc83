"""The page of assay check in a real browser: every chart is drawn, and nothing complains."""

import re
from pathlib import Path

import pytest

from assay.recipe import Data
from assay.tools.inspection import inspect, write_inspection
from planted import plant
from test_report_browser import CHROMIUM, browse


@pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium; apt-get install chromium")
def test_every_chart_is_drawn_and_nothing_complains(tmp_path: Path) -> None:
    plant(tmp_path)
    path = write_inspection(inspect(Data(source="planted"), tmp_path), tmp_path / "out")
    document, console = browse(path, tmp_path)
    assert console == []
    places = re.findall(r'<div class="chart[^"]*" data-chart="([^"]+)"[^>]*data-state="(\w+)"', document)
    assert {name for name, _ in places} == {"classes", "values", "closeness"}
    assert {state for _, state in places} == {"drawn"}
