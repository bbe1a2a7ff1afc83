"""An ``.onnx`` file in whole numbers of 8 bits, and what that costs on the test images."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import polars as pl

from assay.data.groups import group_numbers
from assay.recipe.tasks import TASKS
from assay.results.metrics import difference_text, label, value_text
from assay.results.statistics.answers import Answers, tested
from assay.tasks import catalogue
from assay.tasks.contract import Predictions
from assay.tasks.predicting import scores
from assay.tools.answering import Pixels
from assay.tools.export.quiet import quiet
from assay.tools.export.source import Source

CALIBRATION = 200
"""Training images, at most, that say which numbers occur between the layers."""
AT_ONCE = 10


@dataclass(frozen=True)
class Quantised:
    """A file in 8 bits beside the one it was made of."""

    file: Path
    calibration_images: int
    metric: str
    before: float
    after: float
    test_images: int
    difference: float | None = None
    """After less before on the same test images, and below the ends of its paired 95 % interval; None where the metric
    does not exist for them."""
    low: float | None = None
    high: float | None = None
    p: float | None = None
    method: str = ""

    @property
    def in_words(self) -> str:
        """``accuracy 91.2 % → 91.0 % on 10,000 test images, lower by 0.2 ± 0.1 points; calibrated on …``."""
        values = " → ".join(value_text(self.metric, value) for value in (self.before, self.after))
        told = f"{label(self.metric)} {values} on {self.test_images:,} test images"
        if self.difference == self.low == self.high == 0:
            told += ", each answered as well as before"
        elif self.difference is not None:
            way = "lower" if self.difference < 0 else "higher" if self.difference else "changed"
            by = difference_text(self.metric, self.difference, self.low, self.high)
            told += f", {way} by {by} (95 % interval)"
        return f"{told}; calibrated on {self.calibration_images:,} training images"


def write(float_file: Path, file: Path, calibration: Pixels) -> None:
    """Static quantization by onnxruntime: activations in unsigned, weights in signed numbers, one scale a channel.

    Weights take 7 of their 8 bits, so that sums do not overflow on processors without VNNI either.
    """
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    parts = (calibration[start : start + AT_ONCE] for start in range(0, len(calibration), AT_ONCE))

    class Reader(CalibrationDataReader):  # type: ignore[misc]
        def get_next(self) -> dict[str, Pixels] | None:
            part = next(parts, None)
            return None if part is None else {"images": part}

    prepared = file.with_suffix(".prepared.onnx")
    with quiet():
        quant_pre_process(float_file, prepared, skip_symbolic_shape=True)
        quantize_static(
            prepared,
            file,
            Reader(),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            reduce_range=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
        )
    prepared.unlink()


def compared(
    source: Source, file: Path, calibration: int, before: Callable[[Pixels], Any], after: Callable[[Pixels], Any]
) -> Quantised:
    """The task's metric of two networks on all test images, and its difference with a paired interval."""
    task, metric = catalogue.task(source.recipe.task), TASKS[source.recipe.task].metric
    predictions = [said(source, ask) for ask in (before, after)]
    was, now = (scores(each, [metric]).get(metric, float("nan")) for each in predictions)
    names, pattern = source.data.images.names, source.recipe.data.group
    group = None if pattern is None else partial(group_numbers, pattern)

    def evidence(rows: pl.DataFrame) -> Any:
        return task.read(rows).evidence(metric)

    one, other = (Answers(each.table("test", names), task.TRUTH, evidence, group) for each in predictions)
    change = tested(other, one)
    of_change: dict[str, Any] = {} if change is None else change._asdict()
    images = len(source.data.indices["test"])
    return Quantised(file, calibration, metric, was, now, images, **of_change)


def said(source: Source, ask: Callable[[Pixels], Any]) -> Predictions:
    """What a network says of all test images."""
    recipe, data, task = source.recipe, source.data, catalogue.task(source.recipe.task)

    def answers() -> Iterable[Any]:
        rows = data.indices["test"]
        for start in range(0, len(rows), source.batch):
            yield ask(data.images.pixels[rows[start : start + source.batch]])

    return task.gathered(answers(), data, "test", recipe.train.loss, recipe.evaluate)
