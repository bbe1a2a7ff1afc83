from pathlib import Path

import pytest

from assay.recipe.study import Study
from assay.results import Results
from assay.results.compare import compare
from assay.results.folders import Run
from assay.results.notes import notes
from assay.results.verdict import isolated, short_names, verdict
from synthetic import fabricate, make_study

pytestmark = pytest.mark.filterwarnings("error")


def study_of(key="model.activation", levels=("relu", "tanh"), **changes):
    base = {"data": {"source": "digits"}, "model": {"name": "mlp"}}
    return Study.model_validate({"title": "t", "name": "n", "base": base, "vary": {key: list(levels)}} | changes)


def told(rows, metric="accuracy", **changes):
    """The verdict on values by variant (in the order of the study) and seed."""
    study = study_of(levels=list(rows), **changes)
    values = {f"activation={k}": dict(enumerate(row)) for k, row in rows.items()}
    sign = -1 if "loss" in metric or metric == "parameters" else 1
    best = max((v for v in values if values[v]), key=lambda v: sign * sum(values[v].values()) / len(values[v]))
    return verdict(study, metric, values, compare(values, metric, best, chosen_by_value=True))


def test_two_variants():
    text = told({"sigmoid": [0.88, 0.89, 0.90], "elu": [0.911, 0.920, 0.932]})
    assert text == "elu is better than sigmoid by 3.1 ± 0.2 points."


def test_two_variants_that_cannot_be_told_apart():
    text = told({"relu": [0.910, 0.930, 0.920], "elu": [0.907, 0.933, 0.917]})
    assert text == "Cannot tell relu from elu (0.1 ± 0.9 points); about 94 more seeds would."


def test_two_that_are_the_same():
    assert told({"relu": [0.9, 0.8], "elu": [0.9, 0.8]}) == "Cannot tell relu from elu (0.0 points)."
    same = told({"relu": [10.0, 10.0], "elu": [10.0, 10.0]}, "parameters")
    assert same == "relu and elu do not differ in parameters."


def test_lower_is_better_in_a_loss():
    text = told({"relu": [0.40, 0.42, 0.41], "elu": [0.30, 0.31, 0.32]}, "loss")
    assert text == "elu has a lower test loss than relu by 0.10 ± 0.02."


def test_several_variants():
    rows = {
        "relu": [0.920, 0.930, 0.925, 0.916],
        "elu": [0.921, 0.928, 0.926, 0.914],
        "tanh": [0.860, 0.872, 0.866, 0.856],
    }
    assert told(rows) == (
        "relu has the highest accuracy (92.3 ± 1.0 %). It is better than tanh by 5.9 ± 0.2 points. "
        "It cannot be told from elu (0.1 ± 0.3 points; about 125 more seeds would)."
    )


def test_of_the_variants_it_cannot_be_told_from_the_nearest_comes_first():
    rows = {
        "relu": [0.920, 0.930, 0.925],
        "tanh": [0.918, 0.910, 0.935],
        "gelu": [0.905, 0.928, 0.920],
        "elu": [0.928, 0.920, 0.924],
    }
    after = told(rows).partition("It cannot be told from ")[2]
    assert 0 < after.index("(0.1 ±") < after.index("(0.4 ±") < after.index("(0.7 ±")
    assert after.index("elu") < after.index("tanh") < after.index("gelu")


def test_variants_without_runs_are_not_spoken_of():
    assert told({"relu": [0.9, 0.91], "elu": []}) == "relu: accuracy 90.5 ± 6.4 %; no other variant has a value."
    text = told({"relu": [0.9, 0.91], "elu": [], "tanh": [0.8, 0.811]})
    assert text.startswith("relu is better than tanh by 9.9 ± ")
    assert told({"relu": [0.9]}) == "relu: accuracy 90.0 %."


def test_one_seed_says_that_seeds_were_not_varied(tmp_path):
    results = Results.read(fabricate(tmp_path, make_study(2, seeds=1), accuracies=[0.9, 0.7]))
    assert results.verdict().startswith("relu is better than elu by 20.2 ± ")
    assert "seeds were not varied" in results.verdict()
    assert "one run of each says nothing about others" in results.verdict("training_seconds")
    assert results.notes()[0].startswith("Seeds were not varied")
    assert any("McNemar" in note and "bootstrap" in note for note in results.notes())


def test_one_shared_seed_among_several(tmp_path):
    states = {("activation=tanh", seed): "failed" for seed in (1, 2)}
    results = Results.read(fabricate(tmp_path, make_study(3, seeds=3), accuracies=[0.9, 0.8, 0.7], states=states))
    assert "tanh by 20." in results.verdict()
    assert results.verdict().endswith("One pair of runs (tanh) speaks of those networks, not of training again.")


