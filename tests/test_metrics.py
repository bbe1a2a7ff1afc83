"""What is known of a metric by its name."""

import json
import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from torch import nn

from assay.data import ImageData, ImageSet
from assay.data.boxes import Boxes
from assay.evaluate import measure
from assay.models import build
from assay.recipe import Model
from assay.results import Results, formats
from assay.results.metrics import (
    METRICS,
    bounds,
    comparative,
    in_order,
    known,
    label,
    lower_is_better,
    superlative,
    value_text,
)
from assay.results.statistics.intervals import mean_interval
from assay.runs.folder import Folder
from assay.runs.run import measure_and_save
from assay.tasks.metric import Metric
from labelled import masked_data, random_masks
from synthetic import fabricate, make_study
from tiny_detector import tiny_detector
from trained import image_data, tagged_data, trained
from valued import trained as valued_trained
from valued import value_data

EVERYTHING = [
    {"name": "classification", "top_k": [1, 5]},
    "curves",
    "cost",
    {
        "name": "separation",
        "splits": ["train", "validation", "test"],
        "indices": ["separation", "center", "cross_separation", "cross_center"],
    },
    {"name": "uncertainty", "passes": 2},
]
OF_VALUES = [
    "regression",
    {"name": "separation", "splits": ["train", "validation", "test"]},
    {"name": "uncertainty", "passes": 2},
]


@pytest.fixture(scope="module")
def measured() -> list[str]:
    """The names of all the numbers that the measures find of a network with dropout."""
    data = image_data(classes=6, train=24, validation=12, test=12)
    network = build(Model(name="mlp", hidden=[8], dropout=0.5), data.shape, 6)
    assert any(isinstance(part, nn.Dropout) for part in network.modules())
    found = measure(trained(data, network, evaluate=EVERYTHING))
    found |= measure(trained(tagged_data(), task="multilabel", evaluate=["multilabel", "curves"]))
    numbers = value_data(np.random.default_rng(0).random((48, 2)), ("age", "weight, kg"))
    for valued in (value_data(), numbers):
        found |= measure(valued_trained(valued, evaluate=OF_VALUES))
    masks = random_masks(np.random.default_rng(0), 3, 16, 16)
    for border in ({}, {"border": 5}):
        pixels = {"task": "segmentation", "evaluate": [{"name": "segmentation", **border}, "uncertainty"]}
        found |= measure(trained(masked_data(masks), nn.Conv2d(1, 3, 1), **pixels))
    found |= measure(trained(boxed_data(), tiny_detector((1, 160, 160), 2), task="detection"))
    found |= dict.fromkeys(("proposal_recall", "proposal_recall_cell"), 1.0)  # of R-CNN alone: test_proposal_recall.py
    return [name for name, value in found.items() if isinstance(value, int | float)]


def boxed_data() -> ImageData:
    """Three pictures for each split, with a small, a medium and a large box each."""
    edges = np.array([[8, 8, 28, 28], [40, 40, 100, 100], [20, 20, 150, 150]] * 9, np.float32)
    boxes = Boxes(edges, np.arange(27) % 2, np.zeros(27, np.uint8), np.arange(0, 28, 3))
    pixels = np.random.default_rng(0).integers(0, 256, (9, 1, 160, 160), dtype=np.uint8)
    names = [f"{i}.png" for i in range(9)]
    images = ImageSet(pixels, boxes, names, np.zeros(9, bool), ["cell", "spot"], [])
    splits = ("train", "validation", "test")
    rows = {split: np.arange(3 * i, 3 * i + 3) for i, split in enumerate(splits)}
    return ImageData(images, rows, np.full(1, 0.5, np.float32), np.full(1, 0.25, np.float32))


def rows_of(name: str) -> list[Metric]:
    return [row for row in METRICS if row.called(name)]


def test_every_number_that_is_measured_has_one_row(measured: list[str]) -> None:
    assert len(measured) > 60
    assert {name: len(rows_of(name)) for name in measured} == dict.fromkeys(measured, 1)


def test_every_row_is_of_something_that_is_measured(measured: list[str]) -> None:
    assert not [row.name for row in METRICS if not any(map(row.called, measured))]


def test_every_number_of_a_fabricated_study_has_one_row(tmp_path: Path) -> None:
    study = fabricate(tmp_path, make_study(1, 1), classes=[f"class {i}" for i in range(6)])
    names = Results.read(study).metric_names
    assert "top_5_accuracy" in names
    assert {name: len(rows_of(name)) for name in names} == dict.fromkeys(names, 1)


