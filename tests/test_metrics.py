"""What is known of a metric by its name."""

import math

import pytest

from assay.results.metrics import bounds
from assay.results.statistics import mean_interval


@pytest.mark.parametrize(
    ("metric", "ends"),
    [
        ("accuracy", (0, 1)),
        ("accuracy_at_90_plain", (0, 1)),
        ("roc_auc_macro", (0, 1)),
        ("average_precision", (0, 1)),
        ("auroc_injected", (0, 1)),
        ("adaptive_ece_plain", (0, 1)),
        ("aurc_temperature", (0, 1)),
        ("si_test", (0, 1)),
        ("csi_train", (0, 1)),
        ("brier_plain", (0, 2)),
        ("validation_nll_plain", (0, math.inf)),
        ("loss", (0, math.inf)),
        ("training_seconds", (0, math.inf)),
        ("inference_images_per_second", (0, math.inf)),
        ("parameters", (0, math.inf)),
        ("dropout_rate", (0, 1)),
        ("temperature", (0, math.inf)),
        ("size_of_something", (-math.inf, math.inf)),
    ],
)
def test_a_metric_stays_in_its_range(metric: str, ends: tuple[float, float]) -> None:
    assert bounds(metric) == ends


def test_no_interval_leaves_the_range() -> None:
    found = mean_interval([0.99, 0.95, 0.999], within=bounds("auroc_plain"))
    assert found.high == 1
    assert mean_interval([0.01, 0.03, 0.004], within=bounds("ece_plain")).low == 0
