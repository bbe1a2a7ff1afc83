import re
import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.recipe.study import Study
from assay.report import write_report
from assay.results import Results
from assay.results.comparing.compare import compare
from assay.results.folders import Run
from assay.results.metrics import lower_is_better
from assay.results.telling.notes import notes
from assay.results.telling.verdict import verdict
from synthetic import fabricate, make_study

pytestmark = pytest.mark.filterwarnings("error")


def study_of(key="model.activation", levels=("relu", "tanh"), **changes):
    base = {"data": {"source": "digits"}, "model": {"name": "mlp"}}
    return Study.model_validate({"title": "t", "name": "n", "base": base, "vary": {key: list(levels)}} | changes)


def told(rows, metric="accuracy", reference=None, **options):
    """The verdict on values by variant (in the order of the study) and seed."""
    study = study_of(levels=list(rows))
    values = {f"activation={k}": dict(enumerate(row)) for k, row in rows.items()}
    sign = -1 if lower_is_better(metric) else 1
    best = max((v for v in values if values[v]), key=lambda v: sign * sum(values[v].values()) / len(values[v]))
    first = f"activation={reference}" if reference else best
    return verdict(study, metric, values, compare(values, metric, first, is_named=reference is not None, **options))


def test_two_variants():
    text = told({"sigmoid": [0.88, 0.89, 0.90], "elu": [0.911, 0.920, 0.932]})
    assert text == "elu is better than sigmoid by 3.1 ± 0.2 points."


def test_two_variants_that_cannot_be_told_apart():
    text = told({"relu": [0.910, 0.930, 0.920], "elu": [0.907, 0.933, 0.917]})
    assert text == "Cannot tell relu from elu (0.1 ± 0.9 points)."


def test_two_that_are_the_same():
    assert told({"relu": [0.9, 0.8], "elu": [0.9, 0.8]}) == "Cannot tell relu from elu (0.0 points)."
    same = told({"relu": [10.0, 10.0], "elu": [10.0, 10.0]}, "parameters")
    assert same == "relu and elu do not differ in parameters."


def test_a_metric_that_the_seed_does_not_change_is_said():
    text = told({"relu": [0.9, 0.9], "elu": [0.8, 0.8]})
    assert text == (
        "Cannot tell relu from elu (10.0 points). All seeds of a variant gave the same accuracy, so there is no error "
        "to go by."
    )


def test_lower_is_better_in_a_loss():
    text = told({"relu": [0.40, 0.42, 0.41], "elu": [0.30, 0.31, 0.32]}, "loss")
    assert text == "elu has a lower test loss than relu by 0.10 ± 0.02."


THREE = {
    "relu": [0.920, 0.930, 0.925, 0.916],
    "elu": [0.921, 0.928, 0.927, 0.914],
    "tanh": [0.860, 0.874, 0.866, 0.855],
}


def test_several_variants():
    """An answer: what to use, what may be as good, what is worse; the error is pooled by hand in test_compare."""
    assert told(THREE) == (
        "Use relu (92.3 %); elu (0.0 ± 0.4 points less) may still be as good; tanh is worse by 5.9 ± 0.4 points."
    )


def test_of_a_metric_that_is_no_quality_nothing_is_to_be_used():
    text = told({"relu": [9.0, 9.2, 9.1], "elu": [5.0, 5.3, 5.1], "tanh": [5.1, 5.1, 5.3]}, "training_seconds")
    assert text.startswith("elu has the shortest training time (5.13 s); tanh (0.0 ± ")
    assert text.endswith("s more) may equal it; elu has a shorter training time than relu by 4.0 ± 0.3 s.")


def test_where_none_is_worse_none_is_to_be_used():
    rows = {
        "relu": [0.920, 0.930, 0.925],
        "tanh": [0.918, 0.910, 0.935],
        "gelu": [0.905, 0.928, 0.920],
        "elu": [0.928, 0.920, 0.924],
    }
    assert told(rows) == (
        "Cannot tell which is best: relu comes first (92.5 %); elu (0.1 ± 2.7 points less), tanh (0.4 ± 2.7 points "
        "less) and gelu (0.7 ± 2.7 points less) may still be as good."
    )


