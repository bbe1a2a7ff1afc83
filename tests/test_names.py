"""What a reader calls variants and factors, and that folders keep the names that finished runs have."""

import pytest

from assay.recipe.names import shown_keys
from assay.recipe.study import Study
from assay.results.names import isolated, short_names

OPTIMIZER = "train.optimizer.name"
LOSSES = ["cross_entropy", ["cross_entropy", "lovasz"]]


def study_of(key="model.activation", levels=("relu", "tanh"), **changes):
    base = {"data": {"source": "digits"}, "model": {"name": "mlp"}}
    return Study.model_validate({"title": "t", "name": "n", "base": base, "vary": {key: list(levels)}} | changes)


TWO = study_of(vary={OPTIMIZER: ["sgd", "adam"], "train.optimizer.lr": [0.1, 0.01]})
SINGLES = study_of(vary={OPTIMIZER: ["sgd"], "model.dropout": [0.5]}, design="one_at_a_time")


@pytest.mark.parametrize(
    ("keys", "shown"),
    [
        ([OPTIMIZER], ["optimizer"]),
        ([OPTIMIZER, "train.optimizer.lr"], ["optimizer", "lr"]),
        ([OPTIMIZER, "model.name"], ["optimizer", "model"]),
        (["train.schedule.name", "train.phases.schedule.name"], ["train.schedule", "phases.schedule"]),
        (["model.activation"], ["activation"]),
    ],
)
def test_a_name_is_called_by_what_it_names(keys, shown):
    assert list(shown_keys(keys).values()) == shown


@pytest.mark.parametrize(
    ("study", "sentences", "tables"),
    [
        (study_of(), ["relu", "tanh"], ["relu", "tanh"]),
        (study_of("model.dropout", [0.0, 0.1]), ["dropout=0.0", "dropout=0.1"], ["0.0", "0.1"]),
        (study_of("train.optimizer", [{"name": "sgd", "lr": 0.1}, "adam"]), ["sgd(lr=0.1)", "adam"], None),
        (study_of(vary={"model.a": ["x"], "model.b": ["y", "z"]}), ["x · y", "x · z"], None),
        (study_of(vary={}, variants={"plain": {}, "other": {"model.a": 1}}), ["plain", "other"], None),
        (TWO, ["sgd · lr=0.1", "sgd · lr=0.01", "adam · lr=0.1", "adam · lr=0.01"],
         ["sgd · 0.1", "sgd · 0.01", "adam · 0.1", "adam · 0.01"]),
        (SINGLES, ["base", "optimizer=sgd", "dropout=0.5"], None),
    ],
)  # fmt: skip
def test_sentences_and_tables_have_one_name_for_a_variant(study, sentences, tables):
    assert list(short_names(study).values()) == sentences
    assert list(study.shown.in_tables.values()) == (sentences if tables is None else tables)


def test_a_list_of_words_is_a_word():
    study = study_of("model.b", LOSSES)
    assert list(short_names(study).values()) == ["cross_entropy", "cross_entropy-lovasz"]
    assert list(short_names(study_of("model.hidden", [[16], [16, 32]])).values()) == ["hidden=16", "hidden=16-32"]


def test_the_heading_has_the_factors_as_they_are_called():
    assert TWO.shown.heading == "optimizer · lr"
    assert SINGLES.shown.heading == "variant"


def test_a_finished_run_is_still_found_by_its_folder():
    assert [v.folder for v in TWO.plan.values()][:2] == ["name=sgd,lr=0.1", "name=sgd,lr=0.01"]
    assert list(SINGLES.plan) == ["base", "name=sgd", "dropout=0.5"]


def test_names_cannot_turn_or_break_the_sentence():
    assert isolated("tanh") == "tanh"
    assert isolated("שלום") == "\u2068שלום\u2069"
    assert isolated("a\u202eb\x1b[31m\n") == "ab\ufffd[31m\ufffd"
