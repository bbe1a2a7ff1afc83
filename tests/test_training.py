"""The loop through its public function: what it learns, keeps, records, repeats and refuses."""

import numpy as np
import pytest
import torch
from torch import nn

from assay import seeds
from assay.data import ImageData, load
from assay.errors import RunFailed
from assay.models.catalogue import build
from assay.recipe import Recipe, overrides
from assay.train.checkpoint import State, pack, unpack
from assay.train.loop import fit
from trained import image_data

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def digits(tmp_path_factory) -> ImageData:
    return load(recipe().data, 0, tmp_path_factory.mktemp("root"))


def recipe(**changes) -> Recipe:
    tree = {
        "data": {"source": "digits", "train": 500, "validation": 100},
        "model": {"name": "mlp", "hidden": [16]},
        "train": {"epochs": 3, "batch_size": 50, "optimizer": {"name": "adam", "lr": 0.01}},
    }
    for path, value in changes.items():
        tree = overrides.put(tree, path.replace("__", "."), value)
    return Recipe.model_validate(tree)


def train(data, recipe, state=None, save=lambda state: None, device=CPU):
    with seeds.scoped(recipe.seed, "initialisation"):
        model = build(recipe.model, data.shape, len(data.classes))
    return model, fit(model, data, recipe, device, state or State(), save)


def same(a: nn.Module, b: nn.Module) -> bool:
    return all(torch.equal(x, y) for x, y in zip(a.state_dict().values(), b.state_dict().values(), strict=True))


def test_it_learns_and_records_every_epoch(digits):
    _, state = train(digits, recipe())
    assert [row["epoch"] for row in state.history] == [1, 2, 3]
    assert state.history[-1]["train_loss"] < state.history[0]["train_loss"]
    assert state.history[-1]["validation_accuracy"] > 0.8
    assert all(row["seconds"] > 0 and row["lr"] == 0.01 for row in state.history)


def test_the_same_recipe_gives_the_same_bits_whatever_the_global_seed(digits):
    changed = recipe(model__dropout=0.3, data__augment=["rotation"])
    data = ImageData(digits.images, digits.indices, digits.mean, digits.std, changed.data.augment)
    torch.manual_seed(1)
    first, _ = train(data, changed)
    torch.manual_seed(2)
    np.random.seed(2)
    before = torch.get_rng_state()
    second, _ = train(data, changed)
    assert same(first, second)
    assert torch.equal(before, torch.get_rng_state())


def test_every_epoch_drops_others():
    """Of images that are all the same the losses of a network that learns nothing differ by what it drops alone."""
    data = image_data(train=16)
    data.images.pixels[:] = data.images.pixels[0]
    data.images.labels[:] = 0
    still = recipe(model__dropout=0.5, train__optimizer={"name": "sgd", "lr": 1e-30})
    losses = [row["train_loss"] for row in train(data, still)[1].history]
    assert len(set(losses)) == 3


def test_another_seed_gives_another_network(digits):
    assert not same(train(digits, recipe())[0], train(digits, recipe(seed=1))[0])


VARIED = {
    "adam": {"train__optimizer": {"name": "adam", "lr": 0.01}},
    "adamw, cosine": {"train__optimizer": "adamw", "train__schedule": {"name": "cosine", "warmup": 1}},
    "sgd, nesterov, clip": {
        "train__optimizer": {"name": "sgd", "lr": 0.1, "momentum": 0.9, "nesterov": True},
        "train__clip": 0.5,
    },
    "sgd, plain": {"train__optimizer": "sgd"},
    "rmsprop, l1": {"train__optimizer": {"name": "rmsprop", "momentum": 0.5}, "train__l1": 1e-4},
    "plateau": {"train__schedule": {"name": "plateau", "patience": 1}, "train__watch": "loss"},
    "dropout, batch norm": {"model__dropout": 0.5, "model__norm": "batch"},
    "bfloat16": {"train__precision": "bfloat16"},
    "float16": {"train__precision": "float16"},
    "cnn, channels last": {
        "model": {"name": "cnn", "channels": [4, 8], "dense": [8]},
        "train__channels_last": True,
        "train__keep": "last",
    },
}