def test_against_a_reference_that_the_study_names():
    text = told(THREE, reference="tanh")
    assert text == "Against tanh (86.4 %): better are elu by 5.9 ± 0.4 points and relu by 5.9 ± 0.4 points."
    text = told(THREE, reference="elu")
    assert text.startswith(
        "Against elu (92.3 %): tanh is worse by 5.9 ± 0.4 points; relu (0.0 ± 0.4 points more) cannot"
    )


def test_differences_that_do_not_matter_are_equal_for_practical_purposes():
    assert "; elu (0.0 ± 0.4 points less) is as good for practical purposes;" in told(THREE, indifferent=0.01)
    two = {name: THREE[name] for name in ("relu", "elu")}
    text = told(two, indifferent=0.01)
    assert text == "relu and elu are equal for practical purposes (0.0 ± 0.3 points)."


def test_variants_without_runs_are_not_spoken_of():
    assert told({"relu": [0.9, 0.91], "elu": []}) == "relu: accuracy 90.5 ± 6.4 %; no other variant has a value."
    text = told({"relu": [0.9, 0.91], "elu": [], "tanh": [0.8, 0.811]})
    assert text.startswith("relu is better than tanh by 9.9 ± ")
    assert told({"relu": [0.9]}) == "relu: accuracy 90.0 %."


def test_one_seed_speaks_of_these_networks(tmp_path):
    results = Results.read(fabricate(tmp_path, make_study(2, seeds=1), accuracies=[0.9, 0.7]))
    assert results.verdict().startswith("The network of relu is better than the network of elu by 20.2 ± ")
    assert "not of their recipes: seeds were not varied" in results.verdict()
    assert "Two seeds of each are the least that speak of recipes" in results.verdict()
    assert "one run of each says nothing about others" in results.verdict("training_seconds")
    assert results.notes()[0].startswith("Seeds were not varied")
    assert any("McNemar" in note and "bootstrap" in note for note in results.notes())


def test_one_seed_of_three_variants_recommends_no_recipe(tmp_path):
    results = Results.read(fabricate(tmp_path, make_study(3, seeds=1), accuracies=[0.9, 0.8, 0.5]))
    assert results.verdict().startswith("Of these networks that of relu has the highest accuracy (")
    assert "Use" not in results.verdict()


def test_one_shared_seed_among_several(tmp_path):
    states = {("activation=tanh", seed): "failed" for seed in (1, 2)}
    results = Results.read(fabricate(tmp_path, make_study(3, seeds=3), accuracies=[0.9, 0.8, 0.7], states=states))
    assert "tanh by 20." in results.verdict()
    assert results.verdict().endswith(
        "One pair of runs (tanh) speaks of those networks, not of the recipes. "
        "2 of 3 runs of tanh collapsed (seed 1: not finite, seed 2: not finite)."
    )


def test_one_pair_left_of_several_seeds_is_not_taken_for_seeds_that_were_not_varied(tmp_path):
    states = {(f"activation={name}", seed): "failed" for name in ("relu", "elu") for seed in (1, 2)}
    results = Results.read(fabricate(tmp_path, make_study(2, seeds=3), accuracies=[0.9, 0.7], states=states))
    told = " ".join([results.verdict(), *results.notes()])
    assert "not of their recipes: of 3 seeds one pair of runs is left, and training again may change it." in told
    assert "Of several seeds one run of a variant is left" in told
    assert "not varied" not in told


def test_variants_that_are_one_network_are_told(tmp_path):
    folder = fabricate(tmp_path, make_study(3, seeds=2), accuracies=[0.9, 0.8, 0.7])
    for seed in (0, 1):
        for name in ("metrics.json", "predictions.parquet"):
            shutil.copy(folder / f"activation=elu/seed-{seed}/{name}", folder / f"activation=tanh/seed-{seed}/{name}")
    told = Results.read(folder).verdict()
    assert told.endswith(" elu and tanh are the same network in every seed: all their numbers agree to the last digit.")
    assert "relu and" not in told


