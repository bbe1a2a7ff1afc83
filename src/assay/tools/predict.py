"""What finished runs say of pictures."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from assay.errors import AssayError
from assay.recipe import Fit, Recipe
from assay.recipe.tasks import TASKS
from assay.recipe.validation import validate
from assay.recipe.yaml_files import read_yaml
from assay.results.folders import read_description
from assay.system.files import read_object
from assay.system.integrity import WEIGHTS, refuse_changed

if TYPE_CHECKING:
    import torch

    from assay.recipe.data import Layout
    from assay.tasks.contract import Told
    from assay.tools.answering import Answering, Pixels
    from assay.tools.choosing import Chosen
    from assay.tools.pictures import Picture, Unread

Progress = Callable[[int, int], None]
Keep = Callable[["Told", "Picture"], "Told"]


@dataclass(frozen=True)
class Answers:
    """What finished runs say of pictures, and which could not be read."""

    each: "Sequence[Told]"
    """Of every picture that could be read, in their order."""
    unread: "Sequence[Unread]"
    chosen: "Chosen"
    """The runs that were asked."""

    @property
    def rows(self) -> list[dict[str, str]]:
        """Of each picture heading → text."""
        return [one.cells for one in self.each]

    @property
    def notes(self) -> list[str]:
        """How to read the answers, in sentences."""
        from assay.runs.crf import FILE, in_words

        chosen = [in_words(read_object(path)) for run in self.chosen.runs if (path := run / FILE).exists()]
        return [*filter(None, [self.chosen.reason]), *dict.fromkeys(chosen)]


def predict(where: str | Path, pictures: Sequence[str | Path], ensemble: bool = False) -> "Sequence[Told]":
    """What finished runs say of pictures, prepared as their test images were: ``answers`` to all of them.

    Of each picture a ``Prediction`` of the run's task, such as ``assay.tasks.classification.task.Prediction``. Raises
    AssayError as ``answers`` does, and for a picture that cannot be read, naming it.
    """
    found = answers(where, pictures, ensemble)
    if found.unread:
        raise AssayError(found.unread[0].reason)
    return found.each


def as_it_is(answer: "Told", picture: "Picture") -> "Told":
    """The answer to a picture, whole."""
    return answer


def answers(
    where: str | Path,
    pictures: Sequence[str | Path],
    ensemble: bool = False,
    answering: Progress | None = None,
    keep: Keep = as_it_is,
    layout: "Layout | None" = None,
) -> Answers:
    """What the run in ``where``, the best of a variant or study there, or the exported network in that file says of
    pictures, folders and zips of them.

    With ``ensemble`` the seeds of the variant, or of the study's best, answer together: means of probabilities, or of
    values with the least and the greatest. See ``assay.tools.choosing.choose`` for what is best. ``answering`` is
    called with (pictures done, pictures to do); ``keep`` gets each answer with its picture, and what it gives is among
    the answers. Of pictures with masks the latter are passed over, by the ``layout`` (``data.layout``) or that of the
    run's recipe. The networks are where ``device_here`` puts each. Raises AssayError for a folder without a
    finished run; pictures that cannot be read are in ``unread``.
    """
    from assay.data.batches import pass_size
    from assay.data.sources.mask_pairs import masks_in
    from assay.tasks import catalogue
    from assay.tools.pictures import pictures_at, read_in_batches

    chosen, networks = asked(Path(where), ensemble)
    first = networks[0]
    task = catalogue.task(first.task)
    if TASKS[first.task].target == "masks":
        found, unread = pictures_at(pictures, lambda names: masks_in(names, layout or first.layout))
    else:
        found, unread = pictures_at(pictures)
    _, height, width = first.about["shape"]
    each: list[Told] = []
    gone = len(unread)
    for part, bad in read_in_batches(found, first.about, first.fit, pass_size(height, width, first.device)):
        unread += bad
        paths = [picture.path for picture, _ in part]
        placed = {"sizes": [read.size for _, read in part], "fit": first.fit}
        pixels = [read.pixels for _, read in part]
        told = [task.told(one.ask(np.stack(pixels)), paths, one.about | placed) for one in networks if part]
        answered = (one[0] if len(one) == 1 else task.together(one) for one in zip(*told, strict=True))
        each += [keep(one, picture) for one, (picture, _) in zip(answered, part, strict=True)]
        if answering:
            answering(len(each) + len(unread) - gone, len(found))
    return Answers(each, unread, chosen)


def asked(where: Path, ensemble: bool = False) -> "tuple[Chosen, list[Answering]]":
    """What is meant by ``where``, and the networks there: of a file that was exported its own, else those of runs.

    AssayError where there is none, or where several runs were trained on other classes, sizes or ranges.
    """
    from assay.tools.choosing import Chosen, choose
    from assay.tools.export.reading import is_exported, read_exported

    if is_exported(where):
        if ensemble:
            raise AssayError(f"{where} is one network; --ensemble takes the folder of a variant or of a study")
        told, answering = read_exported(where)
        return Chosen((where,), told), [answering]
    chosen = choose(where, ensemble)
    networks = [answering_of(run) for run in chosen.runs]
    about = networks[0].about
    for run, other in zip(chosen.runs, networks, strict=True):
        if any(other.about.get(key) != about.get(key) for key in ("classes", "shape", "range")):
            raise AssayError(f"{run} was trained on other classes, sizes or ranges than {chosen.runs[0]}")
    return chosen, networks


def answering_of(run: Path, device: str | None = None) -> "Answering":
    """The network of a finished run, within what its recipe's ``predict`` asks for, where ``device_here`` puts it, by
    the recipe unless a device is named.

    Raises AssayError as ``load_run`` does.
    """
    import torch

    from assay.after.around import around
    from assay.system.machine import device_here
    from assay.tasks import catalogue
    from assay.tools.answering import Answering
    from assay.tools.pictures import normalized

    recipe, about, model = load_run(run)
    place, task = device_here(device or recipe.train.device), catalogue.task(recipe.task)
    network = around(model.to(place), recipe.predict, about["mean"], about["std"])

    def ask(pixels: "Pixels") -> Any:
        with torch.inference_mode():
            return task.said(network, normalized(pixels, about).to(place))

    measured = read_object(run / "metrics.json", missing={})
    return Answering(recipe.task, recipe.data.fit, about | {"measured": measured}, place, ask, recipe.data.layout)


def refuse_unfinished(run: Path) -> None:
    """Raise AssayError where there is no finished run in the folder."""
    state = read_object(run / "status.json", missing={}).get("state")
    if state != "finished":
        found = f"its run is {state}" if state else "there is no run"
        ways = ("seed-*", "*/seed-*", "*/*/seed-*")
        below = (status.parent for way in ways for status in sorted(run.glob(f"{way}/status.json")))
        finished = (each for each in below if read_object(each / "status.json", missing={}).get("state") == "finished")
        such = next(finished, "runs/STUDY/VARIANT/seed-0")
        raise AssayError(f"{run}: {found}; expected the folder of a finished run, such as {such}")


def load_run(run: Path) -> "tuple[Recipe, dict[str, Any], torch.nn.Module]":
    """The recipe, data.json and network, in evaluation mode, of a finished run.

    AssayError where there is none, or one of its files has changed since.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    from assay.models.catalogue import build
    from assay.models.state import restore
    from assay.runs import crf
    from assay.tasks import catalogue

    refuse_unfinished(run)
    refuse_changed(run, "recipe.yaml", "data.json", "metrics.json", WEIGHTS)
    recipe = validate(Recipe, read_yaml(run / "recipe.yaml"), str(run / "recipe.yaml"))
    refuse_changed(run, crf.FILE)
    recipe, about = crf.with_choice(recipe, run), read_description(run / "data.json")
    outputs = catalogue.task(recipe.task).outputs(recipe.train.loss, about["classes"])
    model = build(recipe.model, tuple(about["shape"]), outputs)
    try:
        restore(model, load_file(run / WEIGHTS))
    except (OSError, RuntimeError, SafetensorError) as error:
        reason = str(error).splitlines()[0]
        raise AssayError(f"{run / WEIGHTS} is not the network of this run: {reason}") from None
    return recipe, about, model.eval()


def read_picture(path: Path, about: dict[str, Any], fit: Fit) -> "torch.Tensor":
    """One picture as the network wants it: float (c, h, w), in the run's size, colour, range and normalisation."""
    from assay.tools.pictures import normalized, picture_file, read_pixels

    return normalized(read_pixels(picture_file(path), about, fit), about)


def answer_table(rows: Sequence[dict[str, str]], notes: Sequence[str] = ()) -> RenderableType:
    """Answers for the terminal, a row of heading and text each, and below them how to read them."""
    lines = list(map(Text, notes))
    if not rows:
        return Group(*lines)
    table = Table(*rows[0], box=None, pad_edge=False)
    for row in rows:
        table.add_row(*map(Text, row.values()))
    return Group(table, *lines)
