import re

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from assay import AssayError, Study, load_study
from assay.recipe.folder_names import folder_name
from assay.recipe.names import label, short_keys
from assay.recipe.validation import validate

BASE = {"data": {"source": "digits"}, "model": {"name": "mlp"}}


def study(**fields) -> Study:
    return validate(Study, {"title": "t", "name": "s", "base": BASE, **fields}, "here")


def write(path, **fields):
    path.write_text(yaml.safe_dump({"title": "t", "base": BASE, **fields}, allow_unicode=True), encoding="utf-8")
    return path


def test_a_grid_has_every_combination_in_the_order_of_the_file():
    plan = study(vary={"model.activation": ["relu", "tanh"], "train.batch_size": [32, 64]}).plan
    assert list(plan) == [
        "activation=relu, batch_size=32",
        "activation=relu, batch_size=64",
        "activation=tanh, batch_size=32",
        "activation=tanh, batch_size=64",
    ]
    last = plan["activation=tanh, batch_size=64"]
    assert last.recipe.model.arguments == {"activation": "tanh"}
    assert last.recipe.train.batch_size == 64
    assert last.levels == {"model.activation": "tanh", "train.batch_size": 64}


def test_one_at_a_time_is_the_base_and_single_changes():
    base = {**BASE, "model": {"name": "mlp", "activation": "relu"}}
    plan = study(
        base=base, vary={"model.activation": ["relu", "tanh"], "model.dropout": [0.5]}, design="one_at_a_time"
    ).plan
    assert list(plan) == ["base", "activation=tanh", "dropout=0.5"]
    assert plan["dropout=0.5"].levels == {"model.activation": "relu", "model.dropout": 0.5}


@pytest.mark.parametrize(
    ("stated", "key", "levels", "changes"),
    [
        ({"optimizer": "sgd"}, "train.optimizer", ["sgd", "adam"], ["optimizer=adam"]),
        ({"optimizer": {"name": "sgd", "lr": 0.1}}, "train.optimizer", ["sgd", {"name": "sgd", "lr": 0.1}], None),
        ({}, "train.optimizer", [{"name": "adam"}, "sgd"], ["optimizer=sgd"]),
        ({}, "train.schedule", ["constant", "cosine"], ["schedule=cosine"]),
        ({"epochs": 3}, "train.epochs", [3, 4], ["epochs=4"]),
    ],
)
def test_a_level_that_the_base_has_in_other_words_is_the_base(stated, key, levels, changes):
    plan = study(base=BASE | {"train": stated}, vary={key: levels}, design="one_at_a_time").plan
    assert list(plan) == ["base", *(changes or ["optimizer=sgd"])]


def test_in_a_grid_the_base_variant_is_known_in_other_words():
    vary = {"train.optimizer": ["adam", "sgd"]}
    assert study(base=BASE | {"train": {"optimizer": {"name": "sgd"}}}, vary=vary).base_variant == "optimizer=sgd"
    assert study(vary={"train.optimizer": ["sgd", "adam"]}).base_variant == "optimizer=sgd"


def test_named_variants_change_what_they_say():
    s = study(variants={"plain": None, "wide, soft": {"model.hidden": [512], "model.dropout": 0.2}})
    assert s.plan["wide, soft"].recipe.model.arguments == {"hidden": [512], "dropout": 0.2}
    assert s.plan["wide, soft"].folder == "wide,soft"
    assert s.base_variant == "plain"


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"vary": {"train.optimizer.lr": [0.1], "train.optimizer": ["sgd"]}}, "'train.optimizer.lr' is a part of"),
        ({"variants": {"a": {"model": {"name": "mlp"}, "model.dropout": 0.1}}}, "'model.dropout' is a part of 'model'"),
        ({"vary": {"train.l1": [1, 1.0]}}, "are the same recipe"),
        ({"variants": {"a": {}, "b": {"train": {"epochs": 10}}}}, "variants 'a' and 'b' are the same recipe"),
        ({"variants": {"a/b": {}, "a:b": {"train.epochs": 3}}}, "'a/b' and 'a:b' would share the folder"),
        (
            {"variants": {"a": {}, "Report": {"train.epochs": 3}}},
            "cannot be called 'Report': the study's folder has its",
        ),
        ({"variants": {"a": {}, "study.yaml": {"train.epochs": 3}}}, "cannot be called 'study.yaml': the study's"),
    ],
)
def test_variants_that_are_not_what_they_say_are_refused(tmp_path, fields, sentence):
    with pytest.raises(AssayError, match=re.escape(sentence)):
        load_study(write(tmp_path / "s.yaml", **fields))


