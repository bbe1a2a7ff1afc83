"""A study that searches: what is proposed, how trials are judged, what becomes of the best, what is refused."""

import json
import math
import shutil
from pathlib import Path

import jsonschema
import polars as pl
import pytest
import yaml

import assay
from assay import AssayError, load_study
from assay.recipe.design import FIRST_SEED, Range, Search
from assay.report.page import page_sections, write_report
from assay.report.section import Grid
from assay.report.sections.search import told
from assay.report.subject import Subject
from assay.results import Results
from assay.results.trials import Trial, ranked, read_trials, searched, trial_run
from assay.runs import proposing
from assay.runs.proposing import falls_behind, importances, proposed
from assay.runs.search import of_best
from assay.start.forecast import forecast
from assay.start.plan import plan
from assay.start.schema import study_schema
from assay.system.integrity import digests
from command import assay as assay_command
from driving import Driver, epochs, log, run_here, wait_for, write_study

pytest.importorskip("optuna")

LR = "train.optimizer.lr"
RATES = {"from": 0.001, "to": 1.0, "log": True}
SPACE = {LR: Range.model_validate(RATES), "train.batch_size": Range.model_validate({"from": 8, "to": 64})}
SPACE |= {"model.hidden": [[8], [16, 4]]}
VARY = {LR: RATES, "train.batch_size": {"from": 8, "to": 64}, "model.hidden": [[8], [16, 4]]}


def study(folder: Path, *, vary=VARY, seeds=2, name="s", **design) -> Path:
    """The file of a search on 300 digits, two epochs a run."""
    asked = {"search": "random", "trials": 4, "best": 2} | design
    base = {
        "data": {"source": "digits", "train": 300, "validation": 0.2, "test": 100},
        "model": {"name": "mlp", "hidden": [8]},
        "train": {"epochs": 2, "batch_size": 64, "optimizer": {"name": "sgd", "lr": 0.01}},
        "evaluate": ["classification"],
    }
    return write_study(folder / f"{name}.yaml", base=base, vary=vary, design=asked, seeds=seeds)


def trials_of(folder: Path) -> list[Trial]:
    """Those of the search in a study's folder."""
    return read_trials(folder, searched(folder).study)


def trial(number: int, *values: float, state="finished", lr=0.1) -> Trial:
    best = max(range(len(values)), key=values.__getitem__) + 1 if values else None
    parameters = {LR: lr, "train.batch_size": 8 + number, "model.hidden": [8]}
    return Trial(number, parameters, state, values, best)


@pytest.fixture(scope="module")
def done(tmp_path_factory) -> Results:
    """A search by chance that has ended."""
    folder = tmp_path_factory.mktemp("search")
    return run_here(study(folder), folder / "runs")


# -------------------------------------------------------------------------------------------- proposals


@pytest.mark.parametrize("search", ["random", "sobol", "optuna"])
def test_what_is_proposed_lies_in_its_range_and_is_a_level_of_its_list(search):
    for number in range(1, 9):
        found = proposed(Search(search=search), SPACE, number, "accuracy", ())
        assert 0.001 <= found[LR] <= 1
        assert type(found["train.batch_size"]) is int
        assert 8 <= found["train.batch_size"] <= 64
        assert found["model.hidden"] in ([8], [16, 4])


@pytest.mark.parametrize("search", ["random", "sobol"])
def test_by_chance_and_by_sobol_a_trial_is_a_function_of_its_number_alone(search):
    design = Search(search=search)
    known = [trial(1, 0.3), trial(2, 0.9)]
    assert proposed(design, SPACE, 3, "accuracy", known) == proposed(design, SPACE, 3, "accuracy", ())
    assert len({proposed(design, SPACE, number, "accuracy", ())[LR] for number in range(1, 9)}) == 8


def test_sobol_covers_a_logarithmic_range_evenly():
    found = [proposed(Search(search="sobol"), SPACE, number, "accuracy", ())[LR] for number in range(2, 34)]
    by_decade = [sum(low <= rate < 10 * low for rate in found) for low in (0.001, 0.01, 0.1)]
    assert min(by_decade) >= 9, by_decade  # 32 points over three decades