@pytest.mark.parametrize("changes", VARIED.values(), ids=VARIED)
def test_a_training_continued_from_a_packed_state_ends_bit_for_bit_the_same(digits, changes):
    changed = recipe(**changes)
    packed = []
    whole, _ = train(digits, changed, save=lambda state: packed.append(pack(state)))
    continued, state = train(digits, changed, state=unpack(packed[0]))
    assert same(whole, continued)
    timeless = [{k: v for k, v in row.items() if k != "seconds"} for row in state.history]
    assert timeless == [{k: v for k, v in row.items() if k != "seconds"} for row in unpack(packed[-1]).history]


def test_sgd_is_torchs_sgd_by_hand(digits):
    """One epoch against the same steps written out with torch alone."""
    changed = recipe(
        train__epochs=1,
        train__keep="last",
        train__optimizer={"name": "sgd", "lr": 0.1, "momentum": 0.9, "weight_decay": 0.01},
    )
    ours, _ = train(digits, changed)
    with seeds.scoped(0, "initialisation"):
        model = build(changed.model, digits.shape, 10)
    optimizer = torch.optim.SGD(model.parameters(), 0.1, 0.9, weight_decay=0.01)
    for x, y in digits.train_batches(50, 0, 1, CPU):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x), y).backward()
        optimizer.step()
    for a, b in zip(ours.parameters(), model.parameters(), strict=True):
        torch.testing.assert_close(a, b)


OPTIMIZERS = {
    torch.optim.SGD: {"lr": 0.1, "momentum": 0.9, "nesterov": True, "weight_decay": 0.1},
    torch.optim.Adam: {"lr": 0.01, "betas": (0.5, 0.8), "weight_decay": 0.1},
    torch.optim.AdamW: {"lr": 0.01, "betas": (0.5, 0.8), "weight_decay": 0.5},
    torch.optim.RMSprop: {"lr": 0.01, "alpha": 0.5, "momentum": 0.5, "weight_decay": 0.1},
}


@pytest.mark.parametrize("kind", OPTIMIZERS)
def test_every_optimizer_is_torchs_with_all_its_settings(digits, kind):
    settings = OPTIMIZERS[kind]
    chosen = {"name": kind.__name__.lower()} | settings
    ours, _ = train(digits, recipe(train__epochs=1, train__batch_size=100, train__optimizer=chosen))
    with seeds.scoped(0, "initialisation"):
        model = build(recipe().model, digits.shape, 10)
    optimizer = kind(model.parameters(), **settings)
    for x, y in digits.train_batches(100, 0, 1, CPU):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x), y).backward()
        optimizer.step()
    for a, b in zip(ours.parameters(), model.parameters(), strict=True):
        torch.testing.assert_close(a, b, atol=1e-5, rtol=1e-4)


def test_keep_best_ends_with_the_weights_of_the_best_epoch(digits):
    changed = recipe(train__epochs=6, train__optimizer={"name": "sgd", "lr": 3.0})
    kept = []
    model, state = train(digits, changed, save=lambda state: kept.append(state.model))
    accuracies = [row["validation_accuracy"] for row in state.history]
    best = kept[accuracies.index(max(accuracies))]
    assert all(torch.equal(v, best[k]) for k, v in model.state_dict().items())
    last, _ = train(digits, changed.model_copy(update={"train": changed.train.model_copy(update={"keep": "last"})}))
    assert all(torch.equal(v, kept[-1][k]) for k, v in last.state_dict().items())


def test_of_equally_good_epochs_the_first_is_kept(digits):
    kept = []
    slow = recipe(train__optimizer={"name": "sgd", "lr": 1e-5})
    model, state = train(digits, slow, save=lambda state: kept.append(state.model))
    assert len({row["validation_accuracy"] for row in state.history}) == 1
    first, second = ([torch.equal(v, weights[k]) for k, v in model.state_dict().items()] for weights in kept[:2])
    assert all(first)
    assert not all(second)