@pytest.mark.parametrize(
    ("part", "change", "sentence"),
    [
        (
            {"variants": {"a": {}, "b": {"train": {"l1": 0.1}}}},
            [],
            "variant 'b': this would replace all of train, and does not say the base's epochs and optimizer; change "
            "the keys that differ, such as train.l1, or state all of them",
        ),
        ({"vary": {"train": [{"epochs": 3, "optimizer": "sgd"}, {"epochs": 4}]}}, [], "the base's optimizer; change"),
        ({}, ["train={l1: 0.1}"], "--set train={l1: 0.1}: this would replace all of train, and does not say"),
        ({}, ["train={}"], "such as train.epochs, or state all of them"),
    ],
)
def test_a_section_is_not_replaced_by_one_that_forgets_what_the_base_says(tmp_path, part, change, sentence):
    base = BASE | {"train": {"epochs": 3, "optimizer": "adam"}}
    with pytest.raises(AssayError, match=re.escape(sentence)):
        load_study(write(tmp_path / "s.yaml", base=base, **part), change)


def test_a_section_that_says_all_that_the_base_does_is_a_level():
    base = BASE | {"train": {"epochs": 3}}
    plan = study(base=base, variants={"a": {}, "b": {"train": {"epochs": 4, "batch_size": 16}}}).plan
    assert (plan["b"].recipe.train.epochs, plan["b"].recipe.train.batch_size) == (4, 16)


@pytest.mark.parametrize("change", ["train.optimizer.lr=0.5", "train.optimizer=sgd", "train={}"])
def test_what_the_study_varies_cannot_be_set_whole_or_in_part(tmp_path, change):
    for part in (
        {"vary": {"train.optimizer": ["sgd", "adam"]}},
        {"variants": {"a": {}, "b": {"train.optimizer": "sgd"}}},
    ):
        with pytest.raises(AssayError, match=r"the study varies 'train\.optimizer'"):
            load_study(write(tmp_path / "s.yaml", **part), [change])


def test_a_network_alone_can_be_a_level():
    plan = study(vary={"model": ["mlp", {"name": "mlp", "dropout": 0.5}]}).plan
    assert [variant.recipe.model.name for variant in plan.values()] == ["mlp", "mlp"]


def test_levels_that_the_base_leaves_to_defaults_are_told():
    plan = study(vary={"train.batch_size": [64], "model.dropout": [0.5]}, design="one_at_a_time").plan
    assert plan["base"].levels == {"train.batch_size": 128, "model.dropout": "default"}


def test_the_base_variant_has_the_base_recipes_levels():
    vary = {"model.activation": ["relu", "tanh"], "train.batch_size": [32, 64]}
    assert study(vary=vary).base_variant == "activation=relu, batch_size=32"
    stated = {**BASE, "train": {"batch_size": 64}}
    assert study(base=stated, vary=vary).base_variant == "activation=relu, batch_size=64"
    assert study().base_variant == "base"


def test_seeds_are_a_number_or_a_list():
    assert study(seeds=2).seed_list == [0, 1]
    assert study(seeds=[7, 3]).seed_list == [7, 3]
    assert study().plan["base"].with_seed(7).seed == 7


def test_a_study_survives_its_own_file(tmp_path):
    original = study(vary={"train.optimizer": ["sgd", {"name": "adam", "lr": 0.1}]}, seeds=[3, 4])
    (tmp_path / "study.yaml").write_text(original.dump(), encoding="utf-8")
    assert load_study(tmp_path).model_dump() == original.model_dump()
    assert load_study(tmp_path / "study.yaml").name == "s"


