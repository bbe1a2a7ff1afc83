"""The section of the page on what is true of the images: classes, tags or numbers."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import polars as pl

from assay.data.boxes import Boxes
from assay.data.targets import Labels, Masks, Tags, Values
from assay.language.speech import say
from assay.report.figures import Figure
from assay.report.tables import Table
from assay.tools.inspection import boxes, masks, numbers, suspects, tags
from assay.tools.inspection.classes import class_figure, class_frame, class_table
from assay.tools.inspection.inspecting import Inspection


@dataclass(frozen=True)
class Told:
    """Figures and tables under a heading, and what else is written beside the page."""

    heading: str
    figures: Sequence[Figure] = ()
    tables: Sequence[Table] = ()
    frames: dict[str, pl.DataFrame] = field(default_factory=dict)


def told(found: Inspection) -> Told:
    """What there is to show of the kind of thing that is true of the images."""
    match found.images.targets:
        case Labels() | Tags():
            heading = say("Tags") if isinstance(found.images.targets, Tags) else say("Classes")
            frame = class_frame(found)
            return Told(heading, [class_figure(found, frame)], [class_table(found, frame)], {"class-counts": frame})
        case Values() as values:
            far = numbers.outliers(found, values)
            tables = [numbers.summary(values), *([numbers.outlier_table(far)] if len(far) else [])]
            return Told(say("Numbers"), numbers.figures(values), tables)
        case Masks() as those:
            frame = masks.pixel_frame(found, those)
            return Told(
                say("Classes"), [masks.pixel_figure(frame)], [masks.pixel_table(frame)], {"class-pixels": frame}
            )
        case Boxes() as boxed:
            frame, twice = boxes.box_frame(found, boxed), boxes.double_frame(found, boxed)
            tables = [boxes.box_table(frame), *([boxes.double_table(twice)] if len(twice) else [])]
            if found.suspects is not None:
                tables.append(suspects.suspect_table(found.suspects))
            return Told(say("Boxes"), [boxes.box_figure(frame)] if len(frame) else [], tables)
    return Told(found.images.targets.kind.capitalize())


def sentences(found: Inspection) -> list[str]:
    """What a reader should know of it."""
    match found.images.targets:
        case Values() as values:
            return numbers.sentences(found, values)
        case Tags() as those:
            return tags.sentences(found, those)
        case Masks() as drawn:
            return masks.sentences(found, drawn)
        case Boxes() as boxed:
            said = [] if found.suspects is None else suspects.sentences(found.suspects)
            return [*said, *boxes.sentences(found, boxed)]
    return []
