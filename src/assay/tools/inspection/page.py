"""Writes an inspection: ``index.html``, which opens anywhere without a network, and everything on it as CSV."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from assay.data import ImageSet
from assay.data.boxes import Boxes
from assay.data.targets import Labels, Masks, Tags, Values
from assay.language.script import as_name
from assay.language.speech import SOURCE, Language, say, speaking, spoken
from assay.report.document import Files, document, table_files, write_page
from assay.report.figures import Figure
from assay.report.tables import Table, csv, skipped_table
from assay.results.names import listed as enumerated
from assay.tools.inspection import contents
from assay.tools.inspection.charts import SPLITS
from assay.tools.inspection.copies import AROUND, SIDE
from assay.tools.inspection.in_words import images_text, share
from assay.tools.inspection.inspecting import Inspection, split_names
from assay.tools.inspection.leaks import Leak
from assay.tools.inspection.pictures import CLASSES, PAIRS, Album, Row, spread
from assay.tools.inspection.suspect_pictures import suspect_rows
from assay.tools.inspection.told import Told, told
from assay.tools.inspection.truth import kind, strata_in_words
from assay.tools.inspection.verdict import pixels_tell, verdict


@dataclass(frozen=True)
class Shown:
    """What is shown as figures and tables, in the language of the page."""

    told: Told
    figures: Mapping[str, Figure]
    tables: Mapping[str, Table]


def write_inspection(found: Inspection, folder: Path, command: str = "", language: Language = SOURCE) -> Path:
    """Write the page in a language, and its tables and figures in English, into ``folder``; returns the path of
    ``index.html``."""
    source, leak = shown(found), shown_leak(found)
    beside = files(found, source.told.frames, source.tables.values(), source.figures.values(), leak)
    with speaking(language):
        page, written = _page(found, source, leak, beside, command)
    return write_page(folder, page, written)


def shown(found: Inspection) -> Shown:
    """Figures and tables by name."""
    channels, values = contents.channels(found)
    about = told(found)
    figures = {each.name: each for each in (*about.figures, values, contents.closeness_figure(found))}
    tables: dict[str, Table] = {each.name: each for each in (*about.tables, channels)}
    if found.images.skipped:
        tables["skipped"] = skipped_table(found.images.skipped)
    return Shown(about, figures, tables)


def _page(found: Inspection, source: Shown, leak: Leak | None, beside: Files, command: str) -> tuple[str, Files]:
    here = source if spoken() == SOURCE else shown(found)
    album, k = Album(found), found.copies.neighbors.shape[1]
    crossing = found.crossing[spread(found.copies.closeness_of(*found.crossing.T))[0]]
    groups = strata_in_words(found.images)
    return document(
        "tools/inspection/page.html.j2",
        list(here.figures.values()),
        beside,
        paper=list(source.figures.values()),
        title=say("What is in {name}?", name=as_name(Path(found.data.source).name)),
        verdict=verdict(found),
        facts=facts(found),
        proposal=proposal(found),
        leaks=leak_pictures(found, album, leak) if leak is not None and len(leak) else None,
        originals=album.originals(),
        families=album.families(),
        crossing=album.pairs(crossing[:, 0], crossing[:, 1]),
        conflicts=album.pairs(*found.conflicts[:PAIRS].T),
        doubts=album.doubts(),
        has_labels=found.scores is not None,
        capped=k if found.scores is not None and found.scores.min() == -k else 0,
        trust=trust(found),
        told=here.told,
        kind=found.images.targets.kind,
        kinds=kind(found.images),
        suspects=suspect_rows(album),
        sample=album.sample(),
        legend=album.legend(),
        more_classes=len(groups) if len(groups) > CLASSES else 0,
        figures=here.figures,
        tables=here.tables,
        threshold=f"{found.copies.threshold:.2f}",
        around=min(AROUND, k),
        side=SIDE,
        chosen=found.chosen,
        command=command,
    )


def files(
    found: Inspection,
    told_of: Mapping[str, pl.DataFrame],
    tables: Iterable[Table],
    figures: Iterable[Figure],
    leak: Leak | None,
) -> Files:
    """What is on the page, and every image, copy and doubt that is not, as files beside it."""
    frames = {
        "images": contents.image_frame(found),
        "copies": contents.copy_frame(found),
        **told_of,
    }
    if found.scores is not None:
        frames["doubtful"] = contents.doubt_frame(found)
    if leak is not None:
        frames["leaks"] = contents.leak_frame(found, leak)
    if found.grouping is not None:
        frames["originals"] = contents.original_frame(found)
    beside = table_files(tables)
    beside |= {f"tables/{name}.csv": csv(each) for name, each in frames.items()}
    return beside | {f"figures/{figure.name}.csv": csv(figure.frame) for figure in figures}


def shown_leak(found: Inspection) -> Leak | None:
    """The leak of the source's own split, else of the grouped split if groups were asked for, else of a random one."""
    if found.own_split is not None:
        return found.own_split
    given = found.grouping is not None and found.grouping.given
    return found.grouped_split if given else found.random_split


