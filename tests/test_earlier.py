"""What earlier looks told, found again from the runs of then, and whether it still stands."""

from pathlib import Path

import pytest
import yaml

from assay.results import Results
from assay.results.comparing.compare import compare
from assay.results.comparing.looks import Looks, look_at
from assay.results.comparing.means import best
from assay.results.comparing.standing import Standing
from assay.results.telling.earlier import earlier
from synthetic import fabricate, make_study

STEADY = [0.010, 0.011, 0.009]
"""Three differences that decide at 0.05."""
GONE = [*STEADY, -0.02, -0.03]
TURNED = [*STEADY, -0.2, -0.2001, -0.1999, -0.2, -0.2, -0.2, -0.2, -0.2, -0.2, -0.2]


def said(differences: list[float], *looks: tuple[range, int], variants: int = 2) -> str:
    """Of ``variants`` that differ from the first by these and, the others, by far more, after these looks: (seeds, how
    many variants)."""
    study = make_study(variants, seeds=len(differences))
    names, seeds = list(study.plan), range(len(differences))
    values = {names[0]: {s: 0.9 + 0.001 * s for s in seeds}}
    values[names[1]] = {s: values[names[0]][s] - d for s, d in enumerate(differences)}
    values |= {name: {s: 0.3 + 0.0011 * s for s in seeds} for name in names[2:]}
    own = look_at(seeds, names)
    told = Looks((*(look_at(which, names[:count]) for which, count in looks), own))

    def decide(where, left):
        return compare(left, "accuracy", best(left, "accuracy"), alpha=where.alpha)

    def now(reference):
        return compare(values, "accuracy", reference, alpha=told.level(own))

    where = Standing(tuple(seeds), tuple(seeds), own, told)
    return earlier(study, where, values, decide, now)


def test_the_first_look_has_nothing_before_it():
    assert said(STEADY) == ""


def test_what_was_decided_and_is_decided_again_still_stands():
    assert said(STEADY * 3, (range(3), 2)) == "What was told then still stands."


def test_what_was_decided_and_is_not_now_is_told_with_its_own_interval():
    # t(0.975; 2) · 0.001/√3 = 4.303 · 0.000577 = 0.25 points
    told = "At 3 seeds it told that relu is better than elu by 1.0 ± 0.2 points, which this look does not tell."
    assert said(GONE, (range(3), 2)) == told


def test_a_decision_that_turns_around_is_told_to():
    text = said(TURNED, (range(3), 2))
    assert text.endswith("relu is better than elu by 1.0 ± 0.2 points, of which this look tells the opposite.")


def test_a_look_that_decided_nothing_says_so():
    assert said([0.01, -0.01, 0.012, 0.0, 0.01], (range(3), 2)) == "Nothing was decided then."


def test_what_fewer_variants_told_is_found_among_those():
    text = said(GONE, (range(3), 2), variants=3)
    assert text.startswith("At 3 seeds with 2 variants it told that relu is better than elu by 1.0 ± 0.2 points")


def test_what_rests_on_seeds_that_are_planned_no_longer_cannot_be_found():
    text = said(STEADY, (range(5), 2))
    assert text == "What was told at 5 seeds rests on runs that the study no longer plans."


def test_what_was_equal_and_is_not_told_now_is_said():
    study, names = make_study(2, seeds=5), list(make_study(2).plan)
    values = {names[0]: {s: 0.9 for s in range(5)}, names[1]: dict(enumerate([0.9001, 0.8999, 0.9, 0.88, 0.93]))}
    own, before = look_at(range(5), names), look_at(range(3), names)
    told = Looks((before, own))

    def decide(where, left):
        return compare(left, "accuracy", names[0], alpha=where.alpha, indifferent=0.005)

    where = Standing(tuple(range(5)), tuple(range(5)), own, told)
    text = earlier(study, where, values, decide, lambda one: compare(values, "accuracy", one, indifferent=0.005))
    that = "elu and relu are equal for practical purposes (0.00 ± 0.02 points), which this look does not tell."
    assert text == f"At 3 seeds it told that {that}"


@pytest.fixture
def two(tmp_path: Path) -> Path:
    """Three variants of which the study plans two."""
    folder = fabricate(tmp_path, make_study(3, seeds=3), accuracies=[0.9, 0.6, 0.5], images=300)
    _plan(folder, 2)
    return folder


def _plan(folder: Path, variants: int) -> Results:
    study = make_study(variants, seeds=3)
    (folder / "study.yaml").write_text(yaml.safe_dump(yaml.safe_load(study.dump())))
    return Results.read(folder)


def test_a_variant_added_after_a_verdict_is_a_second_look_which_the_verdict_tells(two):
    assert Results.read(two).compare().alpha == 0.05
    Results.read(two).verdict()
    three = _plan(two, 3)
    assert three.compare().alpha == pytest.approx(0.0025)
    text = three.verdict()
    assert "Second look: it was read at 3 seeds with 2 variants before" in text
    assert "What was told then still stands." in text
    assert _plan(two, 2).compare().alpha == 0.05


def test_going_back_to_an_earlier_look_takes_nothing_back(two):
    Results.read(two).verdict()
    _plan(two, 3).verdict()
    text = _plan(two, 2).verdict()
    assert "It has since been read at 3 seeds with 3 variants; what was told there holds beside this." in text


def test_a_reference_that_is_added_later_does_not_hide_what_was_told_without_it(two):
    Results.read(two).verdict()
    study = make_study(3, seeds=3, reference="tanh")
    (two / "study.yaml").write_text(yaml.safe_dump(yaml.safe_load(study.dump())))
    text = Results.read(two).verdict()
    assert "Nothing was decided then." not in text
    assert "What was told then still stands." in text
