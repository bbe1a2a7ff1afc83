"""The model card of an exported network, in Markdown with the front matter of the Hugging Face hub."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import polars as pl
from huggingface_hub import ModelCardData

from assay.data.groups import group_numbers
from assay.data.sources.catalogue import SOURCES
from assay.data.sources.known import Known
from assay.errors import enumerated
from assay.recipe.tasks import TASKS, answered
from assay.recipe.yaml_files import dump_yaml
from assay.results.metrics import in_order, is_of_one, known, label, value_text
from assay.results.statistics.evidence import bootstrap
from assay.system.files import read_object
from assay.tasks import catalogue
from assay.tasks.scores import Drawn, PerDraw
from assay.tools.export.description import of_weights
from assay.tools.export.exported import Exported
from assay.tools.export.licence import licence
from assay.tools.export.source import Source
from assay.tools.export.usage import usage
from assay.tools.export.weights_files import is_timms

PIPELINES = {
    "classification": "image-classification",
    "multilabel": "image-classification",
    "segmentation": "image-segmentation",
    "detection": "object-detection",
}
"""Task → what the hub calls it."""


def card(source: Source, found: Exported) -> str:
    """What the network was trained on, how well it does, what was not measured, whose its weights are, its use."""
    parts = [
        f"---\n{front_matter(source)}\n---",
        f"# {source.description['run']}",
        f"{TASKS[source.recipe.task].what.capitalize()}, by `{source.recipe.model.name}`: a run of assay "
        f"{source.description['assay']}, written as {found.format}.",
        section("Data", data(source)),
        section("How well it does", metrics(source)),
        section("How it was checked", check(found)),
        section("What was not measured", limits(source)),
        section("Licence of the weights", [licence(source.recipe, environment(source).get("pretrained", {}))]),
        section("How to use it", use(source, found)),
        section("Recipe", [f"```yaml\n{dump_yaml(source.recipe.dump())}```"]),
    ]
    return "\n\n".join(parts) + "\n"


def section(title: str, paragraphs: list[str]) -> str:
    """A heading and what stands below it."""
    return "\n\n".join([f"## {title}", *paragraphs])


def front_matter(source: Source) -> str:
    """What the hub reads."""
    timms = source.recipe.model.name.startswith("timm/")
    values = ModelCardData(
        library_name="timm" if timms else None,
        pipeline_tag=PIPELINES.get(source.recipe.task),
        tags=["assay", source.recipe.task],
    )
    return values.to_yaml().strip()


def environment(source: Source) -> dict[str, Any]:
    """What the run was made on and begun from."""
    return read_object(source.run / "environment.json", missing={})


def data(source: Source) -> list[str]:
    """Where the images come from, how many there are, and of what."""
    about, recipe = source.about, source.recipe
    counts = ", ".join(f"{number:,} {split}" for split, number in about["counts"].items() if number)
    channels, height, width = about["shape"]
    colour = "gray" if channels == 1 else "RGB"
    classes = about["classes"]
    named = SOURCES.get(recipe.data.source, Known("", ""))
    lines = [
        f"- source: `{recipe.data.source}`; licence of the images: {named.licence}",
        f"- images: {counts}; seed {recipe.seed}"
        + (f"; originals, by `{recipe.data.group}`, are on one side of every cut" if recipe.data.group else ""),
        f"- seen as {height}×{width} pixels (height×width), {colour}, fit `{recipe.data.fit}`",
        f"- {'targets' if recipe.task == 'regression' else 'classes'} ({len(classes)}): {enumerated(classes, 30)}",
    ]
    if named.cite:
        lines.append(f"- cite: {named.cite}")
    if about.get("skipped"):
        lines.append(f"- {len(about['skipped']):,} images could not be read and were left out")
    return ["\n".join(lines)]


def metrics(source: Source) -> list[str]:
    """Every metric of the test images with its interval."""
    rows = [f"| {label(name)} | {text} |" for name, text in with_intervals(source)]
    if not rows:
        return ["Nothing was measured."]
    images = source.about["counts"].get("test", 0)
    said = (
        f"On {images:,} test images; ± and brackets are 95 % bootstrap intervals over these images: what other images "
        "like them would change, not what training again would."
    )
    return ["\n".join(["| metric | value |", "| --- | --- |", *rows]), said, *seeds(source)]


def with_intervals(source: Source) -> Iterator[tuple[str, str]]:
    """Metric → its value with an interval, of those that are properties of the answers to the test images."""
    table = source.predictions.filter(pl.col("split") == "test")
    said, pattern = catalogue.task(source.recipe.task).read(table), source.recipe.data.group
    groups = None if pattern is None else group_numbers(pattern, table["name"].to_list())
    numbers = {name for name, value in source.measured.items() if isinstance(value, int | float)}
    for name in in_order(n for n in numbers if known(n).of == "answers" and not is_of_one(n)):
        if (score := said.evidence(name)) is not None:
            value, low, high = bootstrap(score, nothing, table.height, groups)
            if value is not None:
                yield name, value_text(name, value, low, high)


def nothing(weights: PerDraw) -> Drawn:
    """A metric that is always 0, so that a difference to it is the metric itself."""
    return np.zeros(len(weights))


def seeds(source: Source) -> list[str]:
    """What the other seeds of the same variant reached, in a sentence."""
    metric = TASKS[source.recipe.task].metric
    others = [path for path in sorted(source.run.parent.glob("seed-*/metrics.json")) if path.parent != source.run]
    values = [value for path in others if isinstance(value := read_object(path).get(metric), int | float)]
    if not values:
        return ["One seed was trained: how much another one would change is not known."]
    told = enumerated([value_text(metric, value) for value in values])
    return [f"Trained the same with {len(values)} other seed{'s' * (len(values) > 1)}: {label(metric)} {told}."]


def check(found: Exported) -> list[str]:
    """The file against torch, and 8 bits against 32."""
    checked = found.checked
    lines = [f"The file {checked.in_words}." if checked else "The weights are the run's own, byte for byte."]
    if found.opset:
        lines.append(f"ONNX, opset {found.opset}.")
    if found.int8:
        lines.append(f"`{found.int8.file.name}`: {found.int8.in_words}.")
    return lines


def use(source: Source, found: Exported) -> list[str]:
    """The lines that load the file, what goes in and what comes out."""
    to = found.format
    if to == "hub":
        to = "timm" if is_timms(source) else "safetensors"
    told = source.description if to in ("onnx", "torch-export") else of_weights(source.description)
    return usage(told, to, found.file.name)


def limits(source: Source) -> list[str]:
    """What nobody should conclude from the numbers."""
    recipe = source.recipe
    have = {measure.name for measure in recipe.evaluate}
    lacking = [name for name in TASKS[recipe.task].measures if name not in have and name != "cost"]
    lines = [
        f"- Images from elsewhere: all numbers are of images of `{recipe.data.source}`. Other cameras, places or times "
        "may change them, and by how much was not measured."
    ]
    if recipe.task in ("classification", "segmentation"):
        lines.append("- What is none of the classes: it is answered with one of them all the same.")
    if answered(recipe.task) != "boxes" and recipe.task != "regression":
        has = "measured, and is not applied in the file" if "uncertainty" in have else "not measured"
        lines.append(f"- Calibration: whether a probability of 0.9 is right nine times of ten was {has}.")
    if lacking:
        lines.append(f"- Not asked of this run: {enumerated(lacking)}.")
    return ["\n".join(lines)]
