"""Before the first run: the shipped studies, a new study file, the schema for editors."""

import json
import os
import pty
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from PIL import Image

from assay.data import load
from assay.errors import AssayError
from assay.recipe import Data, Recipe
from assay.recipe.overrides import put
from assay.recipe.study import Study, load_study
from assay.recipe.yaml_files import parse_yaml, read_yaml
from assay.start.questions import answers
from assay.start.schema import study_schema
from assay.start.shipped import copy_studies
from assay.start.writing import study_text, write_study
from command import STUDY, assay
from drawn_boxes import jpeg, voc, xml
from drawn_masks import plant as plant_masks
from drawn_masks import values

ROOT = Path(__file__).parents[1]
FLAGS = ["--data", "digits", "--model", "mlp", "--vary", "model.activation=relu,tanh", "--seeds", "1", "--epochs", "1"]


# ------------------------------------------------------------------------------------------------ init


def test_init_copies_every_study_and_overwrites_none(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "mine"
    assert f"begin with: assay run {folder / 'digits.yaml'}" in assay(capfd, "init", folder).out
    there = {path.relative_to(folder) for path in folder.rglob("*") if path.is_file()}
    assert there == {path.relative_to(ROOT / "studies") for path in (ROOT / "studies").rglob("*.*") if path.is_file()}
    assert (folder / "digits.yaml").read_bytes() == (ROOT / "studies" / "digits.yaml").read_bytes()

    (folder / "digits.yaml").write_text("mine")
    (folder / "brain-mri" / "scans.yaml").unlink()
    again = copy_studies(folder)
    assert (again.written, again.kept) == (("brain-mri/scans.yaml",), ("digits.yaml",))
    assert (folder / "digits.yaml").read_text() == "mine"


def test_init_into_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")
    with pytest.raises(AssayError, match="taken is a file, expected a folder"):
        copy_studies(tmp_path / "taken")


# ------------------------------------------------------------------------------------------------- new


def test_what_new_writes_runs(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "mine.yaml"
    ended = assay(capfd, "new", file, *FLAGS)
    assert (ended.status, ended.err) == (0, "")
    assert f"assay run {file} --dry-run" in ended.out
    assert load_study(file).title == "Which activation for digits?"
    assert list(load_study(file).plan) == ["activation=relu", "activation=tanh"]
    assert "#" in file.read_text()
    ran = assay(capfd, "run", file, "--out", tmp_path, "--quiet")
    assert ran.status == 0
    assert "report: " in ran.out


def test_new_does_not_overwrite(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("precious")
    ended = assay(capfd, "new", file, *FLAGS)
    assert ended.status == 2
    assert "is there already" in ended.err
    assert file.read_text() == "precious"


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        ([], "new: --data is missing; it answers: Where are the pictures?"),
        (["--data", "digit"], "unknown data source 'digit'; did you mean 'digits'?"),
        (["--data", "digits", "--task", "clasification"], "unknown task 'clasification'; did you mean"),
        (["--data", "digits", "--model", "cmn"], "unknown model 'cmn'; did you mean 'cnn'?"),
        (["--data", "digits", "--vary", "train.epochs"], "train.epochs: expected KEY=LEVEL,LEVEL"),
        (["--data", "digits", "--vary", "train.epochs=3"], "expected at least two levels"),
        (["--data", "digits", "--vary", "train.epoch=3,4"], "unknown key 'train.epoch'; did you mean 'epochs'?"),
        (["--data", "digits", "--vary", "model.activaton=a,b"], "no argument 'activaton'; did you mean 'activation'?"),
    ],
)
def test_mistakes_are_told_and_leave_no_file(
    flags: list[str],
    sentence: str,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("sys.stdin", open(os.devnull))  # noqa: SIM115
    ended = assay(capfd, "new", tmp_path / "mine.yaml", *flags)
    assert ended.status == 2
    assert sentence in ended.err
    assert not (tmp_path / "mine.yaml").exists()


def test_own_pictures_with_a_table_of_numbers(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "pictures").mkdir()
    for number in range(4):
        Image.new("L", (8, 8), 9 * number).save(tmp_path / "pictures" / f"{number}.png")
    (tmp_path / "ages.csv").write_text("image,age\n" + "".join(f"{n}.png,{n}\n" for n in range(4)))
    told = ["--task", "regression", "--table", str(tmp_path / "ages.csv"), "--columns", "age"]
    ended = assay(capfd, "new", tmp_path / "ages.yaml", "--data", tmp_path / "pictures", *told, "--seeds", "1")
    assert ended.status == 0, ended.err
    (recipe, *_) = (variant.recipe for variant in load_study(tmp_path / "ages.yaml").plan.values())
    assert recipe.data.targets == ("age",)
    assert recipe.data.size is None
    assert recipe.train.loss.name == "mse"


def new_of(folder: Path, sizes: dict[str, tuple[int, int]]) -> Data:
    """The data section that ``new`` writes for pictures of these sizes."""
    for number, (name, size) in enumerate(sizes.items()):
        (folder / "pictures" / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", size, number).save(folder / "pictures" / name)
    found = answers({"data": str(folder / "pictures")}, None, folder)
    (recipe, *_) = (each.recipe for each in load_study(write_study(folder / "s.yaml", found, folder)).plan.values())
    return recipe.data


@pytest.mark.parametrize(("own", "stated"), [("val", None), ("test", 0.1)])
def test_an_own_validation_split_stays_one(own: str, stated: float | None, tmp_path: Path) -> None:
    sizes = {f"{split}/{kind}/{k}.png": (8, 8) for split in ("train", own) for kind in "ab" for k in range(20)}
    data = new_of(tmp_path, sizes)
    assert data.validation == stated
    images = load(data, 0, tmp_path)
    validating = {images.images.names[i].split("/")[0] for i in images.indices["validation"]}
    assert validating == {"val" if own == "val" else "train"}


@pytest.mark.parametrize(
    ("one", "other", "size"), [((28, 20), (28, 20), None), ((28, 20), (20, 28), 64), ((65, 60), (65, 60), 64)]
)
def test_small_pictures_of_one_size_keep_it(
    one: tuple[int, int], other: tuple[int, int], size: int | None, tmp_path: Path
) -> None:
    assert new_of(tmp_path, {"a/0.png": one, "b/1.png": one, "b/2.png": other}).size == size


def asked(said: dict[str, str | list[str]]) -> tuple[Callable[[str, str], str], list[str]]:
    """Somebody who says to a question what ``said`` has for a word in it, and takes the usual answer otherwise."""
    heard: list[str] = []

    def ask(question: str, usual: str) -> str:
        heard.append(question)
        for word, answer in said.items():
            if word in question:
                return answer.pop(0) if isinstance(answer, list) else answer
        return usual

    return ask, heard


def test_five_questions_are_asked_and_the_usual_answers_are_a_study(tmp_path: Path) -> None:
    ask, heard = asked({"Where are the pictures": "digits"})
    found = answers({}, ask, tmp_path)
    assert len(heard) == 5
    assert (found.task, found.model, found.seeds) == ("classification", "cnn", 3)
    assert found.vary == {"train.optimizer.lr": [0.0003, 0.001, 0.003]}


def test_what_is_given_is_not_asked_and_what_makes_no_sense_is_asked_again(tmp_path: Path) -> None:
    ask, heard = asked({"Which network": ["cmn", "mlp"]})
    found = answers({"data": "discs", "seeds": "2", "vary": "train.epochs=1,2\nmodel.dropout=0,0.5"}, ask, tmp_path)
    assert [question.split("?")[0] for question in heard[:2]] == ["What is learned of a picture", "Which network"]
    assert heard[2].startswith("unknown model 'cmn'; did you mean 'cnn'?\nWhich network")
    assert (found.task, found.model) == ("regression", "mlp")
    assert found.vary == {"train.epochs": [1, 2], "model.dropout": [0, 0.5]}


def test_a_table_is_asked_for_where_folders_cannot_tell(tmp_path: Path) -> None:
    (tmp_path / "pictures" / "a").mkdir(parents=True)
    Image.new("L", (8, 8)).save(tmp_path / "pictures" / "a" / "0.png")
    ask, heard = asked({"Which table": "t.csv", "Which columns": "age, weight"})
    found = answers({"data": "pictures", "task": "regression"}, ask, tmp_path)
    assert (found.table, found.columns) == ("t.csv", ("age", "weight"))
    assert len(heard) == 5


@pytest.mark.skipif(sys.platform == "win32", reason="pseudo-terminals are POSIX")
def test_on_a_terminal_it_asks(tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "assay", "new", "mine.yaml", *FLAGS[2:]]
    process = subprocess.Popen(command, cwd=tmp_path, stdin=theirs, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    os.write(ours, b"digits\n\n")
    out, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    assert b"Where are the pictures?" in err
    assert b"mine.yaml is written" in out
    assert load_study(tmp_path / "mine.yaml").base["data"]["source"] == "digits"


# ---------------------------------------------------------------------------------------------- schema


@pytest.fixture(scope="module")
def schema() -> Any:
    jsonschema.Draft202012Validator.check_schema(study_schema())
    return jsonschema.Draft202012Validator(study_schema())


SHIPPED = [path for path in (ROOT / "studies").rglob("*.yaml") if path.parent.name != "explain"]
"""All but the numbers that ``assay explain`` works."""


@pytest.mark.parametrize("name", sorted(str(p.relative_to(ROOT)) for p in SHIPPED))
def test_the_schema_takes_the_shipped_studies(name: str, schema: Any) -> None:
    schema.validate(read_yaml(ROOT / name))


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("base.train.optimizer", "adam"),
        ("base.train.optimizer", {"lr": 0.1}),
        ("base.train.schedule", {"name": "step", "every": 2}),
        ("base.train.loss", {"label_smoothing": 0.1}),
        ("base.train.loss", ["cross_entropy", {"name": "dice"}]),
        ("base.data.ignore", "void"),
        ("base.data.ignore", [11, "void"]),
        ("base.data.augment", ["horizontal_flip", {"rotation": 15}, {"name": "zoom", "amount": 0.1}]),
        ("base.data.imbalance", {"cat": 0.1}),
        ("base.data.targets", "age"),
        ("base.data.layout", {"fold_0": "train", "fold_1": "test"}),
        ("base.data.split", "part"),
        ("base.data.split", {"train": ["a", "b"], "test": "c"}),
        ("base.data.size", [32, 48]),
        ("base.model", "mlp"),
        ("base.model.head", [{"dense": 16}, "batch_norm"]),
        ("base.evaluate", ["classification", {"name": "separation", "images": 500}]),
        ("base.train.phases", [{"epochs": 1, "freeze": "backbone"}]),
        ("vary", None),
        ("vary", {"model.activation": ["relu"], "activation": ["tanh"]}),
        ("variants", {"a": None, "b": {"model.dropout": 0.5}}),
        ("seeds", [3, 4]),
        ("design", "one_at_a_time"),
    ],
)
def test_the_schema_takes_what_assay_takes(key: str, value: Any, schema: Any) -> None:
    schema.validate(put(STUDY, key, value))


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("titel", "x"),
        ("base.trian", {}),
        ("base.train.epoch", 3),
        ("base.train.epochs", "three"),
        ("base.train.optimizer", "adm"),
        ("base.train.optimizer.momentun", 0.9),
        ("base.train.schedule", "steps"),
        ("base.data.augment", ["horizontal_flap"]),
        ("base.data.augment", [{"rotation": 15, "zoom": 0.1}]),
        ("base.data.color", "grey"),
        ("base.data.layout", {"fold_0": "tain"}),
        ("base.data.split", {"tain": "a"}),
        ("base.evaluate", ["clasification"]),
        ("base.seed", 1),
        ("vary", {"model.activation": "relu"}),
        ("seeds", 0),
    ],
)
def test_the_schema_underlines_mistakes(key: str, value: Any, schema: Any) -> None:
    with pytest.raises(jsonschema.ValidationError):
        schema.validate(put(STUDY, key, value))


