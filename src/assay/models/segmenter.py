"""What networks that give logits for every pixel have in common: an encoder, and what makes its maps into logits."""

from collections.abc import Sequence

from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from assay.models.encoded import Encoded

Images = Float[Tensor, "batch channels _ _"]
Logits = Float[Tensor, "batch outputs _ _"]


class Segmenter(Encoded):
    """A network in two parts: ``encode`` makes maps of images, ``decode`` makes logits of the maps.

    Images of any size fit: they are padded to the right and below with 0, the mean colour once they are normalised,
    up to the next ``multiple`` and ``least``; logits are brought to the padded size (bilinear, corners not aligned) and
    cropped.
    """

    multiple: int
    least: int = 0
    """Pixels that a padded side must have, a number that ``multiple`` divides."""

    def encode(self, images: Images) -> Sequence[Tensor]:
        """What the rest of the network gets of padded images."""
        raise NotImplementedError

    def decode(self, maps: Sequence[Tensor]) -> Logits:
        """Logits of what ``encode`` gives, at the padded size or a smaller one."""
        raise NotImplementedError

    def forward(self, images: Images) -> Logits:
        """Logits at the size of the images."""
        height, width = images.shape[2:]
        return self.sized(self.decode(self.encode(self.padded(images))), (height, width))

    def padded(self, images: Images) -> Images:
        """The images at a size that the network divides."""
        height, width = images.shape[2:]
        below, right = self._whole(height) - height, self._whole(width) - width
        return functional.pad(images, (0, right, 0, below)) if below or right else images

    def sized(self, logits: Logits, size: tuple[int, int]) -> Logits:
        """The logits of padded images at the size (height, width) that these had before."""
        height, width = map(self._whole, size)
        if logits.shape[2:] != (height, width):
            logits = functional.interpolate(logits, (height, width), mode="bilinear", align_corners=False)
        return logits[..., : size[0], : size[1]]

    def _whole(self, side: int) -> int:
        """A side once it is padded."""
        return max(side + -side % self.multiple, self.least)
