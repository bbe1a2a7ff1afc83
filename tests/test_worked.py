"""Numbers worked by hand: the course's example exactly, losses and norms, claims, and what cannot be worked."""

import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from assay import AssayError
from assay.tools.worked.checks import checks
from assay.tools.worked.claims import claims
from assay.tools.worked.command import explain_numbers, written
from assay.tools.worked.exact import number, root, shown
from assay.tools.worked.problem import problem
from assay.tools.worked.sums import written as sums_of
from assay.tools.worked.turned import turnings
from assay.tools.worked.working import Worked, work
from command import assay

STUDIES = Path(__file__).parents[1] / "studies" / "explain"
COURSE: dict[str, Any] = {
    "input": [[3, 4, 5], [2, 1, -3], [4, -2, 0]],
    "layers": [{"convolution": {"kernel": [[2, 0], [-3, 1]]}}],
    "loss": "mean",
}
D_X = [[0.5, 0.5, 0], [-0.25, 0, 0.25], [-0.75, -0.5, 0.25]]


def worked(**changes: Any) -> Worked:
    return work(problem(COURSE | changes, "numbers.yaml"))


def text(found: Worked, name: str) -> str:
    return written(found.arrays[name]).replace("−", "-")


def step(found: Worked, name: str) -> Any:
    return next(each for each in [*found.forward, *found.backward] if each.name == name)


def test_the_courses_example_is_exact_in_every_number() -> None:
    found = worked()
    assert text(found, "O") == "[[1, 2], [-10, 8]]"
    assert text(found, "L") == "0.25"
    assert text(found, "dO") == "[[0.25, 0.25], [0.25, 0.25]]"
    assert text(found, "dF") == "[[2.5, 1.75], [1.25, -1]]"
    assert text(found, "dX") == "[[0.5, 0.5, 0], [-0.25, 0, 0.25], [-0.75, -0.5, 0.25]]"
    assert [each.difference for each in checks(found)] == [0, 0, 0]


def test_each_number_is_written_as_its_sum() -> None:
    found = worked()
    assert sums_of(step(found, "O"), found.arrays)[0] == "O[1, 1] = 3·2 + 4·0 + 2·(−3) + 1·1 = 1"
    assert sums_of(step(found, "dX"), found.arrays)[3] == "dX[2, 1] = 0.25·(−3) + 0.25·2 = −0.25"


def test_the_turned_kernel_gives_dx_by_sums_of_four_and_the_kernel_as_it_is_does_not() -> None:
    found = worked()
    (it,) = turnings(found)
    assert it.arrays["Z∗T"].values == found.arrays["dX"].values
    assert {len(entry.products) for entry in it.steps[2].entries} == {4}
    assert written(it.mistake) == "[[0.25, −0.5, −0.75], [0.25, 0, −0.25], [0, 0.5, 0.5]]"
    assert it.differ == {0, 1, 2, 3, 5, 6, 7, 8}


def test_a_wrong_number_of_a_claim_is_found_and_explained() -> None:
    wrong = [[0.5, 0.5, 0], [1.25, 0, 0.25], [-0.75, -0.5, 0.25]]
    right, found = claims(worked(claimed={"O": [[1, 2], [-10, 8]], "dX": wrong}))
    assert not right.wrong
    assert found.wrong == {3}
    assert found.words == [
        "dX[2, 1] is 0.25·(−3) + 0.25·2 = −0.25, not 1.25: "
        "that is what comes out when 0.25·(−3) enters with the wrong sign."
    ]


def test_a_claim_with_the_kernel_not_turned_is_called_that() -> None:
    (found,) = claims(worked(claimed={"dX": [[0.25, -0.5, -0.75], [0.25, 0, -0.25], [0, 0.5, 0.5]]}))
    assert sum("not turned" in each for each in found.words) == len(found.words) == 8


def test_dilation_leaves_holes_and_a_group_sees_its_own_channels() -> None:
    line = {"input": [1, 3, 2, 0, 4], "layers": [{"convolution": {"kernel": [1, 2, -1], "dilation": 2}}], "loss": "sum"}
    assert text(work(problem(line, "x")), "O") == "[1]"
    pair = {"kernel": [[[2]], [[3]]], "groups": 2}
    grouped = {"input": [[1, 2], [10, 20]], "layers": [{"convolution": pair}], "loss": "sum"}
    assert text(work(problem(grouped, "x")), "O") == "[[2, 4], [30, 60]]"


