import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.errors import AssayError, nearest
from assay.recipe import Recipe, overrides
from assay.recipe.validation import validate

MINIMAL = {"data": {"source": "digits"}, "model": {"name": "mlp"}}


def recipe(**changes):
    tree = MINIMAL
    for path, value in changes.items():
        tree = overrides.put(tree, path.replace("__", "."), value)
    return validate(Recipe, tree, "here")


def test_shorthand_and_written_out_are_the_same_recipe():
    short = recipe(train={"optimizer": "sgd", "loss": "mse"}, evaluate=["classification"])
    written = recipe(
        train={"loss": {"name": "mse"}, "optimizer": {"momentum": 0.0, "name": "sgd", "lr": 0.01}},
        evaluate=[{"name": "classification", "top_k": [5]}],
    )
    assert short == written
    assert short.hash == written.hash


def test_a_part_of_an_unnamed_section_changes_its_default():
    assert recipe(train__optimizer__lr=0.5).train.optimizer.name == "adam"
    assert recipe(train__optimizer__lr=0.5).train.optimizer.lr == 0.5


def test_what_changes_a_result_changes_the_hash():
    hashes = {recipe().hash, recipe(seed=1).hash, recipe(train__clip=1.0).hash, recipe(model__hidden=[3]).hash}
    assert len(hashes) == 4


def test_dump_is_complete_and_reads_back():
    dumped = recipe(data__augment=["horizontal_flip", {"rotation": 15}]).dump()
    assert dumped["train"]["batch_size"] == 128
    assert dumped["data"]["augment"][1] == {"name": "rotation", "amount": 15.0}
    assert validate(Recipe, dumped, "again").dump() == dumped


@pytest.mark.parametrize("layout", ["classes", "splits", {"fold_1": "train", 2019: "test", "a/b": "validation"}])
def test_how_folders_are_read_is_part_of_the_recipe_and_reads_back(layout):
    stated = recipe(data__layout=layout)
    assert validate(Recipe, stated.dump(), "again") == stated
    assert stated.hash != recipe().hash
    assert "layout" not in recipe().dump()["data"]


def test_that_nothing_is_said_of_validation_reads_back():
    assert recipe().dump()["data"]["validation"] is None
    assert validate(Recipe, recipe().dump(), "again").data.validation is None


@pytest.mark.parametrize(
    ("path", "value", "sentence"),
    [
        ("trian", {}, "here: unknown key 'trian'; did you mean 'train'?"),
        ("train.batch_sise", 3, "here: unknown key 'train.batch_sise'; did you mean 'batch_size'?"),
        ("train.lr", 0.1, "here: unknown key 'train.lr'; did you mean 'train.optimizer.lr'?"),
        ("patience", 3, "did you mean 'train.schedule.patience' or 'train.early_stopping.patience'?"),
        ("train.batch_size", 0, "here: train.batch_size: found 0, expected more than 0"),
        ("train.optimizer.lr", "fast", "train.optimizer.lr: found 'fast', expected a number"),
        ("train.optimizer", {"name": "adam", "momentum": 1}, "unknown key 'train.optimizer.momentum'"),
        ("train.optimizer", "adm", "train.optimizer: unknown name 'adm'; did you mean 'adam'"),
        ("train.keep", "bets", "train.keep: found 'bets'; did you mean 'best'?"),
        ("train.clip", float("inf"), "train.clip: found inf"),
        (
            "data.layout",
            "folds",
            "found 'folds', expected classes, splits, masks, or folders with the split that each is",
        ),
        ("data.layout", {"a": "trian"}, "train, validation or test, as {fold_0: train, fold_1: test}"),
        ("data.layout", {"a": "test"}, "expected a folder to train on"),
        (
            "data",
            {"source": "x", "table": "t.csv", "label": "y", "layout": "classes"},
            "with a table they mean nothing",
        ),
        ("data.augment", ["rotatoin"], "unknown augmentation 'rotatoin'; did you mean 'rotation'?"),
        ("data.augment", [{"erase": 1.5}], "erase takes at most 1"),
        ("data.validation", 1.5, "expected a share between 0 and 1 or a whole number of images"),
        ("data.validation", 0, "train.keep: best needs validation images"),
        ("predict.nms", 1.0, "here: predict.nms: found 1.0, expected none, or an overlap between 0 and 1"),
        ("predict.nms", "some", "here: predict.nms: found 'some', expected none, or an overlap between 0 and 1"),
        ("train.device", "tpu", "train.device: found 'tpu'"),
        ("train.optimizer", {"name": "sgd", "nesterov": True}, "nesterov needs a momentum above 0"),
    ],
)
def test_mistakes_are_told_in_a_sentence(path, value, sentence):
    with pytest.raises(AssayError) as error:
        recipe(**{path.replace(".", "__"): value})
    assert sentence in str(error.value)


def test_every_mistake_is_told_at_once():
    with pytest.raises(AssayError) as error:
        recipe(train={"epochs": 0, "keep": "bets"}, trian=1)
    assert len(str(error.value).splitlines()) == 3


def test_amounts_are_shares_up_to_one_and_counts_above():
    assert recipe(data__validation=1).data.validation == 1.0
    assert isinstance(recipe(data__validation=6000).data.validation, int)


@given(st.sampled_from(["a", "a.b", "a.b.c"]), st.integers() | st.text() | st.none() | st.lists(st.integers()))
def test_what_is_put_can_be_got_and_the_original_stays(path, value):
    tree = {"a": {"x": 1}}
    changed = overrides.put(tree, path, value)
    assert overrides.get(changed, path) == value
    assert tree == {"a": {"x": 1}}


def test_set_reads_yaml_values():
    assert overrides.parse("train.epochs=3") == ("train.epochs", 3)
    assert overrides.parse("model.hidden=[8, 4]") == ("model.hidden", [8, 4])
    assert overrides.parse("data.source=a=b") == ("data.source", "a=b")
    with pytest.raises(AssayError, match="expected KEY=VALUE"):
        overrides.parse("train.epochs")
    with pytest.raises(AssayError, match="not valid YAML"):
        overrides.parse("train.epochs=[3")


def test_a_value_has_no_parts():
    with pytest.raises(AssayError, match="has no parts to set"):
        overrides.put({"seed": 3}, "seed.x", 1)


def test_nearest_lists_what_there_is_when_nothing_is_near():
    assert nearest("zzz", ["b", "a"]) == "expected one of: a, b"
