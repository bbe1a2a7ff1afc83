"""How many seeds decide a difference: the numbers, the sentence of a verdict, ``assay plan``."""

import json
import math
from dataclasses import replace
from io import StringIO

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from scipy import stats

from assay import AssayError
from assay.results import Results
from assay.results.comparing.compare import compare
from assay.results.comparing.looks import NAME
from assay.results.comparing.spread import usual_spread
from assay.results.statistics.image_errors import ImageError
from assay.results.statistics.seeds_needed import (
    Design,
    Range,
    deviation_range,
    images_needed,
    needed,
    needed_range,
    power,
)
from assay.results.telling.more_seeds import about, in_words, more_seeds
from assay.start.plan import plan, plan_table
from command import assay
from synthetic import fabricate, make_study


@pytest.mark.parametrize(("effect", "seeds"), [(0.25, 128), (0.5, 34), (1.0, 10), (2.0, 5)])
def test_two_variants_need_what_a_paired_t_test_of_80_percent_power_needs(effect, seeds):
    assert needed(effect, 1.0, Design(2)) == seeds
    freedom = seeds - 1
    least = stats.t.ppf(0.975, freedom)
    told = stats.chi2(freedom).expect(
        lambda x: stats.norm.cdf(effect * math.sqrt(seeds) - least * np.sqrt(x / freedom))
    )
    assert power(effect, 1.0, seeds, Design(2)) == pytest.approx(told, abs=1e-4)


def test_the_power_of_five_variants_is_what_simulated_studies_decide():
    random, n, k, difference = np.random.default_rng(1), 4, 5, 3.0
    decided, studies = 0, 400
    for _ in range(studies):
        table = random.normal(0, 1, (k, n)) + random.normal(0, 3, n)
        table[0] += difference
        values = {str(row): dict(enumerate(table[row].tolist())) for row in range(k)}
        found = compare(values, "map", "1")[0]
        if found.method == "pooled t over seeds":
            decided += found.decided == "better"
        else:
            studies -= 1
    expected = power(difference, math.sqrt(2), n, Design(k))
    assert decided / studies == pytest.approx(expected, abs=3.5 * math.sqrt(expected * (1 - expected) / studies))


def test_a_named_reference_needs_fewer_seeds_and_each_pairs_own_error_more():
    named, pooled, careful = (
        needed(1.0, 1.0, design) for design in (Design(6, is_named=True), Design(6), Design(6, is_pooled=False))
    )
    assert named < pooled < careful


@given(st.floats(0.3, 4), st.integers(2, 6), st.booleans())
def test_one_seed_fewer_than_needed_has_too_little_power(effect, variants, is_named):
    design = Design(variants, is_named=is_named)
    seeds = needed(effect, 1.0, design)
    assert power(effect, 1.0, seeds, design) >= 0.8
    assert seeds == 2 or power(effect, 1.0, seeds - 1, design) < 0.8


def test_what_the_test_images_leave_open_no_number_of_seeds_decides():
    assert needed(1.0, 1.0, Design(2), fixed=0.5**2) is None
    assert needed(1.0, 1.0, Design(2), fixed=0.1**2) > needed(1.0, 1.0, Design(2))
    assert needed(1e-9, 1.0, Design(2)) is None


