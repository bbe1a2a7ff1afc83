"""The first labels that a run speaks against, drawn: what is labelled in the picture, and what the run says instead."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from assay.data.geometry import onto_canvas
from assay.language.script import as_name
from assay.language.speech import say
from assay.report.document import data_address
from assay.results.formats import fixed
from assay.tasks.pictures import thumbnail
from assay.tools.inspection.boxes import SIDE, drawn
from assay.tools.inspection.pictures import Album, Row

SHOWN = 12


def suspect_rows(album: Album) -> list[Row]:
    """A row for each of the first ``SHOWN`` suspects; none where no run was asked."""
    frame, names = album.found.suspects, album.found.images.names
    number = {name: i for i, name in enumerate(names)}
    rows = [] if frame is None else frame.head(SHOWN).rows(named=True)
    return [_row(album, number[row["image"]], row) for row in rows if row["image"] in number]


def _row(album: Album, i: int, row: Mapping[str, Any]) -> Row:
    images, shot = album.found.images, album.shot(i)
    those = [(row["label"], row["labelled"]), (row["box"], row["said"])]
    boxes, classes = zip(*(one for one in those if one[0] is not None), strict=True)
    own = np.array([[float(edge) for edge in box.split(", ")] for box in boxes])
    scale, offset = (np.broadcast_to(each[i], (len(own), 2)) for each in images.placement)
    labels = np.array([images.classes.index(name) for name in classes], np.int64)
    painted = drawn(images.pixels[i], onto_canvas(own, scale, offset), labels, album.colours, bold=1)
    said = replace(shot, source=data_address(thumbnail(painted, SIDE)), truth=row["said"], is_small=False)
    labelled = replace(album.overlaid(shot, i), note=say("labelled"))
    heading = say(", ").join([say(row["kind"]), fixed(row["suspicion"], 2), as_name(row["image"])])
    return Row(heading, [labelled, replace(said, note=say("said"))])
