"""A multilayer perceptron on flattened images."""

import math
from collections import OrderedDict

from torch import nn

from assay.models.layers import Activation, DenseNorm, Dropout, Sizes, dense_layers


def mlp(
    shape: tuple[int, int, int],
    outputs: int,
    *,
    hidden: Sizes = (256, 128),
    activation: Activation = "relu",
    dropout: Dropout = 0.0,
    norm: DenseNorm = "none",
) -> nn.Module:
    """Images of ``shape`` (channels, height, width) → ``outputs`` logits, through dense layers of ``hidden`` sizes.

    Each dense layer is followed by norm, activation and dropout; no ``hidden`` sizes give logistic regression.
    """
    inputs = math.prod(shape)
    return nn.Sequential(
        OrderedDict(
            [
                ("flatten", nn.Flatten()),
                *dense_layers(inputs, hidden, activation, dropout, norm),
                ("output", nn.Linear([inputs, *hidden][-1], outputs)),
            ]
        )
    )
