"""The tables and numbers of the report: CSV, LaTeX, digits."""

import io
import re
from csv import reader

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.report.sections.learning_charts import curves
from assay.report.tables import Cell, Column, Table, csv, latex, latex_text
from assay.results import formats
from assay.results.metrics import duration


@pytest.mark.parametrize(
    ("mean", "low", "high", "metric", "text"),
    [
        (0.8931, 0.8909, 0.8953, "accuracy", "89.31 ± 0.22"),
        (0.893, 0.871, 0.915, "accuracy", "89.3 ± 2.2"),
        (0.96335, 0.96332, 0.96338, "accuracy", "96.335 ± 0.003"),
        (12.345, 12.325, 12.365, "training_seconds", "12.35 ± 0.02"),
        (1234.5, 1234.3, 1234.7, "training_seconds", "1234.5 ± 0.2"),
        (0.5, 0.3, 0.7, "f1_macro", "50.0 ± 20.0"),
        (0.8931, None, None, "accuracy", "89.31"),
        (0.9, 0.9, 0.9, "accuracy", "90.00"),
        (0.8931, 0.88, 0.895, "accuracy", "89.31 (88.00 to 89.50)"),
        (None, None, None, "accuracy", "–"),
        (0.31234, 0.30234, 0.32234, "loss", "0.312 ± 0.010"),
        (12.345, 12.1, 12.59, "training_seconds", "12.3 ± 0.2"),
        (101770, 101770, 101770, "parameters", "101\u202f770"),
        (407080, 407080, 407080, "weight_bytes", "0.407"),
        (94_371_840, None, None, "weight_bytes", "94.4"),
        (1_234_567_890, None, None, "activation_bytes", "1\u202f235"),
        (2.5e-7, None, None, "loss", "2.5e-07"),
    ],
)
def test_a_value_shows_as_many_digits_as_its_interval_allows(mean, low, high, metric, text):
    assert formats.plus_minus(mean, low, high, metric) == text


@pytest.mark.parametrize(
    ("longest", "unit", "text"),
    [(0.15, "ms", "150"), (1.0, "s", "1"), (599, "s", "599"), (900, "min", "15"), (36_000, "h", "10")],
)
def test_times_are_read_in_the_unit_of_the_longest(longest, unit, text):
    found, scale = formats.time_unit(longest)
    assert (found, f"{longest * scale:g}") == (unit, text)


def test_differences_carry_their_sign_and_minus_zero_does_not_exist():
    assert formats.signed(0.031, 0.027, 0.035, "accuracy") == "+3.10 ± 0.40"
    assert formats.signed(-0.031, -0.035, -0.027, "accuracy") == "−3.10 ± 0.40"
    assert formats.signed(0.0, None, None, "accuracy") == "0.00"
    assert formats.fixed(-0.0001, 2) == "0.00"


@pytest.mark.parametrize(
    ("p", "text"), [(0.0341, "0.034"), (0.25, "0.25"), (1e-6, "< 0.001"), (1.0, "1.00"), (None, "–")]
)
def test_p_values(p, text):
    assert formats.p_value(p) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(4.84, "4.8 s"), (48, "48 s"), (725, "12 min 5 s"), (180, "3 min"), (12000, "3 h 20 min")]
)
def test_durations(seconds, text):
    assert duration(seconds) == text


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12), min_size=1))
def test_no_cell_of_a_csv_is_a_formula_and_nothing_is_lost(texts):
    frame = pl.DataFrame(
        {"name": texts, "number": list(range(len(texts)))}, schema={"name": pl.String, "number": pl.Int64}
    )
    _, *rows = reader(io.StringIO(csv(frame), newline=""))
    for row, text in zip(rows, texts, strict=True):
        assert row[0] in (text, "'" + text)
        assert not re.match(r"[=@\t\r]|[+-](?![\d.eE+-]*$)", row[0]) or is_number(row[0])


def is_number(text):
    try:
        return float(text) is not None
    except ValueError:
        return False


def test_negative_numbers_as_text_stay_numbers_in_a_csv():
    assert csv(pl.DataFrame({"level": ["-1", "+0.5", "-x", "=A1"]})) == "level\n-1\n+0.5\n'-x\n'=A1\n"


def test_latex_escapes_what_is_special_and_leaves_other_scripts_alone():
    assert latex_text("50 % & a_b #1 $x {y}") == r"50 \% \& a\_b \#1 \$x \{y\}"
    assert latex_text("\\~^") == r"\textbackslash{}\textasciitilde{}\textasciicircum{}"
    assert latex_text("שלום é 数") == "שלום é 数"
    assert latex_text("a\nb\tc") == "a b c"


@given(st.text())
def test_latex_text_leaves_no_special_character_bare(text):
    escaped = latex_text(text)
    for command in (
        r"\textbackslash{}",
        r"\textasciitilde{}",
        r"\textasciicircum{}",
        r"\textless{}",
        r"\textgreater{}",
    ):
        escaped = escaped.replace(command, "")
    escaped = escaped.replace("$-$", "").replace(r"$\pm$", "")
    assert not re.search(r"(?<!\\)[&%$#_{}~^]", escaped)
    assert not re.search(r"\\(?![&%$#_{},])", escaped)
    assert "\n" not in escaped


def test_a_latex_table_has_a_row_a_variant_and_its_best_in_bold():
    columns = [Column("variant", "left"), Column("accuracy (%)")]
    rows = [[Cell("[x]"), Cell("91.2 ± 0.3", "best")], [Cell("tanh", hint="base"), Cell("88.0 ± 0.4")]]
    lines = latex(Table("t", "A caption.", columns, rows, pl.DataFrame())).splitlines()
    assert lines[1:] == [
        r"\begin{table}",
        r"\centering",
        r"\caption{A caption.}",
        r"\label{tab:t}",
        r"\begin{tabular}{lr}",
        r"\toprule",
        r"variant & accuracy (\%) \\",
        r"\midrule",
        r"{}[x] & \textbf{91.2 $\pm$ 0.3} \\",
        r"tanh (base) & 88.0 $\pm$ 0.4 \\",
        r"\bottomrule",
        r"\end{tabular}",
        r"\end{table}",
    ]


@pytest.mark.parametrize(
    ("epochs", "ticks"), [(1, [1]), (2, [1, 2]), (3, [1, 2, 3]), (8, list(range(1, 9))), (30, None)]
)
def test_few_epochs_have_a_tick_each(epochs, ticks):
    rows = [
        {"variant": "a", "epoch": e, "mean": 0.5, "low": 0.4, "high": 0.6, "seeds": 2} for e in range(1, epochs + 1)
    ]
    chart = curves(pl.DataFrame(rows), "accuracy", {"a": "#000000"}).to_dict()
    axes = [layer["encoding"]["x"]["axis"] for layer in chart["layer"] if "axis" in layer["encoding"]["x"]]
    assert axes
    assert all(axis.get("values") == ticks for axis in axes)