def test_two_that_are_one_network_have_no_other_verdict(tmp_path):
    folder = fabricate(tmp_path, make_study(2, seeds=2))
    for seed in (0, 1):
        path = f"seed-{seed}/metrics.json"
        shutil.copy(folder / "activation=elu" / path, folder / "activation=relu" / path)
    assert Results.read(folder).verdict() == (
        "relu and elu are the same network in every seed: all their numbers agree to the last digit."
    )


def test_a_best_variant_that_loses_on_the_seeds_it_shares():
    study = study_of(levels=["relu", "tanh", "elu"])
    values = {"activation=relu": {0: 0.80, 1: 0.81, 2: 0.99, 3: 0.99}, "activation=tanh": {0: 0.85, 1: 0.8601}}
    values["activation=elu"] = {7: 0.5}
    text = verdict(study, "accuracy", values, compare(values, "accuracy", "activation=relu"))
    assert text.startswith(
        "relu comes first (89.8 %), but over the seeds they share tanh is better than it by 5.00 ± 0.10 points. "
    )
    assert "No seed has finished both in it and in elu." in text


def test_what_other_images_chose_is_not_recommended_where_the_test_images_find_another_better():
    study = study_of(levels=["relu", "tanh", "elu"])
    rows = {"relu": [0.850, 0.851, 0.852], "tanh": [0.900, 0.901, 0.9025], "elu": [0.800, 0.801, 0.803]}
    values = {f"activation={name}": dict(enumerate(row)) for name, row in rows.items()}
    assert verdict(study, "accuracy", values, compare(values, "accuracy", "activation=relu")) == (
        "relu comes first (85.1 %), but over the seeds they share tanh is better than it by 5.02 ± 0.08 points; elu is "
        "worse by 4.97 ± 0.08 points."
    )


def test_too_few_seeds_to_tell_stand_in_place_of_an_interval_wider_than_anything():
    study = study_of(levels=["relu", "tanh"])
    values = {"activation=relu": {0: 0.9, 1: 0.9}, "activation=tanh": {0: 0.8, 1: 0.86}}
    at_a_late_look = compare(values, "accuracy", "activation=relu", alpha=0.0025)
    told = "Cannot tell relu from tanh (7.0 points, too few seeds to tell)."
    assert verdict(study, "accuracy", values, at_a_late_look) == told
    assert "too few" not in verdict(study, "accuracy", values, compare(values, "accuracy", "activation=relu"))


def test_train_accuracy_recommends_nothing():
    text = told(THREE, "train_accuracy")
    assert text.startswith("relu has the highest train accuracy (92.3 %); elu (0.0 ± 0.4 points less) may equal it; ")


def test_the_twin_of_the_best_is_not_told_as_a_rival(tmp_path):
    """It has the error of the others beside it, but is no other network."""
    folder = fabricate(tmp_path, make_study(3, seeds=3), accuracies=[0.9, 0.9, 0.8])
    for seed in range(3):
        for name in ("metrics.json", "predictions.parquet"):
            shutil.copy(folder / f"activation=relu/seed-{seed}/{name}", folder / f"activation=elu/seed-{seed}/{name}")
    told = Results.read(folder)
    assert told.verdict().startswith("Use relu (90.2 %); it is better than tanh by 10.7 ± ")
    assert "may still" not in told.verdict()
    assert told.verdict().endswith(
        "relu and elu are the same network in every seed: all their numbers agree to the last digit."
    )
    assert "elu" in told.verdict("training_seconds").split(". relu and elu")[0]
    decided = {c.variant: c.decided for c in told.compare(against="activation=relu")}
    assert decided == {"activation=elu": "same network", "activation=tanh": "worse"}
    assert "same network" not in {c.decided for c in told.compare("training_seconds")}
    assert [c.p for c in told.compare(against="activation=relu") if c.decided == "same network"] == [None]
    page = write_report(told).read_text()
    assert re.search(r'<td class="right"[^>]*>same network</td>', page)


