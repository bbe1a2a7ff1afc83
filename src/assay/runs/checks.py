"""What can be known of a study before training: other runs in its folder, networks or data that do not fit."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from assay.errors import AssayError, amount
from assay.recipe import Recipe, overrides
from assay.recipe.data import COLUMNS
from assay.recipe.packed import packed
from assay.recipe.study import Study, load_study
from assay.recipe.tasks import TASKS, WORDS, answered
from assay.recipe.yaml_files import read_yaml
from assay.runs.display import Display
from assay.runs.essence import flatten
from assay.runs.jobs import Job
from assay.system.integrity import refuse_changed

if TYPE_CHECKING:
    from torch import nn

    from assay.data import ImageData, ImageSet

ELSEWHERE = "choose another --out, give this study another 'name:', or delete that folder"


def refuse_other_study(study: Study, folder: Path) -> None:
    """Raise AssayError when the folder was made by another study: its title and all its variants are others, or its
    runs were made by another base."""
    path = folder / "study.yaml"
    if not path.exists():
        return
    there = load_study(path)
    if there.title != study.title and not set(there.plan) & set(study.plan):
        raise AssayError(f"{folder} belongs to another study, '{there.title}'; {ELSEWHERE}")
    if any(folder.glob("*/seed-*/recipe.yaml")) and (other := other_base(there, study)):
        raise AssayError(f"{folder} belongs to another study: {other}; {ELSEWHERE}")


def other_base(there: Study, here: Study) -> str | None:
    """The first key that one of two studies states in its base, and neither varies, in which their recipes differ."""
    from assay.models.catalogue import complete

    varied = [*there.factors, *here.factors]
    first = [complete(next(iter(study.plan.values())).recipe).dump() for study in (there, here)]
    for key in dict.fromkeys([*flatten(here.base), *flatten(there.base)]):
        was, now = (None if (value := overrides.get(each, key)) is overrides.MISSING else value for each in first)
        if was != now and not any(f"{key}.".startswith(f"{f}.") or f"{f}.".startswith(f"{key}.") for f in varied):
            return f"{key} is {was!r} there and {now!r} here"
    return None


def refuse_other_recipe(job: Job) -> None:
    """Raise AssayError when the run's folder was made by another recipe, or its recipe.yaml has changed since."""
    from assay.models.catalogue import complete

    path = job.folder / "recipe.yaml"
    if not path.exists():
        return
    refuse_changed(job.folder, path.name)
    there, here = flatten(read_yaml(path)), flatten(complete(job.recipe).dump())
    for key in [*here, *there]:
        if there.get(key) != here.get(key):
            raise AssayError(
                f"{job.folder} belongs to another study: {key} is {there.get(key)!r} there and {here.get(key)!r} here; "
                f"{ELSEWHERE}"
            )


def check_networks_and_data(jobs: list[Job], root: Path, display: Display, elsewhere: bool = False) -> None:
    """Decode the data, cut the splits and build and try every network, so that mistakes show before training.

    Where they train ``elsewhere``, this machine need not have the devices.
    """
    import numpy as np

    from assay.after.around import idle
    from assay.data import ImageData, open_images, split
    from assay.data.augment import augmenter
    from assay.data.boxed import check_boxes, unboxed
    from assay.data.crops import check_crop
    from assay.data.masked import check_masks
    from assay.data.remarks import remarks
    from assay.data.sources.alike import alike, hardly_differ
    from assay.data.splits import crossing
    from assay.models.catalogue import complete
    from assay.system.machine import refuse_too_many

    seen: set[str] = set()
    opened: dict[str, ImageSet] = {}
    said: set[str] = set()
    made: dict[str, str] = {}
    for job in jobs:
        with of_variant(job):
            recipe = complete(job.recipe)
        if (other := made.setdefault(recipe.hash, job.variant)) != job.variant:
            raise AssayError(f"variants '{other}' and '{job.variant}' are the same recipe; leave one out")
        if not elsewhere:
            refuse_too_many(recipe.train.device, recipe.train.devices)
        if (source := repr(recipe.data)) not in opened:
            with display.decoding(recipe.data.source) as progress:
                opened[source] = open_images(recipe.data, root, progress)
            if recipe.data.layout is None and (families := alike(opened[source].classes)):
                display.warn(f"{opened[source].source}: the classes {hardly_differ(families)}")
            _say([*remarks(opened[source]), *crossing(recipe.data, opened[source])], said, display)
        images = opened[source]
        _say(idle(recipe.predict, images.canvas), said, display)
        indices = split(recipe.data, images, job.seed)
        _say(unboxed(images, indices), said, display)
        with of_variant(job):
            check_boxes(images, indices)
            check_masks(images, indices)
            unscaled = np.zeros(1, np.float32), np.ones(1, np.float32)
            check_targets(recipe, ImageData(images, indices, *unscaled, balance=recipe.data.balance))
        train = recipe.train
        tried = (recipe.task, recipe.model, train.loss, train.phases, train.batch_size, recipe.data, recipe.evaluate)
        key = repr((*tried, recipe.predict.tile))
        if key in seen:
            continue
        seen.add(key)
        shape = images.pixels.shape[1:]
        augmenter(recipe.data.augment)
        check_crop(recipe.data.crop, images)
        with of_variant(job):
            check_network(recipe, shape, images.classes)


