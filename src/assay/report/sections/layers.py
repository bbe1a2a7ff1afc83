"""Separation on the page: a curve over the depth of the network for each index and split, and how to read it."""

from collections.abc import Iterator, Sequence

import polars as pl

from assay.language.speech import later, say
from assay.recipe.tasks import TASKS
from assay.report.charts import Menu
from assay.report.figures import Figure
from assay.report.section import Grid, Legend, Name, Part, Section, Sentences, Text
from assay.report.sections import layers_charts
from assay.report.subject import Subject
from assay.results.formats import in_title
from assay.separation.in_words import reading

WORDS = {
    "separation": later("separation (SI)"),
    "center": later("centre separation (CSI)"),
    "cross_separation": later("separation from the training images"),
    "cross_center": later("centre separation from the training images"),
    "high_order": later("high-order separation"),
    "soft_order": later("soft-order separation"),
    "anti": later("anti-separation"),
    "smoothness": later("smoothness (SmI)"),
}

OF_CLASSES = later(
    "How well the activations of each layer keep the classes apart: the share of images whose nearest neighbour (SI), "
    "or nearest class mean (CSI), is of their own class. A layer that lowers the curve of the test images mixes "
    "classes up; the layer with the highest one is the one to transfer from."
)
OF_VALUES = later(
    "How well neighbours in the activations of each layer are neighbours in truth: 1 where every image's nearest "
    "neighbour has the nearest values of all, 0 where it has the farthest. Several numbers count together, each in "
    "standard deviations. What chance would give is in the CSV."
)


def section(subject: Subject) -> Section | None:
    """The curves and what they say, and what could not be measured."""
    drawn, noted = list(curves(subject)), remarks(subject)
    parts: list[Part] = []
    if drawn:
        said = [(Name(name, strong=True), f": {text}") for name, text in readings(subject)]
        parts += [Legend(subject.heading, subject.colors), Grid(drawn), *heat_maps(subject), Sentences(said)]
    if noted:
        parts += [Text(say("To note:")), Sentences(noted)]
    caption = [say(OF_VALUES if _is_of_values(subject) else OF_CLASSES)] if drawn else []
    if drawn and subject.seeds > 1:
        caption.append(say("Lines: mean over seeds; bars: from the lowest to the highest seed."))
    return Section("layers", say("Layers"), " ".join(caption), parts) if parts else None


def measured(subject: Subject) -> pl.DataFrame:
    """The rows with a value, of all finished runs."""
    table = subject.stacked("separation")
    return table if table.is_empty() else table.filter(pl.col("value").is_not_null())


def curves(subject: Subject) -> Iterator[Figure]:
    """Each index against the depth of the layer, a line for each variant."""
    table = measured(subject)
    if table.is_empty():
        return
    order = aligned(
        [own.sort("depth")["layer"].unique(maintain_order=True).to_list() for _, own in each_variant(table)]
    )
    rank = {name: i for i, name in enumerate(subject.order)}
    keys = table.select("index", "order", "split").unique(maintain_order=True)
    for index, k, split in keys.iter_rows():
        part = table.filter(
            (pl.col("index") == index) & (pl.col("split") == split) & pl.col("order").eq_missing(pl.lit(k, pl.Int64))
        )
        frame = (
            part.group_by("variant", "layer")
            .agg(
                depth=pl.col("depth").mean(),
                mean=pl.col("value").mean(),
                low=pl.col("value").min(),
                high=pl.col("value").max(),
                chance=pl.col("chance").mean(),
                seeds=pl.len(),
            )
            .sort(pl.col("variant").replace_strict(rank, return_dtype=pl.Int64), "depth")
            .with_columns(pl.col("variant").replace(subject.shown))
        )
        named = f"{say(WORDS[index])}{f', k = {k}' if k else ''}"
        yield Figure(
            f"layers-{index}{f'-{k}' if k else ''}-{split}",
            say("{index}, {split} images", index=in_title(named), split=say(split)),
            "",
            say(
                "{index} of {n} layers on {split} images; the numbers are in the CSV.",
                index=named,
                n=frame["layer"].n_unique(),
                split=say(split),
            ),
            layers_charts.layer_curves(frame, order, named, subject.colors),
            frame,
            wide=len(order) > 10,
            legend=False,
        )


