"""Answers that are maps or boxes, drawn into a folder."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from assay.tasks.contract import Told
from assay.tasks.detection.prediction import Prediction as Boxes
from assay.tasks.segmentation.prediction import Prediction
from assay.tools.pictures import Picture
from assay.tools.predict_boxes import drawn_boxes
from assay.tools.predict_maps import write_drawings


@dataclass(frozen=True)
class Drawn:
    """An answer of which only the words are kept, and the files in which it is drawn."""

    picture: Path
    cells: dict[str, str]
    record: dict[str, Any]


@dataclass(frozen=True)
class Drawing:
    """Draws each answer into a folder, or, without one, forgets its map."""

    folder: Path | None = None
    names: set[str] = field(default_factory=set)
    """That are taken."""

    def __call__(self, answer: Told, picture: Picture) -> Told:
        """The words of an answer, of boxes the boxes; its drawings are in the folder."""
        if self.folder is not None and isinstance(answer, Boxes):
            return drawn_boxes(answer, picture, self.folder / self._free(picture.path.stem))
        if not isinstance(answer, Prediction):
            return answer
        record = answer.record
        if self.folder is not None:
            files = write_drawings(answer, picture, self.folder / self._free(picture.path.stem))
            record |= {"files": {kind: path.name for kind, path in files.items()}}
        return Drawn(answer.picture, answer.cells, record)

    def _free(self, stem: str) -> str:
        number, name = 1, stem
        while name in self.names:
            number += 1
            name = f"{stem}-{number}"
        self.names.add(name)
        return name