def test_tpe_learns_from_the_trials_before():
    def mean_after(best: float) -> float:
        rates = [0.001 * 1000 ** (step / 29) for step in range(30)]
        known = [trial(number, 1 / (1 + abs(math.log10(lr / best))), lr=lr) for number, lr in enumerate(rates, 1)]
        near = [proposed(Search(search="optuna"), SPACE, number, "accuracy", known)[LR] for number in range(31, 43)]
        assert near[0] == proposed(Search(search="optuna"), SPACE, 31, "accuracy", known)[LR]
        return sum(map(math.log10, near)) / len(near)

    assert mean_after(0.003) + 0.5 < mean_after(0.5)


def test_the_parameter_that_decides_is_the_important_one():
    known = [
        trial(number, 0.9 if number % 4 == 0 else 0.1, lr=0.5 if number % 4 == 0 else 0.002) for number in range(1, 25)
    ]
    found = importances(SPACE, "accuracy", known)
    assert next(iter(found)) == LR
    assert sum(found.values()) == pytest.approx(1)
    assert importances(SPACE, "accuracy", known[:9]) == {}


# ----------------------------------------------------------------------------------------------- choice


def test_the_best_are_ranked_by_the_watched_value_whichever_way_is_better():
    trials = [trial(1, 0.4), trial(2, 0.9, state="stopped"), trial(3, 0.6), trial(4, 0.6), trial(5, state="failed")]
    assert [each.number for each in ranked(trials, "accuracy")] == [3, 4, 1]
    assert [each.number for each in ranked(trials, "loss")] == [1, 3, 4]


def test_of_trials_that_train_alike_and_as_the_base_does_one_goes_on(tmp_path):
    loaded = load_study(study(tmp_path, vary={LR: [0.01, 0.1, 0.2]}))
    trials = [
        Trial(n, {LR: lr}, "finished", (value,), 1) for n, lr, value in [(1, 0.1, 0.5), (2, 0.1, 0.7), (3, 0.01, 0.9)]
    ]
    assert list(of_best(loaded, loaded.search, trials).plan) == ["base", "trial 2"]
    left_out = "Left out, since the base or a better trial trains alike: trial 3."
    assert left_out in told(loaded, loaded.search, trials, ["trial 2"])


def test_successive_halving_stops_what_is_not_in_the_best_quarter_at_a_rung():
    others = [trial(number, value, value, value, value) for number, value in enumerate([0.1, 0.2, 0.3, 0.8], 1)]
    assert falls_behind("accuracy", others, trial(5, 0.7))
    assert not falls_behind("accuracy", others, trial(5, 0.9))
    assert not falls_behind("accuracy", others, trial(5, 0.9, 0.1)), "no rung after two epochs"
    assert falls_behind("accuracy", others, trial(5, 0.9, 0.9, 0.9, 0.1))
    assert falls_behind("loss", [trial(1, 0.5)], trial(2, 0.6))


# ------------------------------------------------------------------------------------------------- runs


def test_trials_have_seeds_of_their_own_and_see_no_test_image(done):
    trials = trials_of(done.folder)
    assert [each.number for each in trials] == [1, 2, 3, 4]
    for each in trials:
        run = trial_run(done.folder, each.number)
        assert yaml.safe_load((run / "recipe.yaml").read_text())["seed"] == FIRST_SEED + each.number
        assert {path.name for path in run.iterdir()} == {
            "data.json", "environment.json", "history.parquet", "log.txt", "recipe.yaml", "status.json"
        }  # fmt: skip
        assert not [column for column in pl.read_parquet(run / "history.parquet").columns if "test" in column]


def test_a_trial_has_the_best_validation_value_of_its_epochs(done):
    for each in trials_of(done.folder):
        history = pl.read_parquet(trial_run(done.folder, each.number) / "history.parquet")
        assert each.value == history["validation_accuracy"].max()


def test_the_best_are_compared_with_the_base_at_the_planned_seeds(done):
    best = ranked(trials_of(done.folder), "accuracy")[:2]
    assert list(done.study.plan) == ["base", *(each.name for each in best)]
    assert {run.seed for run in done.runs} == {0, 1}
    assert done.base == "base"
    written = yaml.safe_load((done.run(best[0].name, 1).folder / "recipe.yaml").read_text())
    assert written["train"]["optimizer"]["lr"] == best[0].parameters[LR]
    assert any("best of 4 trials by validation accuracy" in note for note in done.notes())