def test_one_pair_left_of_several_seeds_is_not_taken_for_seeds_that_were_not_varied(tmp_path):
    states = {(f"activation={name}", seed): "failed" for name in ("relu", "elu") for seed in (1, 2)}
    results = Results.read(fabricate(tmp_path, make_study(2, seeds=3), accuracies=[0.9, 0.7], states=states))
    told = " ".join([results.verdict(), *results.notes()])
    assert "these trained networks: of 3 seeds one pair of runs is left, and training again may change it." in told
    assert "Of several seeds one run of a variant is left" in told
    assert "not varied" not in told


def test_an_interval_without_0_that_cannot_be_told_names_the_correction():
    rows = {"relu": [0.920, 0.930, 0.925], "tanh": [0.906, 0.910, 0.899], "elu": [0.905, 0.926, 0.931]}
    assert "tanh (2.0 ± 1.5 points, p 0.086 after Holm's correction over 3 pairs; about" in told(rows)
    assert "elu (0.4 ± 2.6 points; about" in told(rows)
    two = told({name: rows[name] for name in ("relu", "tanh")})
    assert two.startswith("relu is better than tanh by 2.0 ± ")


def test_a_best_variant_that_loses_on_the_seeds_it_shares():
    study = study_of(levels=["relu", "tanh", "elu"])
    values = {"activation=relu": {0: 0.80, 1: 0.81, 2: 0.99, 3: 0.99}, "activation=tanh": {0: 0.85, 1: 0.8601}}
    values["activation=elu"] = {7: 0.5}
    text = verdict(study, "accuracy", values, compare(values, "accuracy", "activation=relu"))
    assert "Over the seeds they share, tanh is better than it by 5.00 ± 0.06 points." in text
    assert "No seed has finished both in it and in elu." in text


@pytest.mark.parametrize(
    ("study", "names"),
    [
        (study_of(), ["relu", "tanh"]),
        (study_of("model.dropout", [0.0, 0.1]), ["dropout=0.0", "dropout=0.1"]),
        (study_of("train.optimizer", [{"name": "sgd", "lr": 0.1}, "adam"]), ["sgd(lr=0.1)", "adam"]),
        (study_of(design="one_at_a_time"), ["base", "relu", "tanh"]),
        (study_of(vary={"model.a": ["x"], "model.b": ["y", "z"]}), ["a=x, b=y", "a=x, b=z"]),
        (study_of(vary={}, variants={"plain": {}, "other": {"model.a": 1}}), ["plain", "other"]),
    ],
)
def test_short_names(study, names):
    assert list(short_names(study).values()) == names


def test_names_cannot_turn_or_break_the_sentence():
    assert isolated("tanh") == "tanh"
    assert isolated("שלום") == "\u2068שלום\u2069"
    assert isolated("a\u202eb\x1b[31m\n") == "ab\ufffd[31m\ufffd"


def test_notes_say_what_the_seeds_allow():
    study = study_of(levels=["relu", "tanh", "elu"])

    def told_of(n):
        values = {
            v: {s: 0.9 - 0.01 * i + 0.001 * ((s * 7 + i * 3) % 5) for s in range(n)} for i, v in enumerate(study.plan)
        }
        runs = [Run(v, s, Path("runs"), "finished") for v in study.plan for s in range(n)]
        base = compare(values, "accuracy", "activation=relu")
        return "\n".join(notes(study, runs, base, compare(values, "accuracy", "activation=relu", chosen_by_value=True)))

    three = told_of(3)
    assert "95 % t interval over its seeds" in three
    assert "95 % paired t interval" in three
    assert "cannot go below p = 2/2³ = 0.25 with 3 pairs, so it never reaches 0.05; that takes 6 pairs" in three
    assert "2 against the base; all 3 pairs of variants against the best" in three
    assert "never reaches" not in told_of(8)
    assert "Seeds were not varied" not in three


def test_notes_name_what_is_missing(tmp_path):
    study = make_study(2, seeds=4)
    states = {("activation=relu", 0): "failed", ("activation=elu", 2): "waiting"}
    text = "\n".join(Results.read(fabricate(tmp_path, study, states=states)).notes())
    assert (
        "2 of 8 runs are missing from the comparison: relu seed 0 (failed: the loss is not finite at epoch 2)" in text
    )
    assert "elu seed 2 (waiting)" in text
    assert "Fewer pairs than seeds could be compared with the base: elu (2 of 3)." in text


def test_many_variants_do_not_fill_the_page():
    rows = {f"a{n}": [0.5 + n / 100, 0.51 + n / 100, 0.505 + n / 100 + n % 2 / 1000] for n in range(12)}
    text = told(rows)
    assert "a0 by 11" in text
    assert " others" in text
    assert len(text) < 500