def test_early_stopping_ends_after_its_patience(digits):
    frozen = recipe(
        train__epochs=9, train__optimizer={"name": "sgd", "lr": 1e-9}, train__early_stopping={"patience": 2}
    )
    _, state = train(digits, frozen)
    assert state.epoch == 3


def test_l1_shrinks_weights_and_clipping_bounds_the_step(digits):
    def size(model):
        return sum(p.abs().sum().item() for p in model.parameters() if p.ndim > 1)

    assert size(train(digits, recipe(train__l1=0.01))[0]) < 0.8 * size(train(digits, recipe())[0])
    small = recipe(train__clip=1e-6, train__optimizer={"name": "sgd", "lr": 1.0}, train__epochs=1)
    with seeds.scoped(0, "initialisation"):
        start = build(small.model, digits.shape, 10)
    moved = train(digits, small)[0]
    steps = len(list(digits.train_batches(50, 0, 1, CPU)))
    change = sum((a - b).square().sum() for a, b in zip(start.parameters(), moved.parameters(), strict=True)).sqrt()
    assert change < 1.1e-6 * steps


def test_l1_leaves_biases_alone(digits):
    once = {"train__optimizer": {"name": "sgd", "lr": 1.0}, "train__epochs": 1, "train__batch_size": 400}
    plain, shrunk = (dict(train(digits, recipe(train__l1=l1, **once))[0].named_parameters()) for l1 in (0.0, 0.01))
    same = {name for name, value in plain.items() if torch.equal(value, shrunk[name])}
    assert same == {name for name in plain if name.endswith("bias")}


def test_early_stopping_waits_for_more_than_min_delta(digits):
    slow = {"train__epochs": 9, "train__optimizer": {"name": "sgd", "lr": 0.001}, "train__watch": "loss"}
    losses = [row["validation_loss"] for row in train(digits, recipe(**slow))[1].history]
    assert losses == sorted(losses, reverse=True)
    asked = {"patience": 2, "min_delta": losses[0]}
    assert train(digits, recipe(train__early_stopping=asked, **slow))[1].epoch == 3


def test_clipping_bounds_the_true_gradient_in_half_precision_too(digits):
    """One step, nearly that of float32: the factor by which the loss is scaled is taken out before."""
    changes = {"train__optimizer": {"name": "sgd", "lr": 1.0}, "train__epochs": 1, "train__batch_size": 400}
    once = recipe(train__clip=0.01, **changes)
    with seeds.scoped(0, "initialisation"):
        start = build(once.model, digits.shape, 10)
    halved = recipe(train__clip=0.01, train__precision="float16", **changes)
    single, half = (train(digits, each)[0] for each in (once, halved))
    begin, single, half = (nn.utils.parameters_to_vector(m.parameters()).detach() for m in (start, single, half))
    assert (single - begin).norm() == pytest.approx(0.01, rel=1e-3)
    torch.testing.assert_close(half - begin, single - begin, atol=1e-4, rtol=0.05)


def test_label_smoothing_changes_the_loss(digits):
    smooth = recipe(train__loss={"name": "cross_entropy", "label_smoothing": 0.2})
    assert train(digits, smooth)[1].history[0]["train_loss"] > train(digits, recipe())[1].history[0]["train_loss"]


def test_a_loss_that_is_not_finite_stops_the_run(digits):
    with pytest.raises(RunFailed, match=r"loss is not finite in epoch 1 \(learning rate 1e\+30\)"):
        train(digits, recipe(train__optimizer={"name": "sgd", "lr": 1e30}))


def test_a_single_image_left_over_does_not_break_batch_norm(digits):
    odd = recipe(model__norm="batch", train__batch_size=399)
    assert len(digits.indices["train"]) == 400
    assert train(digits, odd)[1].epoch == 3


def test_it_trains_where_it_is_told_to(digits, device):
    _, state = train(digits, recipe(), device=device)
    assert state.history[-1]["validation_accuracy"] > 0.8
