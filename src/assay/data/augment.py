"""Random changes of training images, batched by kornia: each image of a batch draws its own.

Images are float in 0…1, before normalisation. What moves in from outside the picture is black (zero), everywhere.
What is true of an image moves with it.
"""

from collections.abc import Callable

from jaxtyping import Float
from torch import Tensor, nn

from assay.data.moving import moved
from assay.data.targets import Target
from assay.errors import AssayError
from assay.recipe import Augmentation

Images = Float[Tensor, "batch channels height width"]
Change = Callable[[Images, Target], tuple[Images, Target]]


def augmenter(augment: tuple[Augmentation, ...], height: int, width: int) -> Change:
    """The augmentations in the recipe's order as one function; it draws from torch's global generator.

    Raises:
        AssayError: ``crop`` by a part of a pixel.
    """
    steps = [_step(a, height, width) for a in augment if a.amount]

    def apply(images: Images, target: Target) -> tuple[Images, Target]:
        for step in steps:
            images = step(images)
            target = moved(target, step, (height, width))
        return images, target

    return apply


def _step(augmentation: Augmentation, height: int, width: int) -> nn.Module:
    """Rotation, translation and zoom resample bilinearly; brightness and contrast follow torchvision's formulas."""
    import kornia.augmentation as K

    a = augmentation.amount
    step: nn.Module
    match augmentation.name:
        case "horizontal_flip":
            step = K.RandomHorizontalFlip(p=a)
        case "vertical_flip":
            step = K.RandomVerticalFlip(p=a)
        case "rotation":
            step = K.RandomAffine(degrees=(-a, a), align_corners=True, p=1.0)
        case "translation":
            step = K.RandomAffine(degrees=0.0, translate=(a, a), align_corners=True, p=1.0)
        case "zoom":
            step = K.RandomAffine(degrees=0.0, scale=(1 - a, 1 + a), align_corners=True, p=1.0)
        case "crop":
            if a != int(a):
                raise AssayError(f"data.augment crop: {a:g} is not a whole number of pixels")
            step = K.RandomCrop((height, width), padding=int(a), p=1.0)
        case "brightness":
            step = K.ColorJitter(brightness=(1 - a, 1 + a), order=(0,), p=1.0)
        case "contrast":
            step = K.ColorJitter(contrast=(1 - a, 1 + a), order=(1,), p=1.0)
        case "erase":
            step = K.RandomErasing(scale=(0.02, 0.33), ratio=(0.3, 3.3), p=a)
        case name:
            raise AssertionError(name)
    return step