metrics_of = st.sampled_from(["accuracy", "loss", "training_seconds"])
rows_of = st.lists(st.lists(st.floats(0.01, 0.99), min_size=3, max_size=3), min_size=2, max_size=5)


@given(rows_of, metrics_of)
def test_no_interval_in_a_sentence_contradicts_it(rows, metric):
    """Of numbers as they are shown: a difference that is decided is larger than its half width, any other is not."""
    text = told({f"a{i}": row for i, row in enumerate(rows)}, metric)
    for sentence in re.split(r"; |\. ", text):
        for size, half in re.findall(r"([\d.,]+) ± ([\d.,]*\d)", sentence):
            is_decided = " by " in sentence
            assert (float(size.replace(",", "")) > float(half.replace(",", ""))) == is_decided, text


def test_notes_say_what_the_intervals_are():
    study = study_of(levels=["relu", "tanh", "elu"])

    def told_of(reference, wild=0.0, **options):
        rows = zip(study.plan, ([0.92, 0.93, 0.925], [0.86, 0.874, 0.866], [0.921, 0.928, 0.927 - wild]), strict=True)
        values = {variant: dict(enumerate(row)) for variant, row in rows}
        runs = [Run(v, s, Path("runs"), "finished") for v in study.plan for s in range(3)]
        found = compare(values, "accuracy", f"activation={reference}", **options)
        return "\n".join(notes(study, runs, found, found))

    best = told_of("relu")
    assert "95 % t interval over its seeds" in best
    assert "hold together in 95 % of studies (3 comparisons, all pairs of variants)" in best
    assert "All differences share one error (Tukey's intervals): no variant's runs stand out by how they vary." in best
    assert "Seeds were not varied" not in best
    named = told_of("relu", is_named=True, alpha=0.0025)
    assert "hold together in 99.75 % of studies (2 comparisons, every variant with the reference)" in named
    assert "(Dunnett's intervals)" in named
    wild = told_of("relu", wild=0.3)
    assert "The runs of elu (" in wild
    assert ") vary more than the others', which may be chance" in wild
    assert "which may be chance, and is allowed for" in wild
    assert "errors of their own (paired t intervals at 0.05/3); the others share one" in wild
    assert "share one, to which all runs give (Tukey's intervals)" in wild


def test_notes_name_what_is_missing(tmp_path):
    study = make_study(2, seeds=4)
    states = {("activation=relu", 0): "failed", ("activation=elu", 2): "waiting"}
    text = "\n".join(Results.read(fabricate(tmp_path, study, states=states)).notes())
    assert (
        "2 of 8 runs are missing from the comparison: relu seed 0 (failed: the loss is not finite at epoch 2)" in text
    )
    assert "elu seed 2 (waiting)" in text
    assert "Fewer pairs than seeds could be compared with relu: elu (2 of 3)." in text


def test_notes_tell_the_level_of_a_single_interval_and_none_of_what_is_exact(tmp_path):
    results = Results.read(fabricate(tmp_path, make_study(2, seeds=3)))
    assert "The interval of the difference holds in 95 % of studies. " in "\n".join(results.notes())
    exact = "\n".join(results.notes("parameters"))
    assert "No seed changes parameters, which the recipe gives: the numbers differ or they do not." in exact
    assert "of studies" not in exact


def test_many_variants_do_not_fill_the_page():
    rows = {f"a{n}": [0.5 + n / 100, 0.51 + n / 100, 0.505 + n / 100 + n % 2 / 1000] for n in range(12)}
    text = told(rows)
    assert text.startswith("Use a11 (61.5 %); it is better than a10 by ")
    assert text.endswith(" and 8 others.")
    assert len(text) < 500
