"""What a network says in numbers: metrics by hand and by other libraries, rows of a table, pictures, deciles."""

import io

import numpy as np
import polars as pl
import pytest
from PIL import Image
from scipy.stats import spearmanr
from sklearn.metrics import mean_absolute_error, r2_score, root_mean_squared_error

from assay.evaluate import measure
from assay.recipe import RegressionMeasure
from assay.results.metrics import known
from assay.tasks.predicting import scores
from assay.tasks.regression import task
from assay.tasks.regression.measure import error_by_decile, half_width
from assay.tasks.regression.measure import measure as measured
from assay.tasks.regression.predictions import Predictions
from valued import network, predict, predictions, trained, value_data

TWO = ("age", "weight, kg")


def test_metrics_of_three_images_by_hand() -> None:
    found = scores(predictions([[1], [2], [6]], [[2], [2], [4]]), ["mae", "rmse", "r2", "spearman", "loss"])
    assert found["mae"] == pytest.approx(1)
    assert found["rmse"] == pytest.approx((5 / 3) ** 0.5)
    assert found["r2"] == pytest.approx(1 - 5 / 14)
    assert found["spearman"] == pytest.approx(1.5 / (2 * 1.5) ** 0.5)
    assert found["loss"] == pytest.approx(5 / 3)


@pytest.mark.parametrize("seed", range(3))
def test_metrics_are_those_of_other_libraries(seed: int) -> None:
    random = np.random.default_rng(seed)
    truth, said = random.integers(0, 9, (30, 2)) * [1.0, 100.0], random.normal(size=(30, 2)) * [3, 300]
    both = predictions(truth.tolist(), said.tolist(), TWO)
    found = scores(both, both.metrics)
    for column, target in enumerate(TWO):
        y, f = truth[:, column], said[:, column]
        assert found[f"mae_{target}"] == pytest.approx(mean_absolute_error(y, f))
        assert found[f"rmse_{target}"] == pytest.approx(root_mean_squared_error(y, f))
        assert found[f"r2_{target}"] == pytest.approx(r2_score(y, f))
        assert found[f"spearman_{target}"] == pytest.approx(spearmanr(y, f).statistic)
    assert found["r2"] == pytest.approx(r2_score(truth, said))
    assert found["spearman"] == pytest.approx(np.mean([found[f"spearman_{target}"] for target in TWO]))


def test_errors_of_different_units_have_no_mean_and_a_single_target_no_name() -> None:
    one, two = predictions([[1], [2]], [[1], [3]]), predictions([[1, 5], [2, 6]], [[1, 5], [3, 5]], TWO)
    assert {name for name in one.metrics if one.evidence(name)} == {"loss", "r2", "spearman", "mae", "rmse"}
    assert [two.evidence(name) for name in ("mae", "rmse", "mae_", "mae_height", "accuracy", "training_seconds")] == [
        None
    ] * 6
    assert one.evidence("mae_age") is None
    assert known("mae_weight, kg").said == "MAE of weight, kg"


def test_the_table_is_a_row_an_image_and_can_be_read_back() -> None:
    said = predictions([[1, 5], [2, 6]], [[1.5, 5.25], [3, 5]], TWO)
    table = said.table("test", ["a.png", "b.png"])
    assert table.columns == ["split", "image", "name", "truth", "said", "loss"]
    assert table.row(1, named=True) == {
        "split": "test",
        "image": 1,
        "name": "b.png",
        "truth": {"age": 2.0, "weight, kg": 6.0},
        "said": {"age": 3.0, "weight, kg": 5.0},
        "loss": 1.0,
    }
    buffer = io.BytesIO()
    table.write_parquet(buffer)
    again = task.read(pl.read_parquet(buffer.getvalue()))
    assert isinstance(again, Predictions)
    assert again.targets == said.targets
    for name in ("indices", "truth", "said", "losses"):
        assert np.array_equal(getattr(again, name), getattr(said, name)), name


def test_predictions_that_are_not_finite_say_so() -> None:
    assert predictions([[1]], [[2]]).is_finite
    assert not predictions([[1]], [[float("nan")]]).is_finite


def test_the_gallery_has_a_sample_and_the_worst_first() -> None:
    data = value_data()
    said = predict(network(data), data, "test")
    table = said.gallery(data, seed=0)
    worst = table.filter(pl.col("kind") == "worst")
    assert set(table["kind"]) == {"sample", "worst"}
    assert worst["name"].to_list() == [f"image-{36 + row}" for row in np.argsort(-said.losses)]
    first = worst.row(0, named=True)
    assert first["truth"]["brightness"] == said.truth[said.losses.argmax(), 0]
    assert first["said"]["brightness"] == said.said[said.losses.argmax(), 0]
    assert Image.open(io.BytesIO(first["png"])).size == (6, 6)


def test_errors_by_decile_by_hand() -> None:
    truth = [[float(i)] for i in range(20)]
    said = [[y + (1 if y < 10 else -2 if y % 2 else 0)] for (y,) in truth]
    table = error_by_decile(predictions(truth, said))
    assert table.columns == ["target", "decile", "low", "high", "n", "mae", "bias"]
    assert table["decile"].to_list() == list(range(1, 11))
    assert table.row(0) == ("age", 1, 0.0, 1.0, 2, 1.0, 1.0)
    assert table.row(9) == ("age", 10, 18.0, 19.0, 2, 1.0, -1.0)


def test_equal_values_share_a_decile() -> None:
    table = error_by_decile(predictions([[1]] * 10 + [[2]] * 2, [[1]] * 12))
    assert table.select("low", "high", "n", "mae").rows() == [(1.0, 1.0, 10, 0.0), (2.0, 2.0, 2, 1.0)]


def test_nine_of_ten_errors_lie_within_the_half_width() -> None:
    errors = [[float(i), 10.0 * i] for i in range(1, 20)]
    assert half_width(predictions([[0, 0]] * 19, errors, TWO)) == [18.0, 180.0]
    assert half_width(predictions([[0]] * 9, [[-float(i)] for i in range(9)])) == [8.0]
    assert half_width(predictions([[0]] * 8, [[1]] * 8)) is None


def test_half_widths_hold_nine_of_ten_of_new_images() -> None:
    random = np.random.default_rng(0)
    held = []
    for _ in range(300):
        old, new = random.standard_t(2, (30, 1)), random.standard_t(2, (30, 1))
        found = half_width(predictions([[0]] * 30, old.tolist()))
        assert found is not None
        held.append((np.abs(new) <= found[0]).mean())
    assert 0.89 < np.mean(held) < 0.93


def test_the_measure_gives_the_test_images_and_what_the_others_reach() -> None:
    data = value_data()
    found = measured(trained(data), RegressionMeasure())
    expected = {"r2", "spearman", "mae", "rmse", "loss", "train_r2", "train_loss", "validation_r2", "validation_loss"}
    assert set(found) == expected | {"error_by_decile", "interval_90"}
    truth, said = data.images.targets.values[36:, 0], predict(network(data), data, "test").said[:, 0]  # type: ignore[attr-defined]
    assert found["mae"] == pytest.approx(mean_absolute_error(truth, said))


def test_metrics_that_do_not_exist_are_left_out() -> None:
    values = value_data().images.targets.values.copy()  # type: ignore[attr-defined]
    values[36:] = 100.0
    found = measure(trained(value_data(values)))
    assert "mae" in found
    assert not {"r2", "spearman"} & found.keys()
