"""Losses of pixels against torch and segmentation-models-pytorch; void pixels are in none of them."""

import numpy as np
import pytest
import torch
from segmentation_models_pytorch.losses import DiceLoss, LovaszLoss
from torch.nn import functional

from assay.data.targets import VOID
from assay.errors import AssayError
from assay.recipe import Recipe
from assay.recipe.losses import CrossEntropy, Dice, Focal, Loss, Lovasz, SumOfLosses
from assay.recipe.validation import mistakes
from assay.tasks.segmentation import task
from assay.tasks.segmentation.losses import dice, lovasz_softmax, objective, weighted
from assay.tasks.segmentation.weights import class_weights, inverse, median_frequency
from labelled import CLASSES, CPU, masked_data, random_masks

EVERY = [CrossEntropy(), Focal(), Dice(), Lovasz(), SumOfLosses()]


def maps(seed: int = 0, classes: int = 3) -> tuple[torch.Tensor, torch.Tensor]:
    draw = np.random.default_rng(seed)
    logits = torch.from_numpy(2 * draw.normal(size=(2, classes, 9, 7)).astype(np.float32))
    return logits.requires_grad_(), torch.from_numpy(random_masks(draw, 2, 9, 7, classes=classes))


def of(loss: Loss) -> "object":
    return objective(loss, lambda part: None)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_cross_entropy_is_that_of_torch(smoothing: float) -> None:
    logits, masks = maps()
    expected = functional.cross_entropy(logits, masks.long(), ignore_index=VOID, label_smoothing=smoothing)
    assert weighted(logits, masks, label_smoothing=smoothing).item() == pytest.approx(expected.item(), rel=1e-6)
    weights = torch.tensor([0.5, 2.0, 3.0])
    expected = functional.cross_entropy(logits, masks.long(), weights, ignore_index=VOID)
    assert weighted(logits, masks, weights).item() == pytest.approx(expected.item(), rel=1e-6)


def test_focal_is_the_mean_of_one_minus_p_to_the_gamma_times_the_cross_entropy() -> None:
    logits, masks = maps()
    rows, labels = logits.movedim(1, -1)[masks != VOID].double(), masks[masks != VOID].long()
    p = rows.softmax(dim=1)[torch.arange(len(labels)), labels]
    assert weighted(logits, masks, gamma=2.0).item() == pytest.approx((-((1 - p) ** 2) * p.log()).mean().item(), 1e-6)


@pytest.mark.parametrize("seed", range(4))
def test_dice_is_that_of_smp_over_the_classes_present(seed: int) -> None:
    logits, masks = maps(seed, classes=4)
    masks[masks == 3] = VOID
    smp = DiceLoss("multiclass", ignore_index=VOID)(logits, masks.long()) * 4 / 3  # it divides by all classes
    assert dice(logits, masks).item() == pytest.approx(smp.item(), rel=1e-5)
    one, other = (torch.autograd.grad(loss, logits)[0] for loss in (dice(logits, masks), smp))
    assert torch.allclose(one, other, atol=1e-7)


@pytest.mark.parametrize("seed", range(4))
def test_lovasz_is_that_of_its_authors(seed: int) -> None:
    logits, masks = maps(seed, classes=4)
    masks[masks == 3] = VOID
    authors = LovaszLoss("multiclass", ignore_index=VOID)(logits, masks.long())
    assert lovasz_softmax(logits, masks).item() == pytest.approx(authors.item(), rel=1e-5)
    one, other = (torch.autograd.grad(loss, logits)[0] for loss in (lovasz_softmax(logits, masks), authors))
    assert torch.allclose(one, other, atol=1e-6)


def test_lovasz_of_answers_without_doubt_is_one_minus_the_iou_of_the_classes_present() -> None:
    draw = np.random.default_rng(0)
    masks = torch.from_numpy(random_masks(draw, 1, 8, 8, void=0.1))
    said = torch.from_numpy(draw.integers(0, 3, (1, 8, 8)))
    logits = 1e4 * functional.one_hot(said, 3).movedim(-1, 1).float()
    known = masks != VOID
    ious = [((masks == c) & (said == c)).sum() / (((masks == c) | (said == c)) & known).sum() for c in range(3)]
    assert lovasz_softmax(logits, masks).item() == pytest.approx(1 - torch.stack(ious).mean().item(), abs=1e-6)


def test_a_sum_adds_its_losses_by_their_weights() -> None:
    logits, masks = maps()
    loss = SumOfLosses(of=(CrossEntropy(), Dice()), weights=(0.25, 2.0))
    expected = 0.25 * weighted(logits, masks) + 2 * dice(logits, masks)
    assert objective(loss, lambda part: None)(logits, masks).item() == pytest.approx(expected.item(), rel=1e-6)