def heat_maps(subject: Subject) -> Iterator[Figure]:
    """The first index on the first split that is not training, layer × epoch, where the runs tracked it."""
    table = subject.stacked("separation_by_epoch")
    if table.is_empty():
        return
    split = next((name for name in ("test", "validation") if name in table["split"]), table["split"][0])
    table = table.filter(pl.col("split") == split)
    index, k = table.select("index", "order").row(0)
    table = table.filter((pl.col("index") == index) & pl.col("order").eq_missing(pl.lit(k, pl.Int64)))
    variants = [name for name in subject.order if name in table["variant"]]
    order = aligned(
        [own.sort("depth")["layer"].unique(maintain_order=True).to_list() for _, own in each_variant(table)]
    )
    frame = (
        table.group_by("variant", "epoch", "layer")
        .agg(
            depth=pl.col("depth").mean(),
            mean=pl.col("value").mean(),
            low=pl.col("value").min(),
            high=pl.col("value").max(),
        )
        .sort("variant", "epoch", "depth")
        .with_columns(pl.col("variant").replace(subject.shown))
    )
    names = [subject.shown[name] for name in variants]
    named = f"{say(WORDS[index])}{f', k = {k}' if k else ''}"
    yield Figure(
        "layers-by-epoch",
        say("{index} while learning, {split} images", index=in_title(named), split=say(split)),
        say(
            "Read a column from top to bottom as the way of an image through the network after that epoch. The darker, "
            "the better {what}; a row that stays pale has learned nothing.",
            what=say("neighbours agree") if _is_of_values(subject) else say("the classes are kept apart"),
        ),
        say(
            "{index} of {n} layers over the epochs on {split} images; the numbers are in the CSV.",
            index=named,
            n=len(order),
            split=say(split),
        ),
        layers_charts.layer_epochs(frame, order, Menu(subject.key, names, names[0]), named),
        frame,
        legend=False,
    )


def _is_of_values(subject: Subject) -> bool:
    return TASKS[subject.results.study.task].target == "values"


def each_variant(table: pl.DataFrame) -> Iterator[tuple[str, pl.DataFrame]]:
    """The rows of each variant."""
    for name in table["variant"].unique(maintain_order=True):
        yield name, table.filter(pl.col("variant") == name)


def aligned(sequences: Sequence[Sequence[str]]) -> list[str]:
    """One order of all names that keeps the order of each sequence: a new name follows its predecessor."""
    merged: list[str] = []
    for sequence in sequences:
        place = 0
        for name in sequence:
            if name in merged:
                place = merged.index(name) + 1
            else:
                merged.insert(place, name)
                place += 1
    return merged


def readings(subject: Subject) -> list[tuple[str, str]]:
    """For each variant, by its name on the page, where separation peaks and which layers lower it in its first seed."""
    table = measured(subject)
    if table.is_empty():
        return []
    split = "test" if "test" in table["split"] else table["split"][0]
    index = "separation" if "separation" in table["index"] else table["index"][0]
    found = []
    for name, own in each_variant(table):
        seeds = own["seed"].unique().sort().to_list()
        text = reading(own.filter(pl.col("seed") == seeds[0]), index, split)
        of_seed = say("{text} (Seed {seed}.)", text=text, seed=seeds[0])
        found.append((subject.shown[name], of_seed if len(seeds) > 1 else text))
    return found


def remarks(subject: Subject) -> list[str]:
    """What could not be measured, and why (``attn_drop, norm: the forward pass never calls it``), and other notes."""
    table = subject.stacked("separation")
    if table.is_empty():
        return []
    without = table.filter(pl.col("reason").is_not_null())
    reasons = without.group_by("reason", maintain_order=True).agg(
        pl.col("layer").drop_nulls().unique(maintain_order=True)
    )
    return [": ".join(filter(None, [", ".join(row["layer"]), row["reason"]])) for row in reasons.iter_rows(named=True)]
