"""The dense conditional random field that sharpens a segmentation: what it is told."""

from pydantic import PositiveInt

from assay.recipe.section import NonNegative, Positive, Section


class Crf(Section):
    """Pixels that are near and of like colour vote for each other's class, and so do pixels that are near."""

    bilateral: NonNegative = 3.0
    """Weight of the votes by place and colour."""
    position: Positive = 40.0
    """How far these reach, as a standard deviation in pixels of the canvas."""
    color: Positive = 5.0
    """How like in colour, as a standard deviation in levels of 0 to 255."""
    spatial: NonNegative = 1.0
    """Weight of the votes by place alone, which smooth."""
    sigma: Positive = 3.0
    """How far these reach, in pixels of the canvas."""
    iterations: PositiveInt = 5
    """Of mean field."""
