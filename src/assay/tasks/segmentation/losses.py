"""Losses of label maps: void pixels are in none of them, and a batch that is all void has loss 0 and no gradient.

Dice and Lovász-softmax are of the pixels of a batch taken together, as a mean over the classes that the batch has.
What is measured is cross-entropy, whatever is minimised, so that variants trained under different losses compare.
"""

from collections.abc import Callable
from functools import partial

import torch
from jaxtyping import Bool, Float, Float32, Int64, UInt8
from torch import Tensor

from assay.data.targets import VOID
from assay.errors import AssayError
from assay.recipe import CrossEntropy, Dice, Focal, Loss, Lovasz, SumOfLosses
from assay.tasks.contract import Total
from assay.tasks.focal import focal
from assay.tasks.weighted import weighted_mean

Objective = Callable[[Tensor, Tensor], Tensor]
"""(logits (batch, classes, height, width), masks (batch, height, width)) → what is minimised, one number."""
Weights = Float32[Tensor, " classes"] | None
WeightsOf = Callable[[CrossEntropy | Focal], Weights]

Logits = Float[Tensor, "batch classes height width"]
Masks = UInt8[Tensor, "batch height width"]


def objective(loss: Loss, weights_of: WeightsOf, total: Total | None = None) -> Objective:
    """What a recipe's loss minimises; ``weights_of`` a loss with class weights are on the device of the batches, and
    ``total`` as of ``weighted_mean``, for the losses that are means over pixels."""
    match loss:
        case CrossEntropy():
            return partial(weighted, weights=weights_of(loss), label_smoothing=loss.label_smoothing, total=total)
        case Focal():
            return partial(weighted, weights=weights_of(loss), gamma=loss.gamma, total=total)
        case Dice():
            return dice
        case Lovasz():
            return lovasz_softmax
        case SumOfLosses():
            parts = [
                (weight, objective(part, weights_of, total)) for weight, part in zip(loss.factors, loss.of, strict=True)
            ]
            return lambda logits, masks: torch.stack([w * part(logits, masks) for w, part in parts]).sum()
        case _:
            raise AssayError(f"train.loss: '{loss.name}' is no loss of segmentation")


def smoothing_of(loss: Loss) -> float:
    """The label smoothing that is measured too, as of classification."""
    return loss.label_smoothing if isinstance(loss, CrossEntropy) else 0.0


def pixel_losses(logits: Logits, masks: Masks, label_smoothing: float = 0.0) -> Float32[Tensor, "batch height width"]:
    """Cross-entropy of each pixel, 0 where it is void; in float32 whatever the logits are in.

    Label smoothing: Szegedy et al., arXiv:1512.00567, section 7. Of maps torch's own loss is not deterministic on a
    card, and of rows it takes six times as long on a processor.
    """
    logs = logits.float().log_softmax(dim=1)
    losses = -torch.where(belonging(masks, logits.shape[1]), logs, 0.0).sum(dim=1)
    if not label_smoothing:
        return losses
    even = torch.where(masks == VOID, 0.0, -logs.mean(dim=1))
    return (1 - label_smoothing) * losses + label_smoothing * even


def of_pictures(losses: Float32[Tensor, "batch height width"], masks: Masks) -> Float32[Tensor, " batch"]:
    """The mean over the known pixels of each picture; nan where there are none."""
    return losses.sum(dim=(1, 2)) / (masks != VOID).sum(dim=(1, 2))


def weighted(
    logits: Logits,
    masks: Masks,
    weights: Weights = None,
    label_smoothing: float = 0.0,
    gamma: float = 0.0,
    total: Total | None = None,
) -> Float32[Tensor, ""]:
    """Σ w(class)·loss / Σ w(class) over the known pixels of the batch, the loss focused by ``gamma``.

    As in torch.nn.CrossEntropyLoss; of a smoothed loss the whole has the weight of its pixel's class.
    """
    losses, known = pixel_losses(logits, masks, label_smoothing), masks != VOID
    if gamma:
        losses = focal(losses, gamma)
    own = known.float() if weights is None else torch.where(known, weights[masks.long().where(known, 0)], 0.0)
    return weighted_mean(losses, own, total)


def dice(logits: Logits, masks: Masks) -> Float32[Tensor, ""]:
    """1 − mean over the classes present of 2·Σ p·y / (Σ p + Σ y), of the probabilities p and the truth y of pixels.

    Milletari et al., arXiv:1606.04797, with plain sums below the line as in Sudre et al., arXiv:1707.03237.
    """
    shares = logits.float().softmax(dim=1) * (masks != VOID)[:, None]
    there = belonging(masks, logits.shape[1])
    common, said, true = ((part).sum(dim=(0, 2, 3)) for part in (shares * there, shares, there))
    return mean_of_present(1 - 2 * common / (said + true).clamp_min(1.0), true)


def lovasz_softmax(logits: Logits, masks: Masks) -> Float32[Tensor, ""]:
    """The mean over the classes present of the Lovász extension of 1 − IoU at the errors of the probabilities.

    Berman, Triki, Blaschko, CVPR 2018, arXiv:1705.08790. A class's errors are 1 − p where it is true, else p; the
    extension is Σ errorᵢ·gᵢ over them from the largest, see ``lovasz_gradient``. Void pixels have no error, come last
    and add nothing.
    """
    shares, known = logits.float().softmax(dim=1), masks != VOID
    losses, counts = [], []
    for number in range(logits.shape[1]):
        there = masks == number
        errors = (there.float() - shares[:, number]).abs() * known
        ordered, order = errors.flatten().sort(descending=True)
        losses.append((ordered * lovasz_gradient(there.flatten()[order])).sum())
        counts.append(there.sum())
    return mean_of_present(torch.stack(losses), torch.stack(counts))


def lovasz_gradient(there: Bool[Tensor, " pixels"]) -> Float32[Tensor, " pixels"]:
    """What 1 − IoU of a class rises by when one pixel after the other is got wrong, ``there`` where it is true.

    With all pixels up to i wrong, Iᵢ of its pixels are still hit and the union is Uᵢ. A pixel of the class takes one
    from I and nothing from U: 1/Uᵢ. Any other leaves I and adds one to U: Iᵢ/(Uᵢ − 1) − Iᵢ/Uᵢ = Iᵢ/(Uᵢ·(Uᵢ − 1)).
    """
    true = there.sum()
    left, union = true - there.cumsum(0), true + (~there).cumsum(0)
    missed, added = 1 / union.clamp_min(1), left / (union * (union - 1)).clamp_min(1)
    return torch.where(there, missed, added)


def belonging(masks: Masks, classes: int) -> Bool[Tensor, "batch classes height width"]:
    """Of each class which pixels are its; a void pixel is of none."""
    numbers = torch.arange(classes, dtype=torch.uint8, device=masks.device)
    return masks[:, None] == numbers[:, None, None]


def mean_of_present(
    losses: Float32[Tensor, " classes"], pixels: Int64[Tensor, " classes"] | Float32[Tensor, " classes"]
) -> Float32[Tensor, ""]:
    """Over the classes that have pixels; 0 where none has."""
    present = pixels > 0
    return torch.where(present, losses, 0.0).sum() / present.sum().clamp_min(1)