def _say(texts: list[str], said: set[str], display: Display) -> None:
    """Each text once."""
    for text in texts:
        if text not in said:
            display.warn(text)
            said.add(text)


def check_targets(recipe: Recipe, data: "ImageData") -> None:
    """Raise AssayError where the task cannot learn what is true of these images, or not on so many devices."""
    import torch

    from assay.tasks import catalogue

    target, there = TASKS[recipe.task].target, data.images.targets.kind
    if there != target:
        fitting = [f"task: {name}" for name, facts in TASKS.items() if facts.target == there]
        if target in COLUMNS and recipe.data.told is None:
            where = "" if packed(recipe.data.source) else "a table (data.table) with "
            fitting.append(f"{where}their columns (data.{COLUMNS[target]})")
        hint = f"; expected {' or '.join(fitting)}" if fitting else ""
        raise AssayError(
            f"task {recipe.task} needs {WORDS[target]}, and the images of {data.images.source} have {there}{hint}"
        )
    task = catalogue.task(recipe.task)
    task.outputs(recipe.train.loss, data.classes)
    task.learning(recipe.train.loss, data, torch.device("cpu"))
    check_shares(recipe, data)


def check_shares(recipe: Recipe, data: "ImageData") -> None:
    """Raise AssayError where some device would have nothing to learn from a batch."""
    from assay.data.batches import batch_sizes

    devices, size = recipe.train.devices, recipe.train.batch_size
    fewest = min(batch_sizes(data.epoch_size, size), default=devices)
    if fewest < devices:
        raise AssayError(
            f"train.devices: {devices} share every batch, and with train.batch_size: {size} the "
            f"smallest of an epoch has {amount(fewest, 'image')}; expected at least one image a device"
        )


def check_network(recipe: Recipe, shape: tuple[int, int, int], classes: list[str]) -> None:
    """Build and try the network of a recipe in each phase; AssayError where it could not be trained or measured."""
    import torch

    from assay.evaluate.measuring import check as check_measures
    from assay.models.catalogue import try_out
    from assay.models.freezing import needs_two
    from assay.models.state import check_kept
    from assay.models.weights import fitting
    from assay.seeds import scoped
    from assay.tasks import catalogue
    from assay.train.frozen import TRIAL, only_the_head_learns, why_not_kept

    target: str = TASKS[recipe.task].target
    if recipe.model.arguments.get("softmax") and target != "labels":
        raise AssayError(f"model.softmax gives shares of classes, and task {recipe.task} has none; leave it out")
    with scoped(0, "trial"):
        images = torch.rand(TRIAL, *shape)
    outputs = catalogue.task(recipe.task).outputs(recipe.train.loss, classes)
    for number, stage in enumerate(recipe.stages):
        with of_phase(recipe, number):
            network = try_out(stage.model, shape, outputs, answered(recipe.task))
        if recipe.train.batch_size == 1 and needs_two(network):
            raise AssayError("train.batch_size: 1 is too small for a batch norm that learns; expected at least 2")
        if recipe.data.augment_views and only_the_head_learns(network, stage):
            why_not_kept(network, images, stage)
    if recipe.model.pretrained is not False:
        fitting(network, recipe.model, shape, classes)
    check_kept(network)
    check_measures(recipe, network, torch.zeros(2, *shape))
    check_tiles(recipe, network, shape)


def check_tiles(recipe: Recipe, network: "nn.Module", shape: tuple[int, int, int]) -> None:
    """Raise AssayError where the network cannot answer tiles as large as the recipe asks."""
    import torch

    from assay.after.around import around
    from assay.models.modes import evaluating

    if recipe.predict.tile is None:
        return
    tiled = around(network, recipe.predict.model_copy(update={"crf": None}), [], [])
    try:
        with evaluating(network):
            tiled(torch.zeros(1, *shape))
    except Exception as error:  # whatever a network meets in a size that it was not made for
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise AssayError(f"predict.tile: model '{recipe.model.name}' cannot answer such tiles: {reason}") from None


@contextmanager
def of_variant(job: Job) -> Iterator[None]:
    """A mistake found inside is told with the variant's name."""
    try:
        yield
    except AssayError as error:
        raise AssayError(f"variant '{job.variant}': {error}") from None


@contextmanager
def of_phase(recipe: Recipe, number: int) -> Iterator[None]:
    """A mistake in what a phase of its own freezes is told under the phase's key."""
    try:
        yield
    except AssayError as error:
        if not recipe.train.phases or "freeze" not in recipe.train.phases[number].given:
            raise
        raise AssayError(str(error).replace("model.freeze", f"train.phases.{number}.freeze")) from None