def leak_pictures(found: Inspection, album: Album, leak: Leak) -> dict[str, str | bool | list[Row]]:
    """The words and the pairs of the section on leaks: those that differ first."""
    closest, widest = spread(found.copies.closeness_of(leak.test, leak.train) - leak.other_label)
    notes = say("test"), say("training")
    pictures: dict[str, str | bool | list[Row]] = {
        "other": bool(leak.other_label.any()),
        "closest": album.pairs(leak.test[closest], leak.train[closest], notes),
        "widest": album.pairs(leak.test[widest], leak.train[widest], notes),
    }
    of = {"n": len(leak), "all": leak.held_out, "share": share(len(leak), leak.held_out)}
    text = (
        say("{n:,} of {all:,} test images ({share}), each beside its nearest copy in training.", **of)
        if found.own_split is not None
        else say(
            "{n:,} of {all:,} images held out at random ({share}), each beside its nearest copy in training.", **of
        )
    )
    return {"caption": text + say(" Over each pair its closeness, 0 for equal ones."), **pictures}


def proposal(found: Inspection) -> str:
    """The lines for the recipe, if the names suggest groups."""
    if found.grouping is None or found.grouping.given:
        return ""
    quoted = found.grouping.pattern.replace("'", "''")
    across = found.own_split is not None and found.own_split.named
    return f"group: '{quoted}'" + ("\ngroup_across: allowed" if across else "")


def facts(found: Inspection) -> str:
    """``2,065 images · 2 classes · 256 × 256 pixels, gray · no test split of its own``."""
    n, c, h, w = found.images.pixels.shape
    numbers = Counter(split_names(found))
    splits = [f"{numbers[name]:,} {say(name)}" for name in SPLITS if numbers[name]]
    parts = [
        say("{splits} images", splits=enumerated(splits)) if len(splits) > 1 else images_text(n),
        _told_of(found.images),
        say("{w} × {h} pixels, {colours}", w=w, h=h, colours=say("gray") if c == 1 else "RGB"),
        "" if found.has_test else say("no test split of its own"),
    ]
    return " · ".join(part for part in parts if part)


def _told_of(images: ImageSet) -> str:
    n = len(images.classes)
    match images.targets:
        case Values(_, names):
            return say("numbers: {names}", names=say(", ").join(map(as_name, names)))
        case Tags():
            return say("{n} tags", n=n)
        case Labels() | Masks() | Boxes():
            return say("{n} classes", n=n)
    return kind(images)


def trust(found: Inspection) -> str:
    """How much the sample scores are worth here."""
    shares = {"agreement": f"{100 * found.agreement:.0f} %", "chance": f"{100 * found.chance:.0f} %"}
    text = say("Here {agreement} of the images agree with their nearest one ({chance} by chance)", **shares)
    if pixels_tell(found):
        return text + say("; these are worth a look.")
    return text + say(": pixels alone say little about labels.")
