"""Interim, first and later looks as a study tells them."""

import json
import os
import re

import pytest
import yaml
from scipy.stats import t

from assay.report import write_report
from assay.results import Results
from assay.results.comparing.looks import NAME
from assay.tools.verify import verify
from synthetic import fabricate, make_study


def looks(folder):
    path = folder / NAME
    return [json.loads(line)["seeds"] for line in path.read_text().splitlines()] if path.exists() else []


def with_seeds(folder, seeds):
    """The same folder under a study file with other seeds."""
    study = yaml.safe_load((folder / "study.yaml").read_text())
    (folder / "study.yaml").write_text(yaml.safe_dump(study | {"seeds": seeds}))
    return Results.read(folder)


@pytest.fixture
def five(tmp_path):
    """Five seeds of two variants of which the study plans three."""
    folder = fabricate(tmp_path, make_study(2, seeds=5), accuracies=[0.9, 0.9], images=300)
    with_seeds(folder, 3)
    return folder


@pytest.mark.parametrize("state", ["waiting", "running"])
def test_before_all_planned_runs_are_done_nothing_is_decided_and_no_look_is_spent(tmp_path, state):
    study = make_study(2, seeds=5)
    states = {(name, seed): state for name in study.plan for seed in (2, 3)}
    results = Results.read(fabricate(tmp_path, study, accuracies=[0.95, 0.5], states=states))
    assert {c.decided for c in results.compare()} == {"interim"}
    text = results.verdict()
    assert text.startswith(
        "Interim: 3 of 5 seeds are complete, and nothing is decided before all planned runs are done."
    )
    assert re.search(r"So far the accuracy: relu 9\d\.\d ± \d\.\d % and elu \d\d\.\d ± \d\.\d %\.$", text)
    assert not re.search(r"better|worse|cannot tell|Use ", text)
    write_report(results)
    assert looks(results.folder) == []


def test_before_all_planned_runs_are_done_the_page_colours_no_factor_and_decides_nothing(tmp_path):
    vary = {"model.activation": ["relu", "tanh"], "train.optimizer.lr": [0.1, 0.01]}
    study = make_study(seeds=3, vary=vary)
    states = {("activation=tanh, lr=0.01", 2): "waiting"}
    results = Results.read(fabricate(tmp_path, study, accuracies=[0.9, 0.85, 0.7, 0.65], states=states))
    assert results.main_effects() == []
    notes = " ".join(results.notes())
    assert "what is decided" not in notes
    assert "Which variant is the best was read off" not in notes
    page = write_report(results).read_text()
    assert "Nothing is decided yet." in page
    assert "beats it in" not in page.lower()
    assert not re.search(r"<th[^>]*>\s*p\s*<", page)
    assert "p is of the same procedure" not in page


def test_failed_runs_are_done(tmp_path):
    study = make_study(2, seeds=4)
    folder = fabricate(tmp_path, study, accuracies=[0.95, 0.5], states={("activation=elu", 1): "failed"})
    results = Results.read(folder)
    assert results.verdict().startswith("relu is better than elu by")
    assert looks(folder) == [4]


def test_what_exactly_follows_from_the_recipe_is_told_in_between_too(tmp_path):
    study = make_study(2, seeds=3)
    results = Results.read(fabricate(tmp_path, study, states={("activation=elu", 2): "waiting"}))
    assert results.compare("parameters")[0].decided == "worse"


def test_the_verdict_the_page_and_the_comparisons_are_one_look(five):
    results = Results.read(five)
    results.verdict()
    results.compare("loss")
    write_report(Results.read(five))
    assert looks(five) == [3]
    assert Results.read(five).compare().alpha == 0.05
    assert "look" not in Results.read(five).verdict()


def test_seeds_raised_after_a_look_are_a_second_look_and_the_page_says_so(five):
    Results.read(five).verdict()
    second = with_seeds(five, 5)
    assert second.compare().alpha == pytest.approx(0.0025)
    assert "Second look: it was read at 3 seeds before, so that the intervals are at 99.75 %." in second.verdict()
    assert any("extending it until it tells something errs in at most 5.5 %" in note for note in second.notes())
    page = write_report(second).read_text()
    assert "Second look" in page
    assert looks(five) == [3, 5]


def test_a_second_look_has_wider_intervals_of_the_same_numbers(five, tmp_path):
    Results.read(five).verdict()
    (second,) = with_seeds(five, 5).compare()
    (five / NAME).unlink()
    (first,) = Results.read(five).compare()
    assert second.difference == first.difference
    assert second.high - second.low == pytest.approx((first.high - first.low) * t.ppf(0.99875, 4) / t.ppf(0.975, 4))


def test_seeds_lowered_after_a_look_keep_it(five):
    with_seeds(five, 5).verdict()
    lowered = with_seeds(five, 3)
    assert lowered.compare().alpha == pytest.approx(0.0025)
    assert "Second look: it was read at 5 seeds before" in lowered.verdict()
    assert with_seeds(five, 5).compare().alpha == 0.05


def test_one_seed_and_one_variant_decide_nothing_of_recipes_and_spend_nothing(five, tmp_path):
    with_seeds(five, 1).verdict()
    assert looks(five) == []
    alone = fabricate(tmp_path / "alone", make_study(1), accuracies=[0.9])
    Results.read(alone).verdict()
    Results.read(alone).notes()
    assert looks(alone) == []


def test_without_a_finished_run_there_is_no_look(tmp_path):
    study = make_study(2, seeds=2)
    states = {(name, seed): "failed" for name in study.plan for seed in (0, 1)}
    results = Results.read(fabricate(tmp_path, study, states=states))
    assert results.verdict()
    assert results.notes() is not None
    assert looks(results.folder) == []


def test_where_the_look_cannot_be_written_the_study_is_read_and_the_notes_say_so(five):
    (five / NAME).mkdir()
    results = Results.read(five)
    assert results.verdict()
    assert any("This look at the study is not on record" in note for note in results.notes())


def test_damaged_lines_are_noted_and_nothing_trips_over_the_record(five):
    variants = json.dumps(list(Results.read(five).study.plan))
    (five / NAME).write_text(f'{{"which": [0, 1], "variants": {variants}}}\n{{"wh\nnonsense\n')
    results = Results.read(five)
    assert "Second look: it was read at 2 seeds before" in results.verdict()
    assert any(note.startswith("2 lines of looks.jsonl cannot be read") for note in results.notes())
    assert all(not one.wrong for one in verify(five))


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root writes where it may not")
def test_a_folder_that_may_not_be_written_is_read(five):
    five.chmod(0o555)
    try:
        assert Results.read(five).verdict()
    finally:
        five.chmod(0o755)
