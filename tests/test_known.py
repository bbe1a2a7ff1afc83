"""What a verdict hangs on, as sentences of studies whose truth is known."""

import json
from pathlib import Path

import polars as pl
import pytest

from assay.results import Results
from assay.results.folders import Run
from assay.results.telling.known import none_finished
from synthetic import fabricate, make_study

RELU, ELU, TANH = (f"activation={name}" for name in ("relu", "elu", "tanh"))


def set_accuracy(folder, variant, seed, accuracy, **others):
    path = folder / variant / f"seed-{seed}" / "metrics.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"accuracy": accuracy} | others))


def studied(tmp_path, accuracies, **changes):
    """Results of a study of ten classes with these accuracies by variant and seed; what is at chance is so in each
    class too."""
    study = make_study(len(accuracies), seeds=len(next(iter(accuracies.values()))), **changes)
    folder = fabricate(tmp_path, study, classes=[str(i) for i in range(10)])
    for variant, values in accuracies.items():
        for seed, value in enumerate(values):
            set_accuracy(folder, variant, seed, value, **({"balanced_accuracy": 0.1} if value < 0.11 else {}))
    return Results.read(folder)


def level(results):
    """The share of the largest class of the test images that were drawn."""
    table = results.predictions(results.finished[0]).filter(split="test")
    return table["label"].value_counts()["count"].max() / table.height


def test_a_verdict_that_hangs_on_a_collapsed_run_says_both(tmp_path):
    values = {RELU: [0.90, 0.91, 0.90, 0.91, 0.905], ELU: [0.80, 0.82, 0.79, 0.10, 0.805]}
    text = studied(tmp_path, values).verdict()
    assert text.startswith("Cannot tell relu from elu (24.2 ± ")
    assert "1 of 5 runs of elu collapsed (seed 3: 10.0 %)." in text
    assert "Without it: relu is better than elu by 10.0 " in text


def test_a_verdict_that_stands_without_it_is_told_once(tmp_path):
    values = {RELU: [0.90, 0.91, 0.90], ELU: [0.40, 0.42, 0.39], TANH: [0.10, 0.10, 0.10]}
    text = studied(tmp_path, values).verdict()
    assert "All 3 runs of tanh collapsed (10.0 %)." in text
    assert "Without" not in text


def test_all_runs_collapsed_is_one_sentence(tmp_path):
    results = studied(tmp_path, {RELU: [0.10, 0.09], ELU: [0.10, 0.105]})
    assert results.verdict() == (
        f"All 4 runs collapsed (accuracy 9.0 to 10.5 %; chance is {100 * level(results):.1f} %, guessing the largest "
        "class): nothing can be said of the variants."
    )


def test_training_that_failed_on_what_is_not_finite_collapsed(tmp_path):
    failed = {(RELU, 0): "failed", (RELU, 1): "failed"}
    whole = Results.read(fabricate(tmp_path / "a", make_study(1, 2), states=failed))
    assert whole.verdict() == "Both runs collapsed: training ended in numbers that are not finite."
    part = Results.read(fabricate(tmp_path / "b", make_study(2, 3), states={(ELU, 2): "failed"}))
    assert "1 of 3 runs of elu collapsed (seed 2: not finite)." in part.verdict()
    other = fabricate(tmp_path / "c", make_study(2, 3), states={(ELU, 2): "failed"}, reason="no space left")
    assert "collapsed" not in Results.read(other).verdict()
    assert "collapsed" not in part.verdict("training_seconds")


def test_a_variant_that_is_no_better_than_chance_is_named(tmp_path):
    results = studied(tmp_path, {RELU: [0.90, 0.91, 0.90], ELU: [0.12, 0.13, 0.09]})
    for seed in range(3):  # each class is found by more than chance, so that no run collapsed
        set_accuracy(results.folder, ELU, seed, [0.12, 0.13, 0.09][seed], balanced_accuracy=0.3)
    results = Results.read(results.folder)
    chance = f"({100 * level(results):.1f} %, guessing the largest class)"
    assert results.verdict().endswith(f"elu is no better than chance {chance}.")
    unsure = studied(tmp_path / "other", {RELU: [0.90, 0.91, 0.90], ELU: [0.50, 0.20, 0.15]}).verdict()
    assert "elu cannot be told from chance (" in unsure


def test_a_healthy_study_says_nothing_of_chance(tmp_path):
    text = Results.read(fabricate(tmp_path, make_study(3, 3))).verdict()
    assert "chance" not in text
    assert "collapsed" not in text


def test_the_notes_say_which_epoch_was_kept_and_that_the_best_was_chosen_by_test(tmp_path):
    three = "\n".join(Results.read(fabricate(tmp_path / "a", make_study(3, 3))).notes())
    assert "keep: best" in three
    assert "select_on: validation" in three
    planned = "\n".join(Results.read(fabricate(tmp_path / "b", make_study(3, 3, reference="relu"))).notes())
    assert "select_on" not in planned
    blind = "\n".join(Results.read(fabricate(tmp_path / "c", make_study(2, 3), validation=False)).notes())
    assert "keep: best" not in blind


@pytest.mark.parametrize(
    ("metric", "said"),
    [("parameters", "No seed changes parameters, which the recipe gives"), ("accuracy", "All seeds of a variant gave")],
)
def test_the_notes_say_where_no_seed_changes_a_metric(tmp_path, metric, said):
    results = studied(tmp_path, {RELU: [0.9, 0.9], ELU: [0.8, 0.8]})
    assert any(said in note for note in results.notes(metric))
    assert not any(said in note for note in results.notes("loss"))


def test_the_notes_say_that_curves_still_rose(tmp_path):
    folder = fabricate(tmp_path, make_study(2, 3))
    rising = [0.2, 0.3, 0.4, 0.48, 0.54, 0.6, 0.63, 0.66]
    for path in folder.glob(f"{ELU}/seed-*/history.parquet"):
        empty = dict.fromkeys(("train_loss", "train_accuracy", "validation_loss", "seconds"), 1.0)
        table = pl.DataFrame({"epoch": range(1, 9), "lr": [0.1] * 8, "validation_accuracy": rising})
        table.with_columns(**{name: pl.lit(value) for name, value in empty.items()}).write_parquet(path)
    notes = Results.read(folder).notes()
    assert (
        "Validation accuracy still rose in the last 2 epochs by 6.0 points (elu), in all seeds: trained for longer, "
        "they may stand otherwise."
    ) in notes


def test_where_every_run_failed_none_is_to_come():
    gone = [Run("activation=relu", seed, Path(), "failed", "out of memory") for seed in range(2)]
    assert none_finished(gone) == "No run has finished."
    assert none_finished([*gone, Run("activation=relu", 2, Path(), "waiting")]) == "No run has finished yet."