def test_softmax_with_cross_entropy_gives_probabilities_less_one() -> None:
    found = work(problem({"input": [0, 0], "loss": {"cross_entropy": 1}}, "x"))
    assert text(found, "P") == "[0.5, 0.5]"
    assert text(found, "dX") == "[0.5, -0.5]"
    assert float(found.arrays["L"].values[0]) == pytest.approx(0.6931471805599453, abs=1e-15)


def test_batch_norm_is_exact_where_the_root_is() -> None:
    options = {"scale": 3, "shift": 1, "epsilon": 0}
    values = {"input": [1, 5], "layers": [{"batch_norm": options}], "loss": {"gradient": [[1], [0]]}}
    found = work(problem(values, "x"))
    assert found.arrays["O"].values == (Fraction(-2), Fraction(4))
    assert found.arrays["dX"].values == (Fraction(0), Fraction(0))
    assert all(each.exact for each in found.arrays.values())


def test_where_two_numbers_are_the_largest_the_corner_is_left_out_of_the_differences() -> None:
    found = work(problem({"input": [[2, 2], [1, 0]], "layers": [{"max_pool": 2}], "loss": "sum"}, "x"))
    assert text(found, "dX") == "[[1, 0], [0, 0]]"
    differences = checks(found)[2]
    assert differences.passes
    assert "2 stand at a corner" in differences.words


def test_a_check_that_finds_another_gradient_says_so() -> None:
    found = worked()
    spoilt = {**found.arrays, "dX": found.arrays["dX"].__class__((1, 1, 3, 3), (Fraction(1),) * 9)}
    assert not any(
        each.passes for each in checks(Worked(found.problem, found.built, found.forward, found.backward, spoilt))
    )


@pytest.mark.parametrize(
    ("value", "expected"), [(0.1, "0.1"), ("1/3", "1/3"), ("-2.50", "−2.5"), (7, "7"), ("1e-2", "0.01")]
)
def test_a_number_is_kept_as_it_is_written(value: Any, expected: str) -> None:
    assert shown(number(value, "here")) == expected


def test_a_root_is_a_fraction_where_it_can_be() -> None:
    assert root(Fraction(9, 4)) == (Fraction(3, 2), True)
    found, exact = root(Fraction(2))
    assert not exact
    assert abs(found * found - 2) < Fraction(1, 10**38)


