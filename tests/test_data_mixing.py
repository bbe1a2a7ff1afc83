"""Mixed images: what is in them, and what is learned of them."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy import stats
from torch import Tensor, nn
from torch.nn import functional

from assay.data.mixing import Mixed, mixed
from assay.data.targets import Masks
from assay.errors import AssayError
from assay.recipe import Augmentation, CrossEntropy, Data
from assay.tasks.classification.task import learning
from assay.train.mixing import of_mixed
from trained import image_data

CPU = torch.device("cpu")
LABELS = torch.arange(6)


def drawn(name: str, amount: float, seed: int = 0, images: Tensor | None = None) -> tuple[Tensor, Mixed]:
    images = torch.arange(6.0)[:, None, None, None].expand(6, 1, 20, 30) if images is None else images
    return mixed([Augmentation(name=name, amount=amount)], images, LABELS, np.random.default_rng(seed))


def test_mixup_is_the_weighted_mean_of_both() -> None:
    images, target = drawn("mixup", 1.0)
    share = float(target.share)
    assert 0 < share < 1
    assert target.second.tolist() == [5, 0, 1, 2, 3, 4]
    expected = share * target.first + (1 - share) * target.second
    torch.testing.assert_close(images, expected[:, None, None, None].expand_as(images))


@pytest.mark.parametrize("seed", range(20))
def test_cutmix_pastes_one_rectangle_and_its_share_is_its_area(seed: int) -> None:
    images, target = drawn("cutmix", 1.0, seed)
    other = images[:, 0] == target.second[:, None, None]
    assert torch.equal(other | (images[:, 0] == target.first[:, None, None]), torch.ones_like(other))
    assert (other == other[0]).all()
    rows, columns = (other[0].any(axis) for axis in (1, 0))
    assert torch.equal(other[0], rows[:, None] & columns)
    assert float(target.share) == pytest.approx(1 - float(other[0].float().mean()), abs=1e-6)


def test_shares_follow_the_beta_distribution() -> None:
    shares = np.array([float(drawn("mixup", 0.2, seed)[1].share) for seed in range(400)])
    assert stats.kstest(shares, stats.beta(0.2, 0.2).cdf).pvalue > 0.01


def test_boxes_and_masks_are_not_mixed() -> None:
    data = image_data(train=32)
    masks = Masks(np.zeros((len(data.images), 6, 6), np.uint8))
    data = replace(data, images=replace(data.images, targets=masks), augment=(Augmentation(name="cutmix", amount=1.0),))
    with pytest.raises(AssayError, match=r"data\.augment: cutmix mixes what is true of whole images, and .* masks"):
        next(data.train_batches(8, 0, 1, CPU))


def test_kept_views_are_not_mixed() -> None:
    with pytest.raises(ValueError, match="augment_views keeps features of single images; leave mixup out"):
        Data.model_validate({"source": "digits", "augment": ["mixup"], "augment_views": 2})


def test_the_loss_is_shared_and_the_network_called_once() -> None:
    data = image_data(classes=6)
    calls = []

    class Network(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            calls.append(len(x))
            return x[:, 0, :6, 0]

    logits = torch.randn(6, 1, 6, 6)
    learn = of_mixed(learning(CrossEntropy(), data, CPU))
    target = Mixed(LABELS, LABELS.roll(1), torch.tensor(0.3))
    loss, sums = learn(Network(), logits, target)
    of = [functional.cross_entropy(logits[:, 0, :6, 0], labels) for labels in (target.first, target.second)]
    torch.testing.assert_close(loss, 0.3 * of[0] + 0.7 * of[1])
    torch.testing.assert_close(sums["loss"], 6 * loss)
    assert calls == [6]
    alone, _ = learn(Network(), logits, LABELS)
    torch.testing.assert_close(alone, of[0])


def test_batches_are_mixed_by_seed_and_epoch() -> None:
    data = replace(image_data(train=32), augment=(Augmentation(name="mixup", amount=1.0),))

    def shares(seed: int, epoch: int) -> list[float]:
        return [float(target.share) for _, target in data.train_batches(8, seed, epoch, CPU)]

    assert shares(0, 1) == shares(0, 1)
    assert len({tuple(shares(*drawn)) for drawn in ((0, 1), (0, 2), (1, 1))}) == 3
    assert len(set(shares(0, 1))) == 4
