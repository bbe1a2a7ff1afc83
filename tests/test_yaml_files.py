"""YAML: names as they stand, numbers as they look, and a way out of what is malformed."""

import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay import AssayError, load_study
from assay.recipe.yaml_files import dump_yaml, parse_yaml

OLD = ["010", "00010", "no", "on", "Yes", "off", "2024-01-01", "12:30", "1:30.5", "0x1F", "1_0", "00.5"]
"""What YAML 1.1 alone takes for something else than text."""
NAMES = [*OLD, "00008", "8", "1.50", "true", "null", "~", "1e-3"]


@pytest.mark.parametrize("name", NAMES)
def test_a_key_is_the_text_that_stands_there(name: str) -> None:
    assert parse_yaml(f"{{{name}: 0.5}}", "here") == {name: 0.5}
    assert parse_yaml(f"{name}: 0.5\n", "here") == {name: 0.5}


@pytest.mark.parametrize("name", OLD)
def test_a_value_that_only_yaml_1_1_takes_for_something_else_is_text(name: str) -> None:
    assert parse_yaml(name, "here") == name


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("10", 10),
        ("-3", -3),
        ("+4", 4),
        ("0", 0),
        ("1.50", 1.5),
        (".5", 0.5),
        ("5.", 5.0),
        ("1e-3", 0.001),
        ("-2.5E+2", -250.0),
        (".inf", math.inf),
        ("true", True),
        ("False", False),
        ("null", None),
        ("~", None),
        ("", None),
        ("'10'", "10"),
    ],
)
def test_a_number_looks_like_one(text: str, value: object) -> None:
    found = parse_yaml(text, "here")
    assert (found, type(found)) == (value, type(value))


def test_keys_that_are_merged_stay_text() -> None:
    assert parse_yaml("a: &x {010: 1}\nb: {<<: *x, 8: 2}", "here")["b"] == {"010": 1, "8": 2}


def test_a_name_and_its_number_are_two_keys_and_quotes_make_no_third() -> None:
    assert parse_yaml("{8: 1, 010: 2}", "here") == {"8": 1, "010": 2}
    with pytest.raises(AssayError, match="the key '8' stands twice"):
        parse_yaml("{8: 1, '8': 2}", "here")


TEXT = st.sampled_from(NAMES) | st.text(st.characters(exclude_categories=("C", "Zl", "Zp")))
PLAIN = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXT


@given(st.dictionaries(TEXT, PLAIN | st.lists(PLAIN)))
def test_what_is_written_is_read_back(value: object) -> None:
    assert parse_yaml(dump_yaml(value), "here") == value


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("title: Which one: a or b?\n", "a text with a colon in it stands in quotes: title: 'Which one: a or b?'"),
        ("title: What's best: a\n", "stands in quotes: title: 'What''s best: a'"),
        ("title: Which of these:\n", "stands in quotes: title: 'Which of these:'"),
        ("a: {title: b: c}\n", "a text with a colon in it stands without quotes"),
        ("title: @home\n", "a text that begins with it stands in quotes"),
        ("title: *.png\n", "a text that begins with * or & stands in quotes"),
        ('source: "C:\\data"\n', "put a path in single quotes"),
        ("a:\n\tb: 1\n", "indent with blanks, not tabs"),
    ],
)
def test_what_is_malformed_is_told_with_the_way_out(text: str, sentence: str) -> None:
    with pytest.raises(AssayError) as error:
        parse_yaml(text, "s.yaml")
    assert sentence in str(error.value)


def test_a_wrong_indentation_is_not_taken_for_a_colon_in_a_text() -> None:
    with pytest.raises(AssayError) as error:
        parse_yaml("base:\n  data: x\n    size: 3\n", "s.yaml")
    assert "quotes" not in str(error.value)


def test_the_class_that_is_thinned_is_the_one_that_is_named(tmp_path: Path) -> None:
    path = tmp_path / "s.yaml"
    for name in ("010", "00010", "no", "1.50"):
        path.write_text(f"title: t\nbase: {{data: {{source: x, imbalance: {{{name}: 0.5}}}}, model: mlp}}\n")
        study = load_study(path)
        assert study.plan["base"].recipe.data.imbalance == ((name, 0.5),)
        path.write_text(study.dump())
        assert load_study(path) == study


def test_a_name_that_looks_like_a_number_is_told_to_stand_in_quotes(tmp_path: Path) -> None:
    path = tmp_path / "s.yaml"
    path.write_text("title: 2024\nbase: {data: {source: x}, model: mlp}\n")
    with pytest.raises(AssayError, match="title: found 2024, expected text; a name that looks like a number"):
        load_study(path)