def test_the_page_has_the_search(done):
    section = next(each for each in page_sections(Subject(done)) if each.anchor == "search")
    page = write_report(done)
    assert "No trial was tried on test images" in section.parts[0].items[0]
    table = pl.read_csv(page.parent / "tables" / "trials.csv")
    assert table["trial"].to_list() == [1, 2, 3, 4]
    assert (table["state"] == "finalist").sum() == 2
    grid = next(part for part in section.parts if isinstance(part, Grid))
    scales = ['"type": "log"' in json.dumps(figure.chart.to_dict()["layer"]) for figure in grid.parts]
    assert dict(zip(searched(done.folder).study.vary, scales, strict=True)) == {
        LR: True,
        "train.batch_size": False,
        "model.hidden": False,
    }
    assert (page.parent / "figures" / "search-trials.svg").exists()


def test_begun_again_a_search_trains_nothing_anew(done):
    before = {each.number: digests(trial_run(done.folder, each.number)) for each in trials_of(done.folder)}
    again = run_here(study(done.folder.parent.parent), done.folder.parent)
    assert {number: digests(trial_run(again.folder, number)) for number in before} == before
    assert all(len(log(run.folder)) == len(epochs(run.folder)) + 2 for run in again.runs)


def test_more_trials_go_on_and_fewer_than_were_begun_are_refused(done, tmp_path):
    with pytest.raises(AssayError, match=r"design.trials: 3, but 4 were begun in .*search, and all count"):
        run_here(study(tmp_path, trials=3), done.folder.parent)
    with pytest.raises(AssayError, match=r"has the trials of another search: its vary differs"):
        run_here(study(tmp_path, vary={LR: RATES}), done.folder.parent)


def test_another_base_is_refused_and_changes_nothing(done, tmp_path):
    kept = [done.folder / "study.yaml", done.folder / "search" / "study.yaml"]
    before = [path.read_text() for path in kept]
    with pytest.raises(AssayError, match=r"has the trials of another search: its base differs"):
        assay.run(load_study(study(tmp_path), ["train.epochs=3"]), done.folder.parent, quiet=True)
    assert [path.read_text() for path in kept] == before


@pytest.fixture
def amid(done, tmp_path) -> Path:
    """The folder of the search when its last trial had been proposed and not begun."""
    folder = tmp_path / "runs" / "s"
    folder.mkdir(parents=True)
    shutil.copytree(done.folder / "search", folder / "search")
    shutil.rmtree(trial_run(folder, 4))
    shutil.copy(folder / "search" / "study.yaml", folder / "study.yaml")
    return folder


def test_amid_a_search_nothing_speaks_as_if_it_were_over(amid, capfd):
    assert "the search is not over: 'assay run' goes on" in assay_command(capfd, "status", amid).out
    (refused,) = assay_command(capfd, "work", amid).err.splitlines()
    assert "its search is not over" in refused
    section = next(each for each in page_sections(Subject(Results.read(amid))) if each.anchor == "search")
    assert section.parts[0].items[0].startswith("The search is not over: 3 of 4 trials are done")


def test_trials_that_were_only_proposed_need_not_be_trained(amid, tmp_path):
    results = run_here(study(tmp_path, trials=3), amid.parent)
    assert [each.number for each in trials_of(amid)] == [1, 2, 3]
    assert not trial_run(amid, 4).exists()
    assert len(results.study.plan) == 3


def test_tpe_proposes_the_same_again(tmp_path):
    found = []
    for out in ("one", "two"):
        results = run_here(study(tmp_path, search="optuna", vary={LR: RATES}, seeds=1, best=1), tmp_path / out)
        found.append([each.parameters for each in trials_of(results.folder)])
    assert found[0] == found[1]
    assert len({each[LR] for each in found[0]}) == 4


