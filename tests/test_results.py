import json
import shutil
from statistics import fmean

import numpy as np
import polars as pl
import pytest
from PIL import Image
from scipy import stats

from assay.errors import AssayError
from assay.recipe.overrides import put
from assay.recipe.study import Study
from assay.results import Results
from assay.results import folders as run_folders
from assay.results.telling.notes import notes
from assay.runs.engine import run as run_study
from synthetic import NASTY, fabricate, make_study

pytestmark = pytest.mark.filterwarnings("error")


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    return fabricate(tmp_path_factory.mktemp("runs"), make_study(3, seeds=3))


@pytest.fixture
def results(trained):
    return Results.read(trained)


def rewrite(path, **changes):
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


@pytest.mark.parametrize(("metric", "best"), [("accuracy", max), ("loss", min), ("macs", min)])
def test_the_best_has_the_mean_that_is_better(results, metric, best):
    means = {name: fmean(by_seed.values()) for name, by_seed in results.values(metric).items()}
    assert results.best(metric) == best(means, key=means.get)


def test_the_frame_has_a_row_per_finished_run(results):
    frame = results.frame
    assert frame.height == 9
    assert frame.columns[:5] == ["variant", "seed", "model.activation", "accuracy", "balanced_accuracy"]
    assert frame.columns[-2:] == ["training_seconds", "inference_images_per_second"]
    row = frame.filter(variant="activation=tanh", seed=1).row(0, named=True)
    saved = json.loads((results.folder / "activation=tanh" / "seed-1" / "metrics.json").read_text())
    assert (row["model.activation"], row["accuracy"], row["parameters"]) == (
        "tanh",
        saved["accuracy"],
        saved["parameters"],
    )
    assert "confusion_matrix" not in frame.columns
    assert results.base == "activation=relu"


def test_the_table_has_means_and_t_intervals(results):
    table = results.table(["accuracy"])
    assert table.columns == ["variant", "model.activation", "seeds", "accuracy", "accuracy_low", "accuracy_high"]
    values = results.frame.filter(variant="activation=elu")["accuracy"].to_list()
    row = table.row(1, named=True)
    assert row["seeds"] == 3
    assert row["accuracy"] == pytest.approx(fmean(values))
    ends = stats.t.interval(0.95, 2, fmean(values), stats.sem(values))
    assert (row["accuracy_low"], row["accuracy_high"]) == pytest.approx(ends)
    assert len(results.table().columns) == 3 + 3 * len(results.metric_names)


def test_comparisons_with_base_best_and_a_named_variant(results):
    assert [c.reference for c in results.compare()] == ["activation=relu"] * 2
    assert results.compare("training_seconds", "best").reference == results.best("training_seconds")
    named = results.compare("loss", "activation=tanh")
    assert [c.variant for c in named] == ["activation=relu", "activation=elu"]
    assert {c.metric for c in named} == {"loss"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("acuracy",), "unknown metric 'acuracy'; did you mean 'accuracy'"),
        (("accuracy", "activation=thanh"), "unknown variant 'activation=thanh'; did you mean 'activation=tanh'"),
    ],
)
def test_unknown_names_get_the_nearest(results, arguments, message):
    with pytest.raises(AssayError, match=message):
        results.compare(*arguments)


def test_files_of_a_run(results):
    run = results.run("activation=relu", 2)
    assert results.metrics(run)["confusion_matrix"]
    assert results.metrics(run)["training_seconds"] > 0
    assert set(results.predictions(run)["split"]) == {"test", "validation"}
    assert set(results.pictures(run)["kind"]) == {"sample", "mistake", "unsure"}
    assert results.data(run)["shape"] == [1, 8, 8]
    assert results.environment(run)["threads"] == 2
    with pytest.raises(AssayError, match="unknown seed '7'"):
        results.run("activation=relu", 7)


def test_histories_are_stacked(results):
    histories = results.stacked("history")
    assert histories.columns[:3] == ["variant", "seed", "epoch"]
    assert histories.height == 9 * 4
    assert histories.schema["seed"] == pl.Int64


