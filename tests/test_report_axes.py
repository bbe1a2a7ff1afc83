"""What axes are made of the data: scales that a diverging variant does not flatten, names that stay apart."""

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.report.labels import NARROW, shortened, with_short_names
from assay.report.sections.cost_charts import Cost, tradeoff
from assay.report.sections.learning_axes import Axis, axes, axis

LOSS, FIT, SHARE = (0.0, float("inf")), (float("-inf"), 1.0), (0.0, 1.0)


def curves(**variants):
    rows = [
        {"variant": name, "mean": value, "low": value, "high": value} for name, own in variants.items() for value in own
    ]
    return pl.DataFrame(rows)


@pytest.mark.parametrize(
    ("variants", "within", "expected"),
    [
        ({"a": [1.0, 0.5, 0.2], "b": [0.9, 0.4, 0.3]}, LOSS, Axis((0.2, 1.0))),
        ({"a": [1.0, 0.5, 0.2], "b": [1.0, 30.0, 900.0]}, LOSS, Axis((0.2, 900.0), True, " (log scale)")),
        ({"a": [0.5, 0.4, 5000.0, 0.3, 0.3]}, LOSS, Axis((0.3, 5000.0), True, " (log scale)")),
        ({"a": [1.0, 0.5, 0.0], "b": [1.0, 30.0, 1234.0]}, LOSS, Axis((0.0, 2.0), False, " (cut; up to 1,234)")),
        ({"a": [0.5, 0.8, 0.9], "b": [0.2, 0.1, 0.0]}, FIT, Axis((0.0, 0.9))),
        ({"a": [0.5, 0.8, 0.9], "b": [-3.0, -50.0, -1730.0]}, FIT, Axis((0.0, 0.9), False, " (cut; down to −1,730)")),
        ({"a": [0.99, 0.98], "b": [0.1, 0.1]}, SHARE, Axis((0.1, 0.99))),
        ({"a": [0.0, 0.0], "b": [0.0, 0.0]}, LOSS, Axis((0.0, 0.0))),
    ],
)
def test_an_axis_gives_every_curve_room_and_says_how(variants, within, expected):
    assert axis(curves(**variants), within) == expected


def test_splits_share_an_axis_unless_it_squeezes_one_of_them():
    calm, wild = curves(a=[0.9, 0.5, 0.3], b=[0.8, 0.4, 0.2]), curves(a=[0.9, 0.6, 0.4], b=[1.0, 40.0, 3000.0])
    assert axes({"validation": calm, "train": curves(a=[0.7, 0.1])}, LOSS)["validation"] == Axis((0.1, 0.9))
    apart = axes({"validation": wild, "train": calm}, LOSS)
    assert apart == {"validation": Axis((0.4, 3000.0), True, " (log scale)"), "train": Axis((0.2, 0.9))}


def test_times_below_a_second_are_not_written_as_minutes():
    frame = pl.DataFrame({"variant": ["a", "b"], "cost": [0.15, 0.3], "value": [0.9, 0.8], "low": [None, None]})
    frame = frame.with_columns(pl.col("low").cast(pl.Float64), high=pl.lit(None, pl.Float64))
    spec = tradeoff(frame, Cost("training time (ms)", 1000.0), "accuracy", {"a": "#000", "b": "#111"}, False).to_dict()
    (rows,) = spec["datasets"].values()
    assert [row["cost"] for row in rows] == [150.0, 300.0]
    assert {layer["encoding"]["x"]["axis"]["format"] for layer in spec["layer"]} == {",~r"}


@pytest.mark.parametrize(
    ("names", "room", "expected"),
    [
        (["short", "also short"], 12, ["short", "also short"]),
        (["alpha and the rest", "gamma and the rest"], 8, ["alpha a…", "gamma a…"]),
        (["network with relu", "network with tanh"], 9, ["netw…relu", "netw…tanh"]),
        (["rotation of kind A with a tail", "rotation of kind B with a tail"], 9, ["…ind A w…", "…ind B w…"]),
    ],
)
def test_long_names_are_cut_where_they_still_read_apart(names, room, expected):
    assert shortened(names, room) == expected


@given(st.lists(st.text("ab =·", min_size=1, max_size=40), unique=True, min_size=1, max_size=8), st.integers(3, 20))
def test_no_two_names_read_alike(names, room):
    found = shortened(names, room)
    assert len(set(found)) == len(names)
    assert all(
        short == name or len(short) < len(name) or len(name) <= room for short, name in zip(found, names, strict=True)
    )
    assert all(len(short) <= room for short in found) or len({name[: room - 1] for name in names}) < len(names)


def test_names_on_an_axis_are_values_and_never_part_of_an_expression():
    names = ["constructor'); alert('x", "a class of flowers that has a long name"]
    channel = {"field": "class", "type": "nominal", "scale": {"domain": names}, "axis": {"ticks": False}}
    spec = with_short_names({"layer": [{"mark": "bar", "encoding": {"y": channel}}]}, 24)
    axis = spec["layer"][0]["encoding"]["y"]["axis"]
    assert axis["ticks"] is False
    assert axis["labelLimit"] == 0
    assert "alert" not in axis["labelExpr"]
    values = {param["name"]: param["value"] for param in spec["params"]}
    assert values["names_0"] == names
    assert values["narrow_0"] == shortened(names, NARROW)
    assert values["short_0"] == shortened(names, 24)