def test_a_killed_search_goes_on_with_the_same_trials(driver: Driver, done, tmp_path):
    path, out = study(tmp_path), tmp_path / "runs"
    (out / "s").mkdir(parents=True)
    (out / "s" / "machine.json").write_text('{"threads": 1}')
    pid = driver.start(path, out)
    wait_for(lambda: len(list((out / "s" / "search").glob("trial-*/seed-*/log.txt"))) >= 2)
    driver.ask(do="kill", pid=pid)
    driver.wait(pid)
    folder = driver.finish(path, out)
    for number in (1, 2, 3, 4):
        there, here = (pl.read_parquet(trial_run(each, number) / "history.parquet") for each in (done.folder, folder))
        assert there.drop("seconds").equals(here.drop("seconds"))
    assert list(load_study(folder).plan) == list(done.study.plan)


def test_trials_that_fall_behind_are_stopped_and_the_page_says_so(tmp_path):
    vary = {LR: [0.3, 0.000001, 0.000002]}
    results = run_here(study(tmp_path, vary=vary, trials=8, best=1, prune="asha", seeds=1), tmp_path / "runs")
    trials = trials_of(results.folder)
    stopped = [each for each in trials if each.state == "stopped"]
    assert stopped
    assert all(len(each.values) == 1 for each in stopped)
    assert list(results.study.plan)[1] not in [each.name for each in stopped]
    section = next(each for each in page_sections(Subject(results)) if each.anchor == "search")
    assert (
        f"{len(stopped)} of 8 trials were stopped early by asynchronous successive halving" in section.parts[0].items[1]
    )


def test_levels_that_do_not_go_together_fail_a_trial_and_not_the_search(tmp_path):
    vary = {"train.optimizer.momentum": [0.0, 0.9], "train.optimizer.nesterov": [False, True], LR: RATES}
    path = study(tmp_path, vary=vary, trials=6, best=1, seeds=1)
    values = yaml.safe_load(path.read_text())
    values["base"]["train"]["optimizer"]["momentum"] = 0.9
    path.write_text(yaml.safe_dump(values))
    results = run_here(path, tmp_path / "runs")
    failed = [each for each in trials_of(results.folder) if each.state == "failed"]
    assert all("nesterov" in str(each.reason) for each in failed)
    assert all(
        each.parameters["train.optimizer.nesterov"] and not each.parameters["train.optimizer.momentum"]
        for each in failed
    )
    assert failed


# --------------------------------------------------------------------------------------- before training


def test_plan_and_forecast_know_what_a_search_will_train(tmp_path):
    loaded = load_study(study(tmp_path))
    assert plan(loaded, "1").variants == 3
    found = forecast(loaded, tmp_path / "runs", quiet=True)
    assert [(each.variant, each.runs, each.done) for each in found.variants] == [
        ("base", 2, 0), ("trials", 4, 0), ("the best 2", 4, 0)
    ]  # fmt: skip
    assert not (tmp_path / "runs").exists()


def test_the_forecast_of_a_search_that_has_ended_knows_its_variants(done, tmp_path):
    found = forecast(load_study(study(tmp_path)), done.folder.parent, quiet=True)
    assert [(each.variant, each.runs, each.done) for each in found.variants] == [
        (name, 2, 2) for name in done.study.plan
    ]


def test_a_search_is_written_as_it_is_read(tmp_path):
    path = study(tmp_path, prune="asha")
    again = tmp_path / "again" / "s.yaml"
    again.parent.mkdir()
    again.write_text(load_study(path).dump())
    assert load_study(again).model_dump() == load_study(path).model_dump()
    jsonschema.validate(yaml.safe_load(path.read_text()), study_schema())