def test_a_table_is_stacked_of_the_runs_that_have_it(tmp_path):
    folder = fabricate(tmp_path, make_study(2, seeds=2), images=8)
    for seed, height in ((0, 2), (1, 3)):
        table = pl.DataFrame({"x": range(height)})
        table.write_parquet(folder / "activation=elu" / f"seed-{seed}" / "planted.parquet")
    results = Results.read(folder)
    assert results.tables == ["history", "pictures", "planted", "predictions"]
    names = ["activation=elu"] * 5
    assert results.stacked("planted").rows() == [*zip(names, (0, 0, 1, 1, 1), (0, 1, 0, 1, 2), strict=True)]


@pytest.mark.parametrize(
    ("name", "help"),
    [("histories", "did you mean 'history'"), ("layers", "expected one of: history, pictures, predictions")],
)
def test_a_table_that_no_run_has_is_told_with_the_nearest(results, name, help):
    with pytest.raises(AssayError, match=f"the finished runs in .* have no table '{name}'; {help}"):
        results.stacked(name)


def test_histories_without_validation(tmp_path):
    results = Results.read(fabricate(tmp_path, make_study(2, seeds=2), validation=False))
    assert results.stacked("history")["validation_loss"].null_count() == 16
    assert "validation_loss" not in results.metric_names


def test_one_seed_has_no_interval(tmp_path):
    results = Results.read(fabricate(tmp_path, make_study(2, seeds=1), accuracies=[0.9, 0.7]))
    assert results.table(["accuracy"])["accuracy_low"].to_list() == [None, None]
    (c,) = results.compare()
    assert (c.method, c.decided) == ("bootstrap over test images, McNemar", "worse")
    by_value = results.frame["accuracy"].to_list()
    assert c.difference == pytest.approx(by_value[1] - by_value[0])


def test_unfinished_runs_are_left_out_and_told(tmp_path, monkeypatch):
    relu, elu = "activation=relu", "activation=elu"
    states = {(relu, 0): "failed", (relu, 1): "running", (elu, 2): "waiting"}
    folder = fabricate(tmp_path, make_study(2, seeds=4), states=states)
    found = {(r.variant, r.seed): (r.state, r.reason) for r in Results.read(folder).runs}
    assert found[relu, 0] == ("failed", "the loss is not finite at epoch 2")
    assert found[relu, 1] == ("interrupted", None)
    assert found[elu, 2] == ("waiting", None)
    assert found[elu, 3] == ("finished", None)
    monkeypatch.setattr(run_folders, "holder_alive", lambda folder: True)
    results = Results.read(folder)
    assert results.run(relu, 1).state == "running"
    assert results.frame.height == 5
    assert results.table(["accuracy"])["seeds"].to_list() == [2, 3]
    assert [c.pairs for c in results.compare()] == [1]


def test_a_run_of_another_recipe_is_not_mixed_in(tmp_path):
    folder = fabricate(tmp_path, make_study(2, seeds=2))
    rewrite(folder / "activation=elu" / "seed-0" / "status.json", recipe_hash="0" * 16)
    shutil.copytree(folder / "activation=elu" / "seed-1", folder / "activation=elu" / "seed-9")
    shutil.copytree(folder / "activation=elu", folder / "activation=old")
    results = Results.read(folder)
    assert results.frame.height == 3
    run = results.run("activation=elu", 0)
    assert (run.state, run.reason) == ("waiting", "its folder holds a run of another recipe")
    assert any("holds a run of another recipe" in note for note in results.notes())


def test_nothing_finished_yet(tmp_path):
    study = make_study(2, seeds=1)
    results = Results.read(fabricate(tmp_path, study, states={(v, 0): "waiting" for v in study.plan}))
    assert results.frame.height == 0
    assert results.table().columns == ["variant", "model.activation", "seeds"]
    assert results.table()["seeds"].to_list() == [0, 0]
    assert results.tables == []
    assert results.verdict() == "No run has finished yet."
    assert "2 of 2 runs are missing" in results.notes()[0]
    assert "No run has finished yet." in results._repr_html_()
    with pytest.raises(AssayError, match=r"no run of the study 'synthetic' .* has finished yet"):
        results.compare()
    with pytest.raises(AssayError, match=r"no run of the study 'synthetic' .* has finished yet"):
        results.stacked("history")


