"""Maps of a picture: labels as PNG of a palette, in which a pixel's value is its class, and entropies."""

from io import BytesIO

import numpy as np
import torch
from jaxtyping import Float32, UInt8
from PIL import Image
from torch import Tensor

LabelMap = UInt8[np.ndarray, "height width"]


def png(labels: LabelMap, palette: UInt8[np.ndarray, "numbers 3"]) -> bytes:
    """As PNG whose pixels are the numbers, in the colours of ``palette``."""
    image, buffer = Image.fromarray(labels, mode="P"), BytesIO()
    image.putpalette(palette.tobytes())
    image.save(buffer, format="PNG", compress_level=3)
    return buffer.getvalue()


def decoded(png: bytes) -> LabelMap:
    """The inverse."""
    return np.array(Image.open(BytesIO(png)))


def entropy(logits: Float32[Tensor, "classes height width"]) -> Float32[Tensor, "height width"]:
    """−Σ p·log p of each pixel's probabilities, in nats; a probability of 0 adds nothing."""
    logs = logits.log_softmax(dim=0)
    return -(logs.exp() * logs.clamp(min=torch.finfo(logs.dtype).min)).sum(dim=0)
