"""Every page of ``assay explain``, and the report, by axe-core in a headless Chromium: no findings."""

import importlib.util
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from torch import nn

from assay.recipe import Data
from assay.report import write_report
from assay.results import Results
from assay.tools.anatomy.anatomy import anatomy, take_apart
from assay.tools.anatomy.page import write_anatomy
from assay.tools.descent.page import write_descent
from assay.tools.diagnosis.rates import Rates
from assay.tools.diagnosis.rates_page import write_rates
from assay.tools.inspection import inspect, write_inspection
from assay.tools.worked.command import explain_numbers
from chrome import chrome
from command import write_study
from driving import run_here
from planted import plant
from synthetic import fabricate, make_study
from test_diagnosis_runs import BASE
from test_report_browser import CHROMIUM

AXE = importlib.util.find_spec("axe_core_python")
pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium; apt-get install chromium"),
    pytest.mark.skipif(AXE is None, reason="there is no axe-core; pip install axe-core-python"),
]
NUMBERS = Path(__file__).parents[1] / "studies" / "explain"
SEEN = "[...document.querySelectorAll('.still svg')].map((drawing) => drawing.getBoundingClientRect().width > 0)"
FINDINGS = "axe.run().then((found) => found.violations.map(({ id, nodes }) => `${id}: ${nodes[0].html}`))"


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    with chrome(tmp_path_factory.mktemp("axe")) as found:
        yield found


def findings(browser: Any, page: Path, width: int = 1200) -> list[str]:
    browser.open(page, width)
    return checked(browser)


def checked(browser: Any) -> list[str]:
    """What axe says of the page as it is now."""
    assert AXE is not None
    assert AXE.origin is not None
    browser.run(Path(AXE.origin).with_name("axe.min.js").read_text(encoding="utf-8") + "; 0")
    found: list[str] = browser.run(FINDINGS)
    return found


@pytest.mark.parametrize("name", ["convolution", "atrous-line", "network"])
def test_worked_numbers(name: str, browser: Any, tmp_path: Path) -> None:
    page = explain_numbers(NUMBERS / f"{name}.yaml", tmp_path).page
    assert findings(browser, page) == findings(browser, page, 400) == []


def test_layers_of_a_network(browser: Any, tmp_path: Path) -> None:
    page = write_anatomy(anatomy("elu_resnet", "3,32,32"), tmp_path, "assay explain elu_resnet --shape 3,32,32")
    assert findings(browser, page) == findings(browser, page, 400) == []


def test_layers_of_a_run_with_separation(browser: Any, tmp_path: Path) -> None:
    layers = nn.Sequential(nn.Flatten(), nn.Linear(16, 4))
    page = write_anatomy(take_apart(layers, (1, 4, 4), "run", {"SI": {"1": 0.7}, "CSI": {"1": 0.5}}, "test"), tmp_path)
    assert findings(browser, page) == []


def test_ways_downhill(browser: Any, tmp_path: Path) -> None:
    page = write_descent(tmp_path, "assay explain descent")
    assert findings(browser, page) == findings(browser, page, 400) == []


def test_the_report(browser: Any, tmp_path: Path) -> None:
    assert findings(browser, write_report(Results.read(fabricate(tmp_path, make_study(3, 2))))) == []


def test_a_range_of_learning_rates(browser: Any, tmp_path: Path) -> None:
    losses = [2.3, 2.3, 2.2, 2.1, 1.5, 0.9, 0.4, 0.2, 0.1, 0.3, 1.0, 4.0, 30.0, None, None]
    rows = [(10 ** (k / 2 - 6), seed, loss) for seed in (0, 1) for k, loss in enumerate(losses)]
    found = Rates(pl.DataFrame(rows, schema=["rate", "seed", "loss"], orient="row"), 3, 30, 100)
    page = write_rates(found, "mlp on digits", "adam", tmp_path, "assay diagnose --rates digits mlp")
    assert findings(browser, page) == []
    assert browser.run(SEEN) == [True, False]
    assert findings(browser, page, 400) == []
    assert browser.run(SEEN) == [False, True]
    assert browser.run("document.documentElement.scrollWidth <= innerWidth")


def test_the_diagnosis_in_the_report(browser: Any, tmp_path: Path) -> None:
    vary = {"train.optimizer.lr": [0.1, 1e-6]}
    values = {"title": "Wrong", "name": "wrong", "base": BASE, "vary": vary, "seeds": 1}
    page = write_report(run_here(write_study(tmp_path / "wrong.yaml", **values), tmp_path / "runs"))
    for width in (1200, 400):
        browser.open(page, width)
        browser.run("document.querySelectorAll('#diagnosis details').forEach((each) => (each.open = true))")
        assert browser.run("document.querySelectorAll('#diagnosis pre').length") >= 2
        assert checked(browser) == []


def test_a_finding_is_found(browser: Any, tmp_path: Path) -> None:
    page = tmp_path / "bad.html"
    page.write_text('<!doctype html><html data-state="drawn"><title>t</title><img src="x"></html>', encoding="utf-8")
    assert any(found.startswith("image-alt") for found in findings(browser, page))


def test_a_report_in_persian(browser: Any, tmp_path: Path) -> None:
    page = write_report(Results.read(fabricate(tmp_path, make_study(3, 2, language="fa"))))
    assert findings(browser, page) == findings(browser, page, 400) == []


def test_layers_of_a_network_in_persian(browser: Any, tmp_path: Path) -> None:
    page = write_anatomy(anatomy("cnn", "3,32,32"), tmp_path, "assay explain cnn --shape 3,32,32", "fa")
    assert findings(browser, page) == findings(browser, page, 400) == []


def test_a_check_in_persian(browser: Any, tmp_path: Path) -> None:
    plant(tmp_path)
    page = write_inspection(inspect(Data(source="planted"), tmp_path), tmp_path / "out", "assay check planted", "fa")
    assert findings(browser, page) == findings(browser, page, 400) == []


def test_worked_numbers_and_ways_downhill_in_persian(browser: Any, tmp_path: Path) -> None:
    worked = explain_numbers(NUMBERS / "convolution.yaml", tmp_path / "worked", language="fa").page
    for page in (worked, write_descent(tmp_path / "descent", "assay explain descent", "fa")):
        assert findings(browser, page) == findings(browser, page, 400) == []
