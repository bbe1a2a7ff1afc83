"""What a new study must know, asked of whoever has not said it yet."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from assay.data.cache import open_source
from assay.data.sources.catalogue import SOURCES
from assay.errors import AssayError, unknown
from assay.models.catalogue import LIBRARIES, MODELS
from assay.recipe import Data
from assay.recipe.overrides import parse
from assay.recipe.packed import packed
from assay.recipe.tasks import TASKS
from assay.start.pictures import look

OTHER_TASKS = {
    "shapes": "multilabel",
    "discs": "regression",
    "scenes": "segmentation",
    "oxford-pets-masks": "segmentation",
    "scattered-digits": "detection",
}
"""What is learned from the named sources whose pictures have no classes."""
USUAL_MODELS = {"segmentation": "deeplab", "detection": "yolo"}
LEARNING_RATES = "train.optimizer.lr=0.0003,0.001,0.003"
FREEZING = "model.freeze=none,backbone"


@dataclass(frozen=True)
class Answers:
    """What the five questions found out; of own numbers and tags, two more."""

    data: str
    task: str
    table: str
    """A file; empty where folders tell the classes."""
    columns: tuple[str, ...]
    """What of the table is learned."""
    model: str
    vary: Mapping[str, list[Any]]
    """Dotted key → levels."""
    seeds: int


Given = Mapping[str, str]
Ask = Callable[[str, str], str]
"""(question, what it is unless said otherwise) → answer."""


@dataclass(frozen=True)
class Question:
    """One thing to ask; each function gets what was answered before."""

    name: str
    text: str
    usual: Callable[[dict[str, Any]], str | None]
    """The answer unless another is given; None where there is no usual one."""
    read: Callable[[str], Any]
    """The answer understood. AssayError for one that cannot be."""
    arises: Callable[[dict[str, Any]], bool] = lambda known: True


def answers(given: Given, ask: Ask | None, root: Path) -> Answers:
    """Every answer: given, else asked for until it makes sense, else the usual one.

    ``given`` has answers in the words of the command line, by the names in ``Answers``; without ``ask`` nobody is
    asked; ``root`` is the data root. Raises AssayError for an answer given that makes no sense, or one that is missing.
    """
    known: dict[str, Any] = {"table": "", "columns": ()}
    for question in questions(root):
        if question.name not in given and not question.arises(known):
            continue
        known[question.name] = _answer(question, given.get(question.name), ask, known)
    return Answers(**known)


def _answer(question: Question, said: str | None, ask: Ask | None, known: dict[str, Any]) -> Any:
    usual = question.usual(known)
    if said is None and ask is None:
        said = usual
    if said is not None:
        return question.read(said)
    if ask is None:
        raise AssayError(f"new: --{question.name} is missing; it answers: {question.text}")
    text = question.text
    while True:
        try:
            return question.read(ask(text, usual or ""))
        except AssayError as error:
            text = f"{error}\n{question.text}"


def questions(root: Path) -> list[Question]:
    """What is asked, in order."""
    return [
        Question(
            "data",
            f"Where are the pictures? One of {', '.join(SOURCES)}, or what 'assay list data' ends with, as the path of "
            "a folder or zip",
            lambda known: None,
            lambda said: _source(said, root),
        ),
        Question(
            "task",
            "What is learned of a picture? " + "; ".join(f"{name}: {facts.what}" for name, facts in TASKS.items()),
            lambda known: _usual_task(known["data"], root),
            lambda said: _one_of("task", said, TASKS),
        ),
        Question(
            "table",
            "Which table tells it? A CSV, TSV or Parquet file",
            lambda known: None,
            _text,
            lambda known: _needs_table(known, root),
        ),
        Question(
            "columns",
            "Which columns of it are learned? With commas between",
            lambda known: None,
            _columns,
            lambda known: bool(known["table"]),
        ),
        Question(
            "model",
            f"Which network? One of {', '.join(MODELS)}, or {' or '.join(f'{name}/NAME' for name in LIBRARIES)}",
            lambda known: USUAL_MODELS.get(known["task"], "cnn"),
            _model,
        ),
        Question(
            "vary",
            "What is compared? A key of the study file and its levels: KEY=LEVEL,LEVEL",
            lambda known: FREEZING if "/" in known["model"] else LEARNING_RATES,
            _factors,
        ),
        Question("seeds", "With how many seeds is each variant trained?", lambda known: "3", _seeds),
    ]


def _needs_table(known: dict[str, Any], root: Path) -> bool:
    data, target = known["data"], TASKS[known["task"]].target
    if target in ("labels", "masks", "boxes") or data in SOURCES or packed(data):
        return False
    return look({"source": data}, root, 0).kind != target


def _usual_task(data: str, root: Path) -> str:
    if data in SOURCES:
        return OTHER_TASKS.get(data, "classification")
    found = look({"source": data}, root, 0)
    return next(task for task, facts in TASKS.items() if facts.target == found.kind)


def _text(said: str) -> str:
    if not said.strip():
        raise AssayError("expected an answer")
    return said.strip()


def _source(said: str, root: Path) -> str:
    name = _text(said)
    if name not in SOURCES:
        open_source(Data(source=name), root)
    return name


def _one_of(kind: str, said: str, known: Mapping[str, object]) -> str:
    if said.strip() not in known:
        raise unknown(kind, said.strip(), known)
    return said.strip()


def _columns(said: str) -> tuple[str, ...]:
    return tuple(_text(part) for part in said.split(","))


def _model(said: str) -> str:
    name = _text(said)
    return name if name.partition("/")[0] in LIBRARIES and "/" in name else _one_of("model", name, MODELS)


def _factors(said: str) -> dict[str, list[Any]]:
    """``KEY=A,B``, or several of them on lines of their own."""
    found: dict[str, list[Any]] = {}
    for line in said.splitlines():
        key, equals, levels = line.partition("=")
        if not equals:
            raise AssayError(f"{line}: expected KEY=LEVEL,LEVEL, for example {LEARNING_RATES}")
        key, found[key] = parse(f"{key.strip()}=[{levels}]")
        if len(found[key]) < 2:
            raise AssayError(f"{line}: expected at least two levels, with commas between")
    return found


def _seeds(said: str) -> int:
    if not said.strip().isdecimal() or int(said) < 1:
        raise AssayError(f"seeds: found {said!r}, expected a whole number of at least 1")
    return int(said)