def test_changes_and_seeds_from_the_command_line(tmp_path):
    path = write(tmp_path / "activation.yaml", vary={"model.activation": ["relu", "tanh"]}, seeds=5)
    loaded = load_study(path, ["train.epochs=3", "train.optimizer.lr=0.5"], seeds=2)
    assert loaded.name == "activation"
    assert loaded.seed_list == [0, 1]
    assert all(v.recipe.train.epochs == 3 and v.recipe.train.optimizer.lr == 0.5 for v in loaded.plan.values())
    with pytest.raises(AssayError, match=r"the study varies 'model.activation'"):
        load_study(path, ["model.activation=relu"])


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"vary": {"train.batch_size": [32, 0]}}, "variant 'batch_size=0': train.batch_size: found 0"),
        ({"vary": {"train.batchsize": [32]}}, "unknown key 'train.batchsize'; did you mean 'batch_size'?"),
        ({"vary": {"model.activation": []}}, "model.activation: expected a list of levels"),
        ({"vary": {"model.activation": "relu"}}, "model.activation: expected a list of levels, found 'relu'"),
        ({"vary": {"model.activation": ["relu", "relu"]}}, "is a level listed twice?"),
        ({"vary": {"lr": [0.1]}}, "unknown key 'lr'; did you mean 'train.optimizer.lr'?"),
        ({"vary": {"optimizer": ["sgd"]}}, "unknown key 'optimizer'; did you mean 'train.optimizer'?"),
        ({"vary": {"optimizer.lr": [0.1]}}, "unknown key 'optimizer'; did you mean 'train.optimizer'?"),
        ({"vary": {"train.lr": [0.1]}}, "unknown key 'train.lr'; did you mean 'train.optimizer.lr'?"),
        ({"vary": {"train": {"batch_size": [1]}}}, "a factor is one full key with its levels, train.batch_size: […]"),
        ({"vary": {"seed": [1, 2]}}, "list the seeds under 'seeds'"),
        ({"vary": {"model.norm": ["none"]}, "variants": {"a": {}}}, "exclude each other"),
        ({"seeds": 0}, "seeds"),
        ({"seeds": [1, 1]}, "a list of different ones"),
        ({"base": {**BASE, "seed": 3}}, "a study lists its seeds under 'seeds'"),
        ({"titel": "x"}, "unknown key 'titel'; did you mean 'title'?"),
        ({"name": "a/b"}, "cannot name a folder"),
    ],
)
def test_mistakes_in_a_study_file(tmp_path, fields, sentence):
    with pytest.raises(AssayError) as error:
        load_study(write(tmp_path / "s.yaml", **fields))
    assert sentence in str(error.value)


@pytest.mark.parametrize(
    ("key", "levels", "expected"),
    [
        ("train.optimizer", ["sgd", "adam"], "a name, or keys and values with a name"),
        ("train.epochs", [5, 10], "a whole number"),
        ("train.keep", ["best", "last"], "one of: best, last"),
        ("train.optimizer.lr", [0.1, 0.2], "a number"),
        ("data.source", ["digits", "cifar10"], "text"),
    ],
)
def test_levels_that_stand_in_the_base_are_led_to_vary(tmp_path, key, levels, expected):
    with pytest.raises(AssayError, match=rf"base: {key}: found .*expected {expected}.*to compare several, list"):
        load_study(write(tmp_path / "s.yaml"), [f"{key}={levels}"])
    assert len(load_study(write(tmp_path / "s.yaml", vary={key: levels})).plan) == 2


def test_a_key_that_stands_twice_is_refused(tmp_path):
    path = tmp_path / "s.yaml"
    path.write_text("title: a\ntitle: b\n")
    with pytest.raises(AssayError, match="'title' stands twice"):
        load_study(path)


def test_short_keys_grow_until_they_differ():
    assert short_keys(["model.name", "train.optimizer.name"]) == {
        "model.name": "model.name",
        "train.optimizer.name": "optimizer.name",
    }


def test_labels_read_well():
    assert label({"name": "sgd", "lr": 0.1}) == "sgd(lr=0.1)"
    assert label([16, 32]) == "16-32"
    assert label(None) == "none"
    assert label(True) == "true"


@pytest.mark.parametrize("names", [("deep", "Deep"), ("Deep", "deep")])
def test_names_that_differ_in_case_alone_would_share_a_folder_on_some_systems(names):
    first, second = names
    with pytest.raises(AssayError, match=f"'{first}' and '{second}' would share the folder"):
        _ = study(variants={first: {}, second: {"train.epochs": 3}}).plan


def test_long_names_that_end_differently_have_folders_of_their_own():
    folders = {folder_name("α" * 100 + end) for end in "ab"}
    assert len(folders) == 2
    assert all(len(folder.encode()) <= 120 for folder in folders)


@given(st.text())
def test_folder_names_are_safe_and_stable(name):
    folder = folder_name(name)
    assert folder
    assert not set(folder) & set('<>:"/\\|?*\0\n')
    assert folder not in (".", "..")
    assert folder_name(folder) == folder