@pytest.mark.parametrize("content", ["{", "[1, 2]", "null", b"\xff\xfe\x00"])
@pytest.mark.parametrize("name", ["metrics.json", "timing.json", "status.json"])
def test_a_run_with_a_damaged_file_is_left_out_and_told(tmp_path, name, content):
    folder = fabricate(tmp_path, make_study(2, seeds=2), images=8)
    path = folder / "activation=relu" / "seed-0" / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    results = Results.read(folder)
    (damaged,) = results.damaged
    assert (damaged.variant, damaged.seed) == ("activation=relu", 0)
    assert f"seed-0/{name} " in damaged.reason
    assert results.table(["accuracy"])["seeds"].to_list() == [1, 2]
    assert any("1 of 4 runs is missing" in note and f"seed-0/{name} " in note for note in results.notes())


def test_missing_and_damaged_tables_are_named(tmp_path):
    folder = fabricate(tmp_path, make_study(1, seeds=1), images=8)
    run = folder / "activation=relu" / "seed-0"
    results = Results.read(folder)
    (run / "history.parquet").write_bytes(b"PAR1 not really")
    (run / "predictions.parquet").unlink()
    with pytest.raises(AssayError, match=r"history\.parquet cannot be read"):
        results.stacked("history")
    with pytest.raises(AssayError, match=r"predictions\.parquet is missing"):
        results.predictions(results.finished[0])
    (run / "metrics.json").unlink()
    (damaged,) = Results.read(folder).damaged
    for said in ("history.parquet cannot be read", "metrics.json is missing"):
        assert said in damaged.reason


def test_the_seconds_of_a_study_are_those_of_its_runs(tmp_path):
    states = {("activation=elu", 0): "failed"}
    folder = fabricate(tmp_path, make_study(2, seeds=2), images=8, states=states)
    epochs = Results.read(folder).frame["training_seconds"]
    assert Results.read(folder).seconds == pytest.approx(epochs.sum())
    rewrite(folder / "activation=relu" / "seed-0" / "status.json", seconds=100.0)
    rewrite(folder / "activation=elu" / "seed-0" / "status.json", seconds=1000.0)
    assert Results.read(folder).seconds == pytest.approx(1100 + epochs[1] + epochs[2])


def test_a_folder_without_a_study(tmp_path):
    with pytest.raises(AssayError, match=r"there is no file .*study\.yaml"):
        Results.read(tmp_path)


def test_metrics_that_are_not_finite_or_missing_in_some_runs(tmp_path):
    folder = fabricate(tmp_path, make_study(2, seeds=3))
    rewrite(folder / "activation=relu" / "seed-0" / "metrics.json", loss=float("nan"), own_measure=3)
    results = Results.read(folder)
    assert [c.pairs for c in results.compare("loss")] == [2]
    assert results.values("own_measure") == {"activation=relu": {0: 3.0}, "activation=elu": {}}
    assert results.best("own_measure") == "activation=relu"
    assert results.verdict("own_measure") == "relu: own measure 3; no other variant has a value."


def test_factors_of_named_variants_and_two_factors(tmp_path):
    base = {"data": {"source": "digits"}, "model": {"name": "mlp"}}
    variants = {"plain": {}, "wide": {"model.hidden": [64, 32], "train.loss": "mse"}}
    study = Study.model_validate({"title": "t", "name": "n", "base": base, "variants": variants, "seeds": 2})
    results = Results.read(fabricate(tmp_path, study, images=20))
    assert results.frame.columns[:4] == ["variant", "seed", "model.hidden", "train.loss"]
    assert results.frame.row(2)[:4] == ("wide", 0, "64-32", "mse")
    assert results.base == "plain"


def test_a_notebook_shows_names_and_runs_none_of_them(tmp_path):
    results = Results.read(fabricate(tmp_path, make_study(5, seeds=2, nasty=True)))
    page = results._repr_html_()
    for name in NASTY:
        assert name not in page or not set(name) & set("<>&\"'")
    assert "&lt;script&gt;" in page
    assert "<script" not in page
    assert "<img" not in page
    assert "שלום" in page


