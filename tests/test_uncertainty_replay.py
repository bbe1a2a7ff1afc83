"""Stochastic passes: the same numbers as whole passes give, for less work, whatever the network's class."""

from contextlib import suppress
from fnmatch import fnmatchcase
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from torchvision import models

from assay.errors import AssayError
from assay.models import build
from assay.recipe import Model
from assay.seeds import scoped
from assay.uncertainty import replaying

X = torch.randn(5, 1, 32, 32, generator=torch.Generator().manual_seed(0))


class Counted(nn.Module):
    """Counts its calls."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner, self.calls = inner, 0

    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1
        return self.inner(x)  # type: ignore[no-any-return]


class Skipping(nn.Module):
    """No ``nn.Sequential``: a shared activation that works in place, skip connections, functions between modules."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.relu = Counted(nn.Conv2d(1, 4, 3, stride=2, padding=1)), nn.ReLU(inplace=True)
        self.left, self.right = nn.Conv2d(4, 4, 3, padding=1), nn.Conv2d(4, 4, 3, padding=1)
        self.norm, self.head = nn.BatchNorm2d(4), nn.Linear(4, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = self.relu(self.norm(self.stem(x)))
        x = self.relu(self.left(x) + x)
        x = self.relu(self.right(x) + x)
        return self.head(functional.adaptive_avg_pool2d(x, 1).flatten(1))  # type: ignore[no-any-return]


class Spoiling(nn.Module):
    """Changes the output of a layer in place afterwards, so that it cannot be given again."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = Counted(nn.Linear(1024, 4)), nn.Linear(4, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.first(x.flatten(1)).mul_(2))  # type: ignore[no-any-return]


def nested() -> nn.Sequential:
    features = nn.Sequential(nn.Flatten(), Counted(nn.Linear(1024, 8)), nn.ReLU(), nn.Linear(8, 8))
    return nn.Sequential(features, nn.ReLU(), nn.Sequential(nn.Linear(8, 6), nn.ReLU(), nn.Linear(6, 3)))


def plainly(model: nn.Module, after: list[str], rate: float, passes: int, x: Tensor = X) -> Tensor:
    """Whole passes with the same masks."""
    named = dict(model.named_modules())
    hooks = [
        named[name].register_forward_hook(lambda _m, _i, output: functional.dropout(output, rate)) for name in after
    ]
    with torch.no_grad(), scoped(3, "dropout", 0):
        found = torch.stack([model.eval()(x) for _ in range(passes)])
    for hook in hooks:
        hook.remove()
    return found


CASES: list[tuple[Any, list[str]]] = [
    (nested, ["0.1"]),
    (nested, ["0.3", "2.0"]),
    (nested, ["0"]),
    (nested, ["2.1", "0.2"]),
    (Skipping, ["stem"]),
    (Skipping, ["relu"]),
    (Skipping, ["right", "left"]),
    (Skipping, ["norm"]),
    (lambda: build(Model(name="elu_resnet"), (1, 32, 32), 4), ["block2_1.branches.0.conv1"]),
    (lambda: build(Model(name="elu_resnet", norm="batch", paths=2), (1, 32, 32), 4), ["block2_1", "pool3"]),
    (lambda: build(Model(name="cnn"), (1, 32, 32), 4), ["dense1", "activation2"]),
]


@pytest.mark.parametrize(("make", "after"), CASES)
def test_as_whole_passes(make: Any, after: list[str]) -> None:
    torch.manual_seed(0)
    model = make()
    expected = plainly(model, after, 0.3, 4)
    with replaying(model, after) as replay:
        plain = replay.first(X)
        assert torch.allclose(replay.draw(0.3, 4, seed=3, batch=0), expected, atol=1e-6)
        assert replay.skips
        replay.first(X + 1)
        replay.first(X)
        assert torch.allclose(replay.draw(0.3, 4, seed=3, batch=0), expected, atol=1e-6)
    with torch.no_grad():
        assert torch.equal(plain, model.eval()(X))


def vision_transformer() -> nn.Module:
    return models.VisionTransformer(32, 8, num_layers=2, num_heads=2, hidden_dim=16, mlp_dim=32, num_classes=4)


@pytest.mark.parametrize(
    ("make", "after"),
    [
        (lambda: models.resnet18(num_classes=4), ["layer4"]),
        (lambda: models.resnet18(num_classes=4), ["layer2.1.relu"]),
        (lambda: models.densenet121(num_classes=4), ["features.denseblock4.denselayer2.conv1"]),
        (lambda: models.mobilenet_v2(num_classes=4), ["features.17*"]),
        (vision_transformer, ["encoder.layers.encoder_layer_1.ln_2"]),
    ],
)
def test_networks_of_others(make: Any, after: list[str]) -> None:
    torch.manual_seed(0)
    model, x = make(), X[:2].repeat(1, 3, 1, 1)
    named = [name for name in dict(model.named_modules()) if any(fnmatchcase(name, pattern) for pattern in after)]
    expected = plainly(model, named, 0.3, 2, x)
    with replaying(model, after) as replay:
        replay.first(x)
        assert torch.allclose(replay.draw(0.3, 2, seed=3, batch=0), expected, atol=1e-5)
        assert replay.skips
        assert len(replay.kept) >= 1


@pytest.mark.parametrize(("make", "layers"), [(nested, "head"), (Skipping, "head"), (nested, ["2*"])])
def test_what_comes_before_runs_once(make: Any, layers: Any) -> None:
    model = make()
    counted = next(m for m in model.modules() if isinstance(m, Counted))
    with replaying(model, layers) as replay:
        replay.first(X)
        replay.draw(0.5, 10, 0, 0)
        counted.calls = 0
        replay.first(X)
        replay.draw(0.5, 10, 0, 0)
    assert counted.calls == 1


def test_a_network_that_cannot_be_split_runs_whole_and_says_so() -> None:
    torch.manual_seed(0)
    model = Spoiling()
    expected = plainly(model, ["first"], 0.3, 3)
    with replaying(model, "first") as replay:
        with pytest.warns(UserWarning, match="whole network"):
            replay.first(X)
        assert torch.allclose(replay.draw(0.3, 3, seed=3, batch=0), expected, atol=1e-6)
        assert replay.skips is False


def test_the_network_is_left_as_it_was() -> None:
    model = nn.Sequential(nn.Flatten(), nn.Linear(1024, 4), nn.Dropout(0.5), nn.Linear(4, 2)).train()
    before = {name: dict(module.__dict__) for name, module in model.named_modules()}
    torch.manual_seed(5)
    for layers in ("head", "own", ["1"]):
        with suppress(ZeroDivisionError), replaying(model, layers) as replay:
            replay.first(X)
            replay.draw(0.4, 3, 0, 0)
            raise ZeroDivisionError
    after = torch.rand(3)
    torch.manual_seed(5)
    assert torch.equal(after, torch.rand(3))
    for name, module in model.named_modules():
        assert set(module.__dict__) == set(before[name])
        assert module.training
        assert not module._forward_hooks
        assert not module._forward_pre_hooks


def test_own_dropout_is_switched_on_at_its_own_rate() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(1024, 50), nn.Dropout(0.4), nn.Linear(50, 2), nn.BatchNorm1d(2))
    with replaying(model, "own") as replay:
        replay.first(X)
        found = replay.draw(None, 6, seed=1, batch=2)
    model.eval()
    model[2].train()
    with torch.no_grad(), scoped(1, "dropout", 2):
        assert torch.equal(found, torch.stack([model(X) for _ in range(6)]))


def test_dropout_that_works_in_place_leaves_each_pass_what_the_others_get() -> None:
    def said(inplace: bool) -> Tensor:
        torch.manual_seed(0)
        layers = [nn.Linear(4, 16), nn.Dropout(0.5, inplace), nn.Linear(16, 3)]
        model = nn.Sequential(*layers).eval()
        with replaying(model, "own") as replay:
            replay.first(X[:, 0, 0, :4])
            passes = replay.draw(None, 4, seed=0, batch=0)
        assert layers[1].inplace == inplace
        return passes

    assert torch.equal(said(True), said(False))


def test_seeds_decide_the_masks() -> None:
    with replaying(nested()) as replay:
        replay.first(X)
        draws = [replay.draw(0.5, 3, *place) for place in ((0, 0), (0, 0), (1, 0), (0, 1))]
    assert torch.equal(draws[0], draws[1])
    assert not torch.equal(draws[0], draws[2])
    assert not torch.equal(draws[0], draws[3])
    assert not torch.equal(draws[0][0], draws[0][1])


def test_the_head_of_a_network_without_dense_layers_is_its_last_convolution() -> None:
    model = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Conv2d(4, 3, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    with replaying(model) as replay:
        replay.first(X)
        assert replay.places == {model[2]: "before"}


def test_no_pattern_drops_logits() -> None:
    model = nested()
    with replaying(model, ["*"]) as replay:
        replay.first(X)
        assert set(replay.places) == {model[0], *model[0], model[1], model[2][0], model[2][1], model[0][1].inner}
    conv = nn.Sequential(nn.Conv2d(1, 4, 3), nn.Conv2d(4, 3, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Identity())
    with replaying(conv, ["*"]) as replay:
        replay.first(X)
        assert set(replay.places) == {conv[0], conv[1]}


class Idle(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.idle, self.used, self.pair = nn.Linear(2, 2), nn.Linear(1024, 3), Pair()

    def forward(self, x: Tensor) -> Tensor:
        return self.used(self.pair(x.flatten(1))[0])  # type: ignore[no-any-return]


class Pair(nn.Module):
    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return x, x


@pytest.mark.parametrize(
    ("model", "layers", "words"),
    [
        (nested(), ["dnese*"], "no layer is called 'dnese\\*'"),
        (Idle(), ["usde"], "did you mean 'used'"),
        (Idle(), ["idle"], "never calls 'idle'"),
        (Idle(), ["pair"], "'pair' gives tuple"),
        (Idle(), "own", "dropout layers, and this one has none"),
        (Idle(), ["used"], "'used' gives the network's output itself; expected a layer before it"),
        (nn.Sequential(nn.Flatten(), nn.Linear(1024, 3)), ["1"], "'1' gives the network's output itself"),
        (nn.Sequential(nn.Flatten()), "head", "linear or a convolutional"),
        (nn.Sequential(nn.Conv2d(1, 2, 3)), "head", r"one tensor \(batch, outputs\)"),
    ],
)
def test_mistakes_are_told(model: nn.Module, layers: Any, words: str) -> None:
    with pytest.raises(AssayError, match=words), replaying(model, layers) as replay:
        replay.first(X)