def test_test_images_that_prevent_a_decision_are_told_with_how_many_it_takes():
    # of 1,000 pairs t(0.975; 999) = 1.9623 and z(0.8) = 0.8416: a standard error of 1/2.8039
    assert images_needed(1.0, Design(2), 0.5**2, 100) == math.ceil(100 * 0.5**2 * 2.80391**2)
    assert images_needed(1.0, Design(2), 0.3**2, 100) is None
    assert needed(1.0, 1e-9, Design(2), 0.5**2 * 100 / 196) is None
    assert needed(1.0, 1e-9, Design(2), 0.5**2 * 100 / 198) is not None
    # beside a deviation of 5, which 1,000 seeds make 5/√1000, fewer images are enough to prevent it
    assert images_needed(1.0, Design(2), 0.34**2, 100, deviation=5.0) == math.ceil(
        100 * 0.34**2 / (1 / 2.80391**2 - 5.0**2 / 1000)
    )
    assert images_needed(1.0, Design(2), 0.3**2, 100, deviation=5.0) is None
    assert images_needed(1.0, Design(2), 0.3**2, 100, deviation=12.0) is None, "no number of images would do"
    assert [about(images) for images in (7, 98, 196, 197, 4801)] == [
        "at least 7",
        "at least 98",
        "at least 200",
        "at least 200",
        "at least 4,900",
    ]


def test_a_deviation_of_four_degrees_of_freedom_has_the_chi_square_interval():
    low, high = deviation_range(1.0, 4)  # the table: 7.779 and 1.064
    assert (low, high) == pytest.approx((math.sqrt(4 / 7.7794), math.sqrt(4 / 1.0636)), rel=1e-4)


def test_the_range_is_what_either_end_of_the_deviation_needs():
    low, high = deviation_range(1.0, 8)
    wanted = needed_range(1.0, 1.0, 8, Design(3))
    assert wanted == (needed(1.0, low, Design(3)), needed(1.0, high, Design(3)))
    assert wanted.low < needed(1.0, 1.0, Design(3)) < wanted.high


def test_ranges_in_words():
    said = [in_words(Range(*ends)) for ends in ((12, 40), (12, 12), (40, None), (None, None))]
    assert said == ["12 to 40 seeds", "12 seeds", "40 seeds or more", "more than 1,000 seeds"]


# ------------------------------------------------------------------------------------------- in a verdict


def two(seeds, gap=0.01):
    noise = [0.0, 0.03, -0.02, 0.01, -0.03, 0.02]
    return {
        "activation=relu": {s: 0.9 + noise[s] for s in range(seeds)},
        "activation=elu": {s: 0.9 - gap - noise[s] / 2 for s in range(seeds)},
    }


def said(seeds, gap=0.01, **fields):
    values, study = two(seeds, gap), make_study(2, seeds=seeds, **fields)
    found = compare(values, "accuracy", "activation=relu", indifferent=0.02 if fields else None)
    return more_seeds(study, values, found, 0.0025)


def test_what_cannot_be_told_from_four_seeds_on_is_told_with_a_range_of_seeds():
    spread, _ = usual_spread(two(5), "accuracy")
    wanted = needed_range(0.01 + 1.5 * np.mean([0.0, 0.03, -0.02, 0.01, -0.03]), *spread[:2], Design(2, 0.0025))
    expected = f"{wanted.low} to {wanted.high:,} seeds" if wanted.high else f"{wanted.low} seeds or more"
    assert f"{expected} in all would tell relu from elu." in said(5)


def test_below_four_seeds_and_of_what_is_told_or_indifferent_nothing_is_said():
    assert said(3) == ""
    assert said(6, gap=0.5) == ""
    assert said(5, indifferent=2) == ""


def test_where_the_test_images_leave_it_open_the_verdict_says_how_many_are_needed():
    study, values = make_study(2, seeds=5), two(5)
    images = lambda a, b, seeds: ImageError(0.01, 0.0, 199)  # noqa: E731
    found = replace(compare(values, "accuracy", "activation=relu", images=images), images=200)
    needs = images_needed(found[0].difference, Design(2, 0.0025), found[0].images_error ** 2, 200)
    told = more_seeds(study, values, found, 0.0025)
    assert "no number of seeds would tell relu from elu on 200 test images; " in told
    assert told.endswith(f"{about(needs)} would.")


