"""The images that a network off the shelf was made for."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Inputs:
    """Size and normalisation of RGB images."""

    size: tuple[int, int]
    """Height and width in pixels."""
    mean: tuple[float, ...]
    """Per channel, of pixels in 0…1."""
    std: tuple[float, ...]
