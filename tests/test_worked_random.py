"""Layers worked in fractions against torch in float64: convolutions of all kinds, pooling, dense, rows of them."""

from fractions import Fraction
from typing import Any

import numpy as np
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch.nn import functional

from assay.tools.worked.checks import checks
from assay.tools.worked.problem import problem
from assay.tools.worked.working import Worked, work

NEAR = 1e-12


def numbers(draw: Any, *shape: int) -> Any:
    """Nested lists of quarters from −3 to 3."""
    flat = draw(st.lists(st.integers(-12, 12), min_size=int(np.prod(shape)), max_size=int(np.prod(shape))))
    return (np.array(flat).reshape(shape) / 4).tolist()


def found(worked: Worked, name: str) -> torch.Tensor:
    array = worked.arrays[name]
    return torch.tensor([float(v) for v in array.values], dtype=torch.float64).reshape(array.shape)


def leaf(values: Any, *shape: int) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64).reshape(shape).requires_grad_()


@st.composite
def convolutions(draw: Any) -> dict[str, Any]:
    axes = draw(st.integers(1, 2))
    groups = draw(st.integers(1, 2))
    channels, filters = groups * draw(st.integers(1, 2)), groups * draw(st.integers(1, 2))
    per_axis = lambda low, high: [draw(st.integers(low, high)) for _ in range(axes)]  # noqa: E731
    size, kernel = per_axis(1, 6), per_axis(1, 3)
    steps = {"stride": per_axis(1, 3), "padding": per_axis(0, 2), "dilation": per_axis(1, 2)}
    spans = [d * (k - 1) + 1 for k, d in zip(kernel, steps["dilation"], strict=True)]
    assume(all(s <= n + 2 * p for s, n, p in zip(spans, size, steps["padding"], strict=True)))
    weights = numbers(draw, filters, channels // groups, *kernel)
    bias = draw(st.none() | st.just(numbers(draw, filters)))
    return {
        "input": numbers(draw, draw(st.integers(1, 2)), channels, *size),
        "layers": [
            {
                "convolution": {"kernel": weights, "groups": groups, "axes": axes}
                | steps
                | ({"bias": bias} if bias else {})
            }
        ],
        "loss": draw(st.sampled_from(["mean", "sum"])),
    }


@settings(max_examples=300)
@given(convolutions())
def test_a_convolution_is_torchs_forward_and_backward(values: dict[str, Any]) -> None:
    worked = work(problem(values, "numbers"))
    asked = values["layers"][0]["convolution"]
    x = torch.tensor(values["input"], dtype=torch.float64, requires_grad=True)
    kernel = torch.tensor(asked["kernel"], dtype=torch.float64, requires_grad=True)
    bias = torch.tensor(asked["bias"], dtype=torch.float64, requires_grad=True) if "bias" in asked else None
    run = functional.conv1d if x.ndim == 3 else functional.conv2d
    out = run(x, kernel, bias, asked["stride"], asked["padding"], asked["dilation"], asked["groups"])
    loss = out.mean() if values["loss"] == "mean" else out.sum()
    loss.backward()
    torch.testing.assert_close(found(worked, "O"), out.detach(), rtol=0, atol=NEAR)
    torch.testing.assert_close(found(worked, "L"), loss.detach(), rtol=0, atol=NEAR)
    for name, tensor in (("dX", x), ("dF", kernel), ("db", bias)):
        if tensor is not None:
            torch.testing.assert_close(found(worked, name), tensor.grad, rtol=0, atol=NEAR)
    assert all(numbers.exact for numbers in worked.arrays.values())


@st.composite
def rows(draw: Any) -> dict[str, Any]:
    """A convolution, perhaps batch norm and ReLU, a pool, a dense layer, cross-entropy."""
    samples, classes, filters = draw(st.integers(1, 2)), draw(st.integers(2, 3)), draw(st.integers(1, 2))
    size, pool = draw(st.integers(3, 5)), draw(st.sampled_from(["max_pool", "average_pool"]))
    layers: list[Any] = [{"convolution": {"kernel": numbers(draw, filters, 1, 2, 2), "bias": numbers(draw, filters)}}]
    if draw(st.booleans()):
        layers.append({"batch_norm": {"scale": numbers(draw, filters), "shift": numbers(draw, filters)}})
    if draw(st.booleans()):
        layers.append("relu")
    options = {"size": 2, "stride": draw(st.integers(1, 2)), "padding": draw(st.integers(0, 1))}
    layers.append({pool: options})
    side = (size - 1 + 2 * options["padding"] - 2) // options["stride"] + 1
    width = filters * side**2
    layers.append({"dense": {"weight": numbers(draw, classes, width), "bias": numbers(draw, classes)}})
    labels = [draw(st.integers(0, classes - 1)) for _ in range(samples)]
    return {"input": numbers(draw, samples, 1, size, size), "layers": layers, "loss": {"cross_entropy": labels}}


@settings(max_examples=40)
@given(rows())
def test_layers_in_a_row_agree_with_autograd_and_central_differences(values: dict[str, Any]) -> None:
    worked = work(problem(values, "numbers"))
    by_autograd, by_convolution, by_differences = checks(worked)
    assert by_autograd.difference is not None
    assert by_autograd.difference < NEAR
    assert by_convolution.difference is not None
    assert by_convolution.difference < NEAR
    assert by_differences.passes


@settings(max_examples=60)
@given(st.data())
def test_pooling_is_torchs(data: st.DataObject) -> None:
    draw = data.draw
    axes, kind = draw(st.integers(1, 2)), draw(st.sampled_from(["max_pool", "average_pool"]))
    size, kernel = [draw(st.integers(3, 6)) for _ in range(axes)], [draw(st.integers(1, 3)) for _ in range(axes)]
    stride, padding = draw(st.integers(1, 3)), min(kernel) // 2
    values = numbers(draw, 1, 2, *size)
    options = {"size": kernel, "stride": stride, "padding": padding, "axes": axes}
    worked = work(problem({"input": values, "layers": [{kind: options}], "loss": "sum"}, "numbers"))
    x = leaf(values, 1, 2, *size)
    name = f"{'max' if kind == 'max_pool' else 'avg'}_pool{axes}d"
    out = getattr(functional, name)(x, kernel, stride, padding)
    out.sum().backward()
    torch.testing.assert_close(found(worked, "O"), out.detach(), rtol=0, atol=NEAR)
    torch.testing.assert_close(found(worked, "dX"), x.grad, rtol=0, atol=NEAR)


def test_numbers_are_kept_as_the_fractions_they_are() -> None:
    worked = work(problem({"input": [["1/3", 0.1]], "layers": [{"convolution": [["3"]]}], "loss": "sum"}, "numbers"))
    assert worked.arrays["O"].values == (Fraction(1), Fraction(3, 10))