def test_where_seeds_and_test_images_prevent_it_together_the_verdict_says_what_more_images_would_do():
    study, found = make_study(2, seeds=5), compare(two(5), "accuracy", "activation=relu")
    c = replace(found[0], difference=0.003, deviation=0.02, images_error=math.sqrt(5e-7))
    told = more_seeds(study, two(5), replace(found, items=(c,), images=200), 0.0025)
    low, _ = deviation_range(0.02, 4)
    least = Design(2, 0.0025).least(1000) + stats.norm.ppf(0.8)
    enough = 200 * 5e-7 / ((0.003 / least) ** 2 - low**2 / 1000)
    assert told == (
        "If they differ by 0.3 points, as seen, it would take more than 1,000 seeds to tell relu from elu on 200 test "
        f"images; with {about(math.ceil(enough))} of them 1,000 would do."
    )


def test_where_runs_vary_too_much_the_verdict_says_so_and_a_small_difference_is_not_told_as_nothing():
    assert said(5, gap=0.00301) == (
        "If they differ by 0.001 points, as seen, it would take more than 1,000 seeds to tell relu from elu: runs vary "
        "too much for so small a difference."
    )


# ------------------------------------------------------------------------------------------- before training


def test_of_two_variants_there_is_one_pair(tmp_path):
    console = Console(width=200, file=StringIO())
    for study in (make_study(2), make_study(2, reference="elu")):
        console.print(plan_table(plan(study, 1.0), study))
    assert console.file.getvalue().count("the one pair of variants at 95 %") == 2


def test_without_runs_the_seeds_are_told_in_deviations_of_a_run(tmp_path):
    found = plan(make_study(3), "1 points", folder=tmp_path / "none")
    assert found.known_from is found.deviation is found.seeds_low is None
    assert found.in_deviations[1.0] == needed(1.0, math.sqrt(2), Design(3))
    assert list(found.in_deviations.values()) == sorted(found.in_deviations.values(), reverse=True)


def test_the_studys_own_runs_say_how_much_they_vary_and_planning_is_no_look(tmp_path):
    folder = fabricate(tmp_path, make_study(3, seeds=5), noise=0.02)
    found = plan(make_study(3, seeds=5), 1.0, folder=folder)
    values = Results.read(folder).values("accuracy")
    table = np.array([list(by_seed.values()) for by_seed in values.values()])
    left = table - table.mean(1, keepdims=True) - table.mean(0) + table.mean()
    if found.is_pooled:
        assert found.deviation == pytest.approx(math.sqrt((left**2).sum() / 8))
    assert found.known_from == folder
    assert found.runs == 15
    assert found.deviation_low < found.deviation < found.deviation_high
    assert not (folder / NAME).exists()
    Results.read(folder).verdict()
    again = plan(make_study(3, seeds=5), 1.0, folder=folder)
    assert again.alpha == pytest.approx(0.0025)
    assert (again.seeds_low or 1001) > (found.seeds_low or 0)


def test_another_study_says_it_where_the_own_has_no_runs_and_one_of_a_single_variant_will_do(tmp_path):
    pilot = fabricate(tmp_path, make_study(1, seeds=4), noise=0.02)
    found = plan(make_study(4), 5.0, folder=tmp_path / "none", like=pilot)
    runs = list(Results.read(pilot).values("accuracy")["activation=relu"].values())
    assert found.deviation == pytest.approx(np.std(runs, ddof=1))
    assert found.known_from == pilot
    assert found.alpha == 0.05
    wanted = needed_range(0.05, math.sqrt(2) * found.deviation, 3, Design(4))
    assert (found.seeds_low, found.seeds_high) == wanted


def test_where_no_number_of_seeds_is_named_the_plan_says_what_lacks(tmp_path):
    study = make_study(2, seeds=5)
    folder = fabricate(tmp_path, study, noise=0.1, images=200, one_test_set=True)
    console = Console(width=200, file=StringIO())
    found = [plan(study, size, folder=folder) for size in np.geomspace(0.9, 1.5, 30).tolist()]
    for each in found:
        console.print(plan_table(each, study))
    lines = [line for line in console.file.getvalue().splitlines() if line.startswith("seeds")]
    for each, line in zip(found, lines, strict=True):
        if each.seeds_low is None:
            alone, beside = each.images_needed, each.images_for_most
            assert (alone is None) or (beside is None)
            assert ("on 200 test images" in line) == bool(alone or beside)
            assert ("runs vary too much for so small a difference" in line) == (not alone and not beside)
            assert ("of them 1,000 would do" in line) == bool(beside)
    assert any(each.images_for_most for each in found)