def test_variants_tested_on_other_images_are_told(tmp_path):
    base = {"data": {"source": "digits", "test": 100}, "model": {"name": "mlp", "hidden": [4]}, "train": {"epochs": 1}}
    others = {"other images": {"data.split_seed": 1}, "fewer to learn from": {"data.train": 500}}
    said = "The runs were not all tested on the same images"
    for name, told in {"other images": True, "fewer to learn from": False}.items():
        variants = {"base": {}, name: others[name]}
        results = run_study(Study(title="?", name=name, base=base, variants=variants, seeds=2), tmp_path, quiet=True)
        assert any(note.startswith(said) for note in results.notes()) == told


@pytest.mark.parametrize(
    ("key", "levels", "told"), [("data.ignore", ["car", "tree"], True), ("train.l1", [0, 1], False)]
)
def test_variants_that_are_measured_against_other_truths_are_told(key, levels, told):
    base = {"task": "segmentation", "data": {"source": "scenes"}, "model": "deeplab"}
    study = Study(title="?", name="s", base=base, vary={key: levels}, seeds=2)
    said = f"The variants differ in {key}, which decides what is true of the test images"
    assert any(note.startswith(said) for note in notes(study, [], None, None)) == told


def test_seeds_tested_on_other_images_are_told(tmp_path):
    folder = tmp_path / "set"
    rng = np.random.default_rng(0)
    for name in (f"{split}/{label}/{k}.png" for split in ("train", "test") for label in "ab" for k in range(8)):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 255, (8, 8), dtype=np.uint8)).save(folder / name)
    base = {"data": {"source": str(folder)}, "model": {"name": "mlp", "hidden": [4]}, "train": {"epochs": 1}}
    said = "The runs were not all tested on the same images"
    for seeds, told in ((2, False), (3, True)):
        results = run_study(Study(title="?", name="one", base=base, seeds=seeds), tmp_path, quiet=True)
        assert any(note.startswith(said) for note in results.notes()) == told
        (folder / "test" / "a" / f"{seeds}.png").rename(folder / "test" / "a" / f"renamed {seeds}.png")


def test_intervals_of_what_is_a_property_of_answers_cover_other_test_images(tmp_path):
    results = Results.read(fabricate(tmp_path, make_study(2, seeds=3), images=60, one_test_set=True))
    for metric in ("accuracy", "balanced_accuracy", "loss"):
        (found,) = results.compare(metric)
        assert found.images_error > 0
        assert results.compare(metric).images == 60
        assert any("other test images like these 60" in note for note in results.notes(metric))
    leads = results.compare("accuracy").images_lead
    assert any(note.startswith("60 test images:") for note in results.notes("accuracy")) == leads
    assert results.compare("training_seconds").images is None
    assert not any("other test images like these" in note for note in results.notes("training_seconds"))


def test_of_copies_the_notes_say_that_an_original_counts_once(tmp_path):
    study = make_study(2, seeds=3)
    of_copies = study.model_copy(update={"base": put(study.base, "data.group", r"(.*)")})
    for each, counted in (
        (study, "taken for independent draws"),
        (of_copies, "all copies of one original count as one"),
    ):
        results = Results.read(fabricate(tmp_path / counted, each, images=60, one_test_set=True))
        assert any(counted in note for note in results.notes()), results.notes()


def test_of_two_seeds_the_notes_say_that_the_wider_interval_is_shown(tmp_path):
    study = make_study(2, seeds=2)
    of_copies = study.model_copy(update={"base": put(study.base, "data.group", r"(.*)")})
    for each, counted in ((study, "taken for independent draws"), (of_copies, "one original count as one draw")):
        results = Results.read(fabricate(tmp_path / counted, each, images=60, one_test_set=True))
        assert any(f"{counted}, whichever is wider" in note for note in results.notes()), results.notes()
        assert not any("less what both contain" in note for note in results.notes())


def test_seeds_that_were_tested_on_images_of_their_own_have_intervals_over_seeds(results):
    assert results.compare("accuracy").images is None
    assert all(c.images_error is None for c in results.compare("accuracy"))