CONVOLUTION = [{"convolution": {"kernel": [[1, 2], [3, 4]]}}]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"input": [[1, 2, 3], [4, 5]]}, "input is no matrix: row 2 has 2 numbers, row 1 has 3 numbers; expected rows"),
        ({"input": [[1, 2], 3]}, "row 2 has no list"),
        ({"input": []}, "input: the list is empty"),
        ({"input": [[1, "1+2j"], [3, 4]]}, r"input\[0\]\[1\]: 1\+2j is a complex number; expected a real one"),
        ({"input": [[1, float("nan")], [3, 4]]}, r"input\[0\]\[1\]: nan is no number"),
        ({"input": [[1, "1/0"], [3, 4]]}, "1/0 divides by 0"),
        ({"input": [[1, True], [3, 4]]}, "expected a number such as 2, 0.5 or 1/4, found true or false"),
        ({"inputs": [1]}, "unknown key 'inputs'; did you mean 'input'"),
        ({"layers": [{"convolution": {"kernel": [[1]], "strid": 2}}]}, "unknown key 'strid'; did you mean 'stride'"),
        ({"layers": [{"convolutoin": {"kernel": [[1]]}}]}, "unknown layer 'convolutoin'; did you mean 'convolution'"),
        ({"layers": [{"convolution": {"kernel": [[1]], "stride": 0}}]}, "stride: expected a whole number of at least"),
        ({"layers": [{"convolution": {"kernel": [[1] * 4] * 4}}]}, "the kernel spans 4 × 4, the padded input is 3 × 3"),
        (
            {"layers": [{"convolution": {"kernel": [[1, 2], [3, 4]], "dilation": 3}}]},
            r"the kernel spans 4 × 4 \(2 × 2 with dilation 3 × 3\), the padded input is 3 × 3",
        ),
        ({"layers": [{"convolution": {"kernel": [[[1]], [[2]]]}}]}, "expected a kernel for 3 channels"),
        ({"layers": [*CONVOLUTION, {"dense": {"weight": [[1, 2, 3]]}}]}, "the weight is for 3 inputs, there are 4"),
        ({"layers": [{"max_pool": 4}]}, "the kernel spans 4 × 4"),
        ({"layers": [{"max_pool": 0}]}, "max_pool.size: expected a whole number of at least 1, found 0"),
        ({"layers": [{"max_pool": {"size": 2, "padding": 2}}]}, "padding 2 × 2 is more than half of the window"),
        ({"loss": "men"}, "unknown loss 'men'; did you mean 'mean'"),
        ({"loss": "cross_entropy"}, "expected the true class, from 0"),
        ({"loss": {"cross_entropy": 0, "gradient": [[1]]}}, "expected one loss, found cross_entropy and gradient"),
        ({"loss": {}}, "loss: expected one loss, found none"),
        ({"input": [[1e300, 2], [3, 4]]}, "1e\\+300 is too long to be worked by hand"),
        ({"loss": {"cross_entropy": 4}}, "there are the classes 0 to 3, found 4"),
        ({"loss": {"gradient": [[1, 2]]}}, "expected 1 × 1 × 2 × 2 numbers, one a number of O, found 1 × 2"),
        ({"claimed": {"dY": [1]}}, "no array is called 'dY'"),
        ({"claimed": {"dX": [1]}}, "expected 1 × 1 × 3 × 3 numbers, the size of dX, found 1"),
        ({"input": [[1] * 60] * 60}, "products forward are more than a page can show"),
    ],
)  # fmt: skip
def test_what_cannot_be_worked_is_one_sentence(changes: dict[str, Any], said: str) -> None:
    values = COURSE | changes
    if "inputs" in values:
        del values["input"]
    with pytest.raises(AssayError, match=said) as told:
        claims(work(problem(values, "numbers.yaml")))
    assert "\n" not in str(told.value)
    assert str(told.value).startswith("numbers.yaml: ")


def test_a_norm_of_equal_numbers_needs_epsilon() -> None:
    with pytest.raises(AssayError, match="variance 0"):
        work(problem({"input": [2, 2], "layers": [{"batch_norm": {"epsilon": 0}}], "loss": "sum"}, "x"))


NUMBERS = sorted(path for path in STUDIES.glob("*.yaml") if "\nmodel:" not in path.read_text())


@pytest.mark.parametrize("path", NUMBERS, ids=lambda path: path.stem)
def test_each_shipped_example_agrees_with_all_checks(path: Path, tmp_path: Path) -> None:
    found = explain_numbers(path, tmp_path)
    assert all(each["passes"] for each in found.record["checks"])
    assert found.page.stat().st_size < 400_000
    assert "http" not in found.page.read_text("utf-8").replace("http-equiv", "")


def test_the_command_gives_arrays_and_checks_to_programs(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    ended = assay(capfd, "explain", STUDIES / "convolution.yaml", "--out", tmp_path, "--json")
    assert ended.status == 0
    found = json.loads(ended.out)
    assert found["arrays"]["dX"]["values"] == [value for row in D_X for value in row]
    assert [each["largest_difference"] for each in found["checks"]] == [0, 0, 0]
    assert [(each["array"], each["right"]) for each in found["claims"]] == [("O", True), ("dF", True), ("dX", False)]
    assert Path(found["page"]).is_file()


def test_the_terminal_tells_the_wrong_number_of_a_claim(tmp_path: Path) -> None:
    lines = explain_numbers(STUDIES / "convolution.yaml", tmp_path).lines
    assert lines[-3:-1] == ["Claimed: O is right.", "Claimed: dF is right."]
    assert lines[-1].startswith("Claimed: dX[2, 1] is 0.25·(−3) + 0.25·2 = −0.25, not 1.25: ")