def test_without_test_images_in_the_way_it_is_the_runs_that_vary_too_much(tmp_path):
    pilot = fabricate(tmp_path, make_study(1, seeds=4), noise=0.02)
    study, console = make_study(2), Console(width=200, file=StringIO())
    console.print(plan_table(plan(study, 0.001, like=pilot), study))
    assert (
        "more than 1,000 seeds in all, on any number of test images: runs vary too much for so small a"
        in console.file.getvalue()
    )


def test_more_power_and_smaller_differences_need_more_seeds(tmp_path):
    pilot = fabricate(tmp_path, make_study(2, seeds=6), noise=0.02)
    usual, sure, small = (
        plan(make_study(2), size, chance, like=pilot).seeds_low for size, chance in ((5, 0.8), (5, 0.95), (2, 0.8))
    )
    assert usual < sure
    assert usual < small


@pytest.mark.parametrize(
    ("study", "options", "sentence"),
    [
        ({}, {"difference": "2 s"}, "--difference: found '2 s', but differences of accuracy are shown in points"),
        ({}, {"difference": -1}, "--difference: found -1, expected a difference above 0"),
        (
            {},
            {"difference": 500},
            "--difference: found 500, but no two values of accuracy differ by more than 100.0 points",
        ),
        ({}, {"difference": 1, "power": 1.0}, "--power: found 1, expected a share of studies between 0 and 1"),
        ({"variants": 1}, {"difference": 1}, "has one variant, and nothing that seeds could decide"),
        ({"metric": "parameters"}, {"difference": 1}, "parameters follows from the recipe, whatever the seed"),
    ],
)
def test_what_cannot_be_planned_is_one_sentence(study, options, sentence):
    with pytest.raises(AssayError) as found:
        plan(make_study(**study), **options)
    assert sentence in str(found.value)


def test_a_like_study_that_says_nothing_is_refused(tmp_path):
    alone = fabricate(tmp_path, make_study(2, seeds=1))
    with pytest.raises(AssayError, match="no two seeds have finished in it"):
        plan(make_study(2), 1, like=alone)
    with pytest.raises(AssayError, match="holds no study"):
        plan(make_study(2), 1, like=tmp_path / "nowhere")


def test_the_command_tells_the_plan_and_has_the_exit_status_of_the_others(tmp_path, capfd):
    folder = fabricate(tmp_path, make_study(3, seeds=5), noise=0.02)
    told = assay(capfd, "plan", folder, "--difference", "8")
    assert told.status == 0
    assert "8 points of accuracy, to be told in 80 % of studies" in told.out
    assert "all 3 pairs of 3 variants together at 95 %" in told.out
    assert f"from 15 runs in {folder}" in told.out
    asked = json.loads(assay(capfd, "plan", folder, "--difference", "8", "--json").out)
    assert f"{in_words(Range(asked['seeds_low'], asked['seeds_high']))} in all" in told.out
    refused = assay(capfd, "plan", folder, "--difference", "0")
    assert (refused.status, refused.err.count("\n")) == (2, 1)


@pytest.mark.parametrize(("difference", "told"), [(0.05, "0.05 points"), (0.04, "0.04 points"), (2, "2 points")])
def test_a_difference_is_told_as_it_was_asked(difference, told):
    study = make_study(2)
    console = Console(width=200)
    with console.capture() as said:
        console.print(plan_table(plan(study, difference), study))
    assert f" {told} of accuracy, " in said.get()