def test_rows_say_what_there_is_to_say() -> None:
    assert len({row.name for row in METRICS}) == len(METRICS)
    for row in METRICS:
        assert row.of is not None
        assert row.of != "calibration" if row.better else row.of in ("calibration", "recipe")
        assert (row.unit == "share") <= (row.within in ((0, 1), (-1, 1)))


@pytest.mark.parametrize(
    "name",
    [
        "my_accuracy_seconds", "accuracy_", "test_accuracy", "top_0_accuracy", "top_five_accuracy",
        "top_5_accuracy_macro", "top_5_accuracy\n", "nll", "nll_other", "my_nll_plain", "si_testing",
        "cross_si_train", "unsure_below_plain", "own_parameters", "features_seconds", "top_{k}_accuracy", "",
        "r2_", "coverage_70_plain", "maes", "width_90_trained",
    ],
)  # fmt: skip
def test_of_a_name_in_no_table_nothing_is_guessed(name: str) -> None:
    assert known(name) == Metric(name, name.replace("_", " "))
    assert formats.heading(name) == name.replace("_", " ")
    assert formats.value(0.25, name) == "0.2500"


def test_a_family_is_called_as_its_member() -> None:
    family = Metric("ap.{label}_at_{k}", "AP of {label} ({k})", "higher", where={"label": ".+", "k": "[0-9]+"})
    called = family.called("ap.red_cell {x}_at_50")
    assert called is not None
    assert (called.name, called.said, called.better) == ("ap.red_cell {x}_at_50", "AP of red_cell {x} (50)", "higher")
    assert family.called("apxred_at_50") is None
    assert family.called("ap.red_at_") is None


def test_the_higher_of_two_unknown_values_stands_first() -> None:
    for name in ("own_measure", "temperature"):
        assert known(name).better is None
        assert not lower_is_better(name)
        assert superlative(name, "a") == f"a has the highest {label(name)}"
        assert comparative(name, "a", "b") == f"a has a higher {label(name)} than b"


def test_metrics_stand_in_the_order_of_the_tables_and_strangers_at_the_end() -> None:
    names = ["zeta", "si_train", "nll_plain", "own", "macs", "top_5_accuracy", "loss", "accuracy", "nll_injected"]
    ordered = ["accuracy", "top_5_accuracy", "loss", "macs", "si_train", "nll_injected", "nll_plain", "own", "zeta"]
    assert in_order(names) == ordered


def test_readings_of_the_clock_stand_apart_from_what_a_seed_repeats(tmp_path: Path) -> None:
    measure_and_save(Folder(tmp_path), trained())
    timing, rest = (json.loads((tmp_path / name).read_text()) for name in ("timing.json", "metrics.json"))
    assert set(timing) == {"training_seconds", "inference_images_per_second"}
    assert {"accuracy", "parameters", "confusion_matrix"} <= rest.keys()
    assert not timing.keys() & rest.keys()


def test_what_is_known_is_read_without_torch_or_numpy() -> None:
    code = "import sys, assay.results.metrics; sys.exit(bool({'torch', 'numpy', 'polars'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


@pytest.mark.parametrize(
    ("metric", "ends"),
    [
        ("accuracy", (0, 1)),
        ("accuracy_at_90_plain", (0, 1)),
        ("roc_auc_macro", (0, 1)),
        ("average_precision_macro", (0, 1)),
        ("auroc_injected", (0, 1)),
        ("adaptive_ece_plain", (0, 1)),
        ("aurc_temperature", (0, 1)),
        ("si_test", (0, 1)),
        ("csi_train", (0, 1)),
        ("cross_si_test", (0, 1)),
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


def test_an_interval_that_a_bound_cuts_is_told_by_its_ends() -> None:
    """Half of what is left of a cut interval would claim more than was found."""
    cut = mean_interval([0.99, 0.9, 0.97], within=bounds("r2"))
    assert cut.high == 1.0
    assert value_text("r2", *cut) == "0.95 (0.84 to 1.00)"
    assert value_text("mae", 0.1, 0.0, 0.3) == "0.10 (0.00 to 0.30)"
    assert value_text("accuracy", 0.95, 0.721, 1.0) == "95.0 (72.1 to 100.0) %"
    assert value_text("r2", 0.9, 0.85, 0.95) == "0.90 ± 0.05"
