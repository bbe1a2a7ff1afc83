"""A place of a picture in a network's convolution: the sum is the layer's, the gradient the network's."""

from typing import Any

import pytest
import torch
from torch import nn

from assay import AssayError
from assay.tools.worked.at_place import MOST_CHANNELS, own_gradient, own_output, seen, where, worked_spot
from assay.tools.worked.checks import checks
from assay.tools.worked.place import convolution_called, parse_place, run_through, scaled


def network(**options: Any) -> nn.Sequential:
    torch.manual_seed(0)
    return (
        nn.Sequential(
            nn.Conv2d(2, 20, 3, padding=1),
            nn.BatchNorm2d(20),
            nn.ReLU(inplace=True),
            nn.Conv2d(20, 4, **{"kernel_size": 3} | options),
            nn.ReLU(inplace=True),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(4, 3),
        )
        .double()
        .eval()
    )


PICTURE = torch.rand(2, 9, 8, generator=torch.Generator().manual_seed(1)).double()


@pytest.mark.parametrize(
    ("options", "at"),
    [
        ({}, (0, 0)),
        ({"padding": "same"}, (0, 0)),
        ({"stride": 2, "padding": (1, 0)}, (2, 1)),
        ({"dilation": 2, "padding": 2}, (2, 1)),
        ({"kernel_size": (1, 4), "padding": "same", "bias": False}, (8, 7)),
        ({"groups": 2}, (2, 1)),
    ],
)
def test_the_sum_is_the_layers_output_and_the_gradient_the_networks(
    options: dict[str, Any], at: tuple[int, int]
) -> None:
    model = network(**options)
    layer = convolution_called(model, "3")
    passed = run_through(model, layer, "3", PICTURE)
    spot = where("3", layer, passed, at)
    worked = worked_spot(spot, "a title")
    assert worked.arrays["X"].shape[1] == min(MOST_CHANNELS, 20 // layer.groups)
    for each in [*checks(worked), own_output(worked, spot), own_gradient(worked, spot)]:
        assert each.passes, each
    theirs = model[:4](PICTURE[None])[0, :, at[0], at[1]]
    assert spot.filter == int(theirs.argmax())
    assert float(worked.arrays["O"].values[0]) == pytest.approx(float(theirs.max().detach()), abs=1e-12)


def test_what_is_seen_of_the_first_layer_is_the_picture_and_what_follows_is_told() -> None:
    model = network()
    layer = convolution_called(model, "0")
    passed = run_through(model, layer, "0", PICTURE)
    spot = where("0", layer, passed, (4, 5))
    worked = worked_spot(spot, "a title")
    assert [float(v) for v in worked.arrays["X"].values] == PICTURE[:, 3:6, 4:7].flatten().tolist()
    assert [each.kind for each in passed.following] == ["BatchNorm2d", "ReLU"]
    normed, rectified = (float(each.output[spot.filter, 4, 5]) for each in passed.following)
    assert rectified == max(0.0, normed)
    assert own_gradient(worked, spot).difference == pytest.approx(0, abs=1e-12)
    assert "dX∑" in worked.arrays


def test_a_place_of_the_picture_is_one_of_the_layers() -> None:
    assert parse_place(" 3, 4 ", 8, 9) == (3, 4)
    assert scaled((7, 4), (4, 4), (8, 8)) == (3, 2)


def test_filters_and_channels_are_told_by_their_numbers_from_0() -> None:
    model = network()
    spot = where("3", model[3], run_through(model, model[3], "3", PICTURE), (2, 1))
    facts = seen(spot, (PICTURE * 255).to(torch.uint8), (2, 1), "a class").facts
    assert f"Filter {spot.filter} of 0 to 3, the one with the largest output at row 2, column 1" in facts
    shown = ", ".join(map(str, spot.kept))
    assert f"Of 20 channels the 12 that give most are shown; from 0 they are {shown}. b is the bias and what" in facts


@pytest.mark.parametrize(
    ("text", "said"),
    [("8,0", "lies outside of the picture, .* 8 × 9 pixels; expected up to 7,8"), ("3", "row and column")],
)
def test_a_place_that_is_none_is_told(text: str, said: str) -> None:
    with pytest.raises(AssayError, match=said):
        parse_place(text, 8, 9)


@pytest.mark.parametrize(
    ("layer", "said"), [("33", "no layer is called '33'"), ("2", "2 is a ReLU, expected a convolution")]
)
def test_a_layer_that_is_no_convolution_is_told(layer: str, said: str) -> None:
    with pytest.raises(AssayError, match=said):
        convolution_called(network(), layer)


def test_of_a_network_that_answers_each_pixel_the_logit_at_the_place_is_followed() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(2, 3, 3, padding=1), nn.ReLU(), nn.Conv2d(3, 4, 1)).double().eval()
    passed = run_through(model, convolution_called(model, "0"), "0", PICTURE, (2, 5), 4)
    logits = model(PICTURE[None])[0, :, 2, 5]
    assert passed.winner == int(logits.argmax())
    reached = passed.d_outputs.abs().sum(dim=0).nonzero()
    assert reached.tolist() in ([], [[2, 5]])
    through = model[2].weight[passed.winner, :, 0, 0] * (passed.outputs[:, 2, 5] > 0)
    assert torch.equal(passed.d_outputs[:, 2, 5], through)


def test_one_logit_of_one_tag_is_followed_itself() -> None:
    model = nn.Sequential(nn.Conv2d(2, 1, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten()).double().eval()
    layer = convolution_called(model, "0")
    one = run_through(model, layer, "0", PICTURE, classes=1)
    assert one.winner == 0
    assert one.d_outputs.sum() == pytest.approx(1)
    two = run_through(model, layer, "0", PICTURE, classes=2)
    assert two.winner == int(model(PICTURE[None]) > 0)
