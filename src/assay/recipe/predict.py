"""What happens to a network's answers once it is trained."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, PositiveInt, model_validator

from assay.recipe.crf import Crf
from assay.recipe.section import Section

MAPS = ("tile", "crf")
"""The keys that need a network whose answer is a map."""


def _unless_none(value: Any) -> Any:
    return None if value == "none" else value


class Predict(Section):
    """What answers for a trained network: the final predictions, those of new pictures, what measures them.

    Every key is left out of the dump where it asks for nothing, so that a later key changes no earlier recipe.
    """

    flip: bool = Field(default=False, exclude_if=lambda flip: not flip)
    """The mean of the outputs for a picture and for its mirror image."""
    tile: Annotated[PositiveInt | tuple[PositiveInt, PositiveInt] | None, BeforeValidator(_unless_none)] = Field(
        default=None, exclude_if=lambda tile: tile is None, description="none, or height and width in pixels"
    )
    """Height and width of the parts of a canvas that are answered one after the other (one number: square)."""
    overlap: Annotated[float, Field(ge=0, le=0.9)] = Field(default=0.25, exclude_if=lambda overlap: overlap == 0.25)
    """The share of a tile that its neighbour has too, at least."""
    crf: Annotated[Crf | Literal["tune"] | None, BeforeValidator(_unless_none)] = Field(
        default=None, exclude_if=lambda crf: crf is None, description="none, tune, or settings such as bilateral: 3"
    )
    """A conditional random field that sharpens maps; ``tune`` chooses its settings, or none, on validation images."""

    @model_validator(mode="after")
    def _tiles_overlap(self) -> "Predict":
        if self.tile is None and self.overlap != 0.25:
            raise ValueError("overlap is of tiles, and the key tile is missing")
        return self

    @property
    def asks(self) -> bool:
        """Whether anything but the network itself answers."""
        return self != Predict()

    @property
    def of_maps(self) -> tuple[str, ...]:
        """The keys asked for that need a network whose answer is a map."""
        return tuple(key for key in MAPS if getattr(self, key) is not None)
