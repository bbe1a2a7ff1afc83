"""The one-dimensional network of a course: three convolutions with pooling on 7 × 500, then two dense layers."""

from torch import nn


def one_dimensional() -> nn.Sequential:
    return nn.Sequential(
        nn.Conv1d(7, 16, 3), nn.ReLU(), nn.MaxPool1d(2),
        nn.Conv1d(16, 32, 5), nn.ReLU(), nn.MaxPool1d(2),
        nn.Conv1d(32, 64, 5), nn.ReLU(), nn.MaxPool1d(2),
        nn.Flatten(), nn.Linear(3776, 128), nn.ReLU(), nn.Linear(128, 5),
    )  # fmt: skip
