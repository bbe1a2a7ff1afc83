"""Experiments with the learning rate: of a run, and before any run."""

import json
import math
import re
import shutil
from pathlib import Path

import polars as pl
import pytest

from assay.results import Results
from assay.tools.diagnosis.rates import Range, Rates, range_of
from assay.tools.diagnosis.trying import FURTHER, POWERS, Tried
from command import assay, write_study
from driving import run_here
from test_diagnosis_runs import BASE

RATES = [1e-4, 1e-3, 1e-2, 1e-1, 1.0]


@pytest.fixture(scope="module")
def wrong(tmp_path_factory: pytest.TempPathFactory) -> Results:
    """Runs whose rate is far too high, and far too low."""
    folder = tmp_path_factory.mktemp("wrong")
    lr = "train.optimizer.lr"
    values = {"title": "Wrong", "name": "wrong", "base": BASE, "vary": {lr: [30.0, 1e-4, 1e-8]}, "seeds": 1}
    return run_here(write_study(folder / "wrong.yaml", **values), folder / "runs")


def run_of(wrong: Results, rate: float) -> Path:
    return next(r.folder for r in wrong.runs if wrong.study.plan[r.variant].recipe.train.optimizer.lr == rate)


def tried(losses: list[float], own: float) -> Tried:
    return Tried(own, 4, 2.3, dict(zip(RATES, losses, strict=True)))


def test_what_is_said_of_losses_worked_by_hand() -> None:
    assert tried([2.3, 2.2, 0.4, 2.3, math.inf], 0.1).word == "too high"
    assert tried([2.3, 2.2, 0.4, 2.3, math.inf], 1e-4).word == "too low"
    assert tried([2.3, 2.0, 0.3, 1.89, math.inf], 0.1).word == "", "0.41 of 2.0 is more than a fifth"
    assert tried([2.3, 2.0, 0.3, 1.91, math.inf], 0.1).word == "too high"
    assert tried([2.3, 2.3, 2.2, 2.3, 2.3], 0.1).verdict == "At no rate from 0.0001 to 1 is much learned in 4 epochs."
    assert tried([2.3, 2.0, 0.3, 1.89, math.inf], 0.1).verdict == (
        "At 0.01 the loss is 0.3 after 4 epochs, and at 0.1 one of 1.89: 0.1 learns too, and is not called wrong."
    )
    assert tried([2.3, 2.2, 0.4, 2.3, math.inf], 1.0).better == 1e-2
    broken = tried([math.inf] * 5, 0.1)
    assert broken.word == ""
    assert broken.verdict == "At no rate from 0.0001 to 1 does the loss stay finite for 4 epochs."


@pytest.mark.parametrize(("rate", "word"), [(30.0, "too high"), (1e-4, "too low"), (1e-8, "too low")])
def test_a_wrong_rate_is_found_by_trying_others(
    wrong: Results, rate: float, word: str, capfd: pytest.CaptureFixture[str]
) -> None:
    found = json.loads(assay(capfd, "diagnose", run_of(wrong, rate), "--try", "--json").out)["tried"]
    assert len(found["losses"]) == len(POWERS) + (len(FURTHER) if rate == 1e-8 else 0)
    rates = [float(tried) for tried in found["losses"]]
    assert rates == sorted(rates)
    assert f"The rate of {rate:g} is {word}, because the same training at " in found["verdict"]


def test_trying_needs_one_run_and_its_images(wrong: Results, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    for several in (wrong.folder, run_of(wrong, 30.0).parent):
        told = assay(capfd, "diagnose", several, "--try").err.strip()
        said, single = told.split(", such as ")
        assert said.endswith("is no single run; --try takes the folder of one")
        assert several in Path(single).parents
        assert (Path(single) / "status.json").is_file()
    moved = tmp_path / "moved"
    shutil.copytree(run_of(wrong, 30.0), moved)
    recipe = moved / "recipe.yaml"
    recipe.write_text(recipe.read_text().replace("source: digits", "source: gone"))
    found = assay(capfd, "diagnose", moved, "--try")
    assert found.status == 2
    assert "gone" in found.err


def test_the_range_around_the_best_rate_by_hand() -> None:
    """Of a gain of 2.0 a fifth may be lost: up to 0.7."""
    losses = [2.3, 2.0, 0.6, 0.3, 0.8]
    assert range_of(RATES, losses) == Range(1e-2, 1e-1, 1e-1)
    assert range_of(RATES, [2.3, 2.3, 2.4, 2.5, math.inf]) is None
    assert range_of(RATES, [2.3, 0.5, 0.9, 0.3, math.inf]) == Range(1e-1, 1e-1, 1e-1), "the range is of one piece"


def test_seeds_have_ranges_of_their_own() -> None:
    rows = [(rate, 0, loss) for rate, loss in zip(RATES, [2.3, 2.0, 0.6, 0.3, None], strict=True)]
    rows += [(rate, 1, loss) for rate, loss in zip(RATES, [2.3, 1.0, 0.3, 0.9, 0.4], strict=True)]
    found = Rates(pl.DataFrame(rows, schema=["rate", "seed", "loss"], orient="row"), 3, 30, 100)
    assert found.of_seeds == {0: Range(1e-2, 1e-1, 1e-1), 1: Range(1e-2, 1e-2, 1e-2)}
    assert found.together == Range(1e-2, 1e-2, 1e-1)
    assert "their ranges begin at 0.01 and end at 0.01 to 0.1" in found.verdict


def test_rates_are_found_before_any_run(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    options = ["--set", "model.hidden=[16]", "--set", "train.optimizer=sgd", "--set", "train.batch_size=256"]
    found = assay(capfd, "diagnose", "--rates", "digits", "mlp", *options, "--out", tmp_path / "page", "--json")
    document = json.loads(found.out)
    assert 0.03 <= document["together"]["best"] <= 10
    assert len(document["table"]) == 3 * 15
    page = Path(document["page"]).read_text(encoding="utf-8")
    assert len(page.encode()) < 400_000
    assert "vegaEmbed = " not in page
    assert page.count("<svg") == 2, "for wide pages and for narrow ones"
    assert not re.search(r'(fill|stroke)="#', page), "colours of the page, which know the dark"
    assert document["verdict"].split(":")[0] in page
    assert page.count("<figure") >= 1


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--rates", "digits"], "MODEL is missing"),
        (["--rates", "digits", "mpl"], "mlp"),
        (["--rates", "nothing", "mlp"], "nothing"),
        (["--rates", "digits", "mlp", "--try"], "leave one out"),
        (["digits", "mlp"], "go with --rates"),
    ],
)
def test_what_cannot_be_asked_is_a_sentence(arguments: list[str], told: str, capfd: pytest.CaptureFixture[str]) -> None:
    found = assay(capfd, "diagnose", *arguments)
    assert found.status == 2
    assert re.search(told, found.err)


def test_a_study_file_brings_its_network(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    study = write_study(tmp_path / "study.yaml", name="s")
    found = assay(capfd, "diagnose", "--rates", study, "--set", "data.validation=0.5", "--out", tmp_path / "page")
    assert found.status == 0
    assert found.out.startswith(("Learning rates from", "Of these rates"))