@pytest.mark.parametrize("loss", EVERY, ids=lambda loss: loss.name)
def test_void_pixels_have_no_loss_and_no_gradient(loss: Loss) -> None:
    logits, masks = maps()
    minimised = objective(loss, lambda part: None)
    found = minimised(logits, masks)
    (gradient,) = torch.autograd.grad(found, logits)
    void = (masks == VOID)[:, None].expand_as(gradient)
    assert not gradient[void].any()
    assert gradient[~void].any()
    other = torch.where(void, torch.randn_like(logits), logits)
    assert minimised(other, masks).item() == pytest.approx(found.item(), rel=1e-6)


@pytest.mark.parametrize("loss", EVERY, ids=lambda loss: loss.name)
def test_a_batch_all_void_has_loss_zero_and_gradient_zero(loss: Loss) -> None:
    logits, masks = maps()
    found = objective(loss, lambda part: None)(logits, torch.full_like(masks, VOID))
    (gradient,) = torch.autograd.grad(found, logits)
    assert found.item() == 0
    assert not gradient.any()


def test_weights_by_hand() -> None:
    pixels = np.array([[6, 2, 0, 0], [0, 3, 1, 0]])
    assert inverse(pixels).tolist() == pytest.approx([12 / 3 / 6, 12 / 3 / 5, 12 / 3 / 1, 0])
    frequencies = [6 / 8, 5 / 12, 1 / 4]  # by the pixels of the images that have the class
    assert median_frequency(pixels).tolist() == pytest.approx([*(np.median(frequencies) / frequencies), 0], rel=1e-6)


def test_weights_are_of_the_training_pixels_and_reach_the_loss() -> None:
    draw = np.random.default_rng(0)
    masks = random_masks(draw, 3, 5, 5)
    data, loss = masked_data(masks), CrossEntropy(class_weights="inverse")
    counts = np.bincount(masks[masks != VOID], minlength=3)
    weights = class_weights(loss, data)
    assert weights is not None
    assert weights.tolist() == pytest.approx((counts.sum() / 3 / counts).tolist(), rel=1e-6)
    network, images = torch.nn.Conv2d(1, 3, 1), torch.randn(3, 1, 5, 5)
    found, _ = task.learning(loss, data, CPU)(network, images, torch.from_numpy(masks))
    target = torch.from_numpy(masks).long()
    expected = functional.cross_entropy(network(images), target, weights, ignore_index=VOID)
    assert found.item() == pytest.approx(expected.item(), rel=1e-6)


def test_what_does_not_fit_the_classes_is_refused() -> None:
    with pytest.raises(AssayError, match="class_weights has 2 numbers, expected 3, one for each class: sky"):
        task.outputs(SumOfLosses(of=(CrossEntropy(class_weights=(1, 2)), Dice())), CLASSES)
    with pytest.raises(AssayError, match="at least 2 classes, and the data has 1: sky"):
        task.outputs(CrossEntropy(), ["sky"])


def recipe(loss: object, task: str = "segmentation") -> dict[str, object]:
    return {"task": task, "data": {"source": "x"}, "model": "mlp", "train": {"loss": loss}}


def test_a_list_is_short_for_a_sum() -> None:
    short = Recipe.model_validate(recipe(["cross_entropy", {"name": "focal", "gamma": 1}]))
    assert short.train.loss == SumOfLosses(of=(CrossEntropy(), Focal(gamma=1)))
    assert Recipe.model_validate(short.dump()).hash == short.hash


@pytest.mark.parametrize(
    ("loss", "sentence"),
    [
        (
            {"name": "sum", "of": ["dice"]},
            "train.loss.of: found ['dice'], expected a list of at least two losses of pixels",
        ),
        (["dice", "dic"], "train.loss.of.1: unknown name 'dic'; did you mean 'dice'?"),
        (
            {"name": "sum", "of": ["dice", "focal"], "weights": [1]},
            "train.loss: weights: found 1, expected one for each of the 2 losses",
        ),
    ],
)
def test_what_is_no_sum(loss: object, sentence: str) -> None:
    found = mistakes(Recipe, recipe(loss))
    assert len(found) == 1
    assert found[0].startswith(sentence)


def test_weights_by_name_fit_any_number_of_classes() -> None:
    for name in ("inverse", "median_frequency"):
        assert task.outputs(CrossEntropy(class_weights=name), CLASSES) == 3


def test_median_frequency_is_of_pixels_alone() -> None:
    loss = {"class_weights": "median_frequency"}
    assert not mistakes(Recipe, recipe(loss))
    assert mistakes(Recipe, recipe(loss, "classification")) == [
        "train.loss.class_weights: median_frequency is of pixels, and task classification has one label an image; "
        "expected inverse, or a number for each class"
    ]