def test_schema_is_printed_with_how_to_use_it(capfd: pytest.CaptureFixture[str]) -> None:
    assert json.loads(assay(capfd, "schema").out) == study_schema()
    assert "\n  # yaml-language-server: $schema=study.schema.json\n" in assay(capfd, "schema", "--help").out
    completed = study_schema()["properties"]["vary"]["properties"]
    assert {"train.optimizer.lr", "model.name", "data.augment"} <= set(completed)


def test_every_field_says_what_it_means() -> None:
    sections = {"Study": Study.model_json_schema()} | Recipe.model_json_schema()["$defs"]
    silent = [
        f"{section}.{key}"
        for section, schema in sections.items()
        for key, field in schema["properties"].items()
        if key != "name" and "description" not in field and "$ref" not in field
    ]
    assert silent == []
    assert study_schema()["properties"]["title"]["description"] == "The question, which heads the report."


def test_a_study_written_by_new_follows_the_schema(
    tmp_path: Path, schema: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    assert assay(capfd, "new", tmp_path / "mine.yaml", *FLAGS).status == 0
    schema.validate(parse_yaml((tmp_path / "mine.yaml").read_text(), "mine"))
    assert yaml.safe_load((tmp_path / "mine.yaml").read_text())["seeds"] == 1


def test_pictures_with_masks_become_a_study_of_segmentation(tmp_path: Path) -> None:
    drawn = {"a": values(r1=1), "b": values(r1=1, size=(9, 6)), "c": values(r2=1)}
    folder = plant_masks(tmp_path, drawn, "disc\ncross\nvoid\n")
    found = answers({"data": str(folder)}, None, tmp_path)
    assert (found.task, found.model, found.table) == ("segmentation", "deeplab", "")
    study = load_study(write_study(tmp_path / "new.yaml", found, tmp_path))
    recipe = next(iter(study.plan.values())).recipe
    assert (recipe.data.size, recipe.data.fit, recipe.data.ignore) == (256, "letterbox", ("void",))


def test_pictures_with_boxes_become_a_study_of_detection(tmp_path: Path) -> None:
    boxes = {name: [("cat", 2, 2, 20, 20)] for name in ("a.jpg", "b.jpg", "c.jpg")}
    folder = voc(tmp_path / "set", {"train": boxes, "test": {"d.jpg": [("dog", 5, 5, 30, 30)]}})
    jpeg(folder / "JPEGImages" / "a.jpg", (50, 60))
    xml(folder / "Annotations" / "a.xml", boxes["a.jpg"], (50, 60))
    found = answers({"data": str(folder)}, None, tmp_path)
    assert (found.task, found.model, found.table) == ("detection", "yolo", "")
    recipe = next(iter(load_study(write_study(tmp_path / "new.yaml", found, tmp_path)).plan.values())).recipe
    assert (recipe.data.size, recipe.data.fit, recipe.train.batch_size) == (256, "letterbox", 16)
    drawn = answers({"data": "scattered-digits"}, None, tmp_path)
    assert (drawn.task, drawn.model, drawn.table) == ("detection", "yolo", "")


def test_masks_of_one_size_keep_it(tmp_path: Path) -> None:
    folder = plant_masks(tmp_path, {name: values(r1=1, size=(70, 90)) for name in "abc"})
    text = study_text(tmp_path / "new.yaml", answers({"data": str(folder)}, None, tmp_path), tmp_path)
    assert "\n    size:" not in text
    assert "ignore:" not in text