REFUSED = [
    ({"design": "grid"}, r"train.batch_size: only a search looks through a range; give a list, or design: {search"),
    ({"vary": {}}, r"design: a search needs ranges or lists of levels under 'vary'"),
    ({"vary": {LR: {"from": 1, "to": 0.1}}}, r"from 1 to 0.1 is no range; expected the smaller number first"),
    ({"vary": {LR: {"from": 0, "to": 0.1, "log": True}}}, r"from 0 has no logarithm; expected more than 0 with log"),
    ({"vary": {LR: {"from": 0.1, "to": "much"}}}, r"train.optimizer.lr: to: found 'much', expected a number"),
    ({"vary": {LR: {"from": 0.1}}}, r"train.optimizer.lr: to: found None, expected a number"),
    ({"vary": {LR: {"from": 0.1, "to": 1, "lgo": True}}}, r"unknown key 'lgo' in a range; did you mean 'log'\?"),
    (
        {"vary": {LR: {"from": -1, "to": 1}}},
        r"the search tried the end -1 of the range of train.optimizer.lr: train.*: found -1, expected more than 0",
    ),
    ({"vary": {"train.optimizer.rl": RATES}}, r"unknown key 'train.optimizer.rl'"),
    ({"vary": {"predict.flips": ["none"]}}, r"predict.flips: a search goes by validation values of the training"),
    ({"vary": {"train.watch": ["loss", "accuracy"]}}, r"train.watch: .* this changes what they are measured by"),
    ({"design": {"search": "random", "trials": 0}}, r"design.trials: found 0, expected more than 0"),
    ({"design": {"search": "random", "trials": 2, "best": 3}}, r"design.best: 3 is more than the 2 trials"),
    ({"design": {"search": "sobl"}}, r"design.search: found 'sobl'; did you mean 'sobol'\?"),
    ({"design": {"search": "random", "trails": 3}}, r"unknown key 'design.trails'; did you mean 'trials'\?"),
    ({"vary": {"data.label": ["fine", "coarse"]}}, r"data.label: .* this changes what they are measured by"),
    ({"seeds": [0, FIRST_SEED + 1]}, r"seeds: 1000001 is the seed of a trial"),
]


@pytest.mark.parametrize(("changes", "said"), REFUSED, ids=[said for _, said in REFUSED])
def test_what_makes_no_search_is_told_in_a_sentence(tmp_path, changes, said):
    path = study(tmp_path)
    path.write_text(yaml.safe_dump(yaml.safe_load(path.read_text()) | changes))
    with pytest.raises(AssayError, match=said):
        load_study(path)


TRIED = [
    (
        {"model.dropout": {"from": 0, "to": 1.0}},
        r"^the search tried the end 1.0 of the range of model.dropout: model.dr",
    ),
    ({"model.activation": ["relu", "gelo"]}, r"^the search tried the level gelo of model.activation: .* 'gelu'\?"),
    (
        {"train.early_stopping.patience": {"from": 1, "to": 9}},
        r"(?m)^the base and the end 9 of the range of train.early_stopping.patience train alike: ",
    ),
]


@pytest.mark.parametrize(("vary", "said"), TRIED, ids=["range", "list", "alike"])
def test_what_cannot_be_tried_before_a_search_is_told_by_its_range_and_not_as_a_variant(tmp_path, vary, said):
    searching = load_study(study(tmp_path, vary=vary))
    for check in (assay.run, forecast):
        with pytest.raises(AssayError, match=said):
            check(searching, tmp_path / "runs", quiet=True)


def test_a_search_without_validation_images_is_refused(tmp_path):
    path = study(tmp_path)
    with pytest.raises(AssayError, match=r"design: a search goes by validation images, but variant 'base' has no"):
        load_study(path, ["data.validation=0", "train.keep=last"])


def test_a_search_that_watches_the_loss_varies_only_how_it_is_trained(tmp_path):
    losses = {"train.loss": ["cross_entropy", "focal"]}  # both are measured as cross-entropy
    assert load_study(study(tmp_path, vary=losses), ["train.watch=loss"]).search
    losses = {"train.loss": ["cross_entropy", {"name": "cross_entropy", "label_smoothing": 0.1}]}
    assert load_study(study(tmp_path, vary=losses)).search
    with pytest.raises(
        AssayError, match=r"s.yaml .*: train.loss: a search that watches the loss cannot vary what that"
    ):
        load_study(study(tmp_path, vary=losses), ["train.watch=loss"])


def test_without_optuna_a_search_says_how_to_get_it(tmp_path, monkeypatch):
    monkeypatch.setattr(proposing, "find_spec", lambda name: None)
    with pytest.raises(AssayError, match=r"a search needs Optuna: pip install 'assay-studies\[search\]'"):
        run_here(study(tmp_path), tmp_path / "runs")
    assert not (tmp_path / "runs" / "s" / "search").exists()
