"""The words of the page that not every reader knows, each with its meaning, and where they stand in a text."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from markupsafe import Markup, escape

from assay.language.speech import Language, say, spoken


@dataclass(frozen=True)
class Term:
    """A word, as the page writes it, and its meaning."""

    anchor: str
    words: tuple[str, ...]
    meaning: str


TERMS = (
    Term("together", ("hold together",),
         "In that share of studies all these intervals at once have the true difference in them, so that any variant, "
         "the best too, may be taken as the reference. Where one excludes 0 the page speaks of better or worse."),
    Term("tukey", ("Tukey's intervals", "Tukey's"),
         "Intervals of all differences between variants that hold together; how much runs vary is estimated from all "
         "variants at once."),
    Term("dunnett", ("Dunnett's intervals",),
         "The same of the differences to one reference that was named beforehand, which are fewer."),
    Term("flip", ("sign-flip",),
         "Asks how many ways of swapping the two variants, seed by seed, would give a difference at least as large."),
    Term("t", ("95 % t interval", "95\u00a0% t interval", "t interval"),
         "From so many seeds, the mean over all possible seeds lies in it with 95 % confidence, if values are roughly "
         "normal (Student's t). It does not speak of other test images."),
    Term("paired", ("paired t test", "Paired differences", "paired t interval"),
         "Differences are taken between runs of the same seed, that is the same split and the same order of images, so "
         "that what the seed does to both cancels out."),
    Term("bootstrap", ("bootstrap interval", "bootstrap over test images", "bootstrap over originals"),
         "The test images are drawn again and again with replacement; the interval holds the middle 95 % of the "
         "differences found, and is wider where several have to hold together. It speaks of these trained networks, "
         "not of training again."),
    Term("mcnemar", ("McNemar's exact test", "McNemar"),
         "Compares two networks by the images that exactly one of them gets right: were they alike, each would be as "
         "often the one."),
    Term("images", ("± by images", "± by seeds"),
         "How much of the interval is due to the seeds, and how much no number of seeds takes away, as it is due to "
         "the choice of the test images. They add up in squares."),
    Term("base", ("base",), "The variant that the others are compared to: the study's base recipe, unchanged."),
    Term("reference", ("to reference", "to the reference", "with the reference"),
         "The variant that the study names, before any run, as the one that the others are compared to."),
    Term("balanced", ("balanced accuracy",), "The mean over classes of the share of their images that is right."),
    Term("macro", ("macro",),
         "The mean over classes, every class alike. A class without test images has no value and is left out; of "
         "pixels, one that neither occurs nor is said."),
    Term("weighted", ("weighted",), "The mean over classes, each by its number of test images."),
    Term("micro", ("micro",), "Of the hits, misses and false alarms of all labels counted together."),
    Term("f1", ("F1",),
         "2·hits / (2·hits + misses + false alarms): high only where both precision and recall are."),
    Term("precision", ("precision",), "Of the images (boxes, pixels) that were given a class, the share that has it."),
    Term("recall", ("recall",), "Of the images (objects, pixels) that have a class, the share that was given it."),
    Term("auc", ("ROC AUC", "ROC"),
         "The area under the curve of true against false positive rate: how probable it is that an image of the class "
         "scores higher than one of another. 0.5 is chance, 1 perfect. It needs no threshold."),
    Term("ap", ("average precision",),
         "The area under the precision–recall curve: the mean precision as recall grows."),
    Term("map", ("mAP",),
         "COCO's mean average precision: of each class the precision at 101 recalls, averaged over overlaps (IoU) from "
         "0.50 to 0.95 and over the classes; of boxes with a score of 0.001 or more, after NMS at an IoU of 0.6, at "
         "most 100 of a class and image, unless the page says otherwise."),
    Term("map50", ("mAP50", "AP50"), "The same at the one overlap (IoU) of 0.5, at which a loose box counts as found."),
    Term("map75", ("mAP75",), "The same at the one overlap (IoU) of 0.75, which asks for boxes that fit."),
    Term("nms", ("NMS",),
         "Non-maximum suppression: of two boxes of a class that overlap by more than a given IoU, the one of the lower "
         "score is removed."),
    Term("exact", ("exact match",), "The share of images with every label right."),
    Term("miou", ("mIoU", "mean IoU"),
         "The mean over classes of the IoU, taken over all test images together; a class that neither occurs nor is "
         "said is left out."),
    Term("iou", ("IoU",),
         "Intersection over union: of the pixels that are of a class or were given it (of two boxes: that lie in "
         "either), the share of which both is true. 1 is perfect."),
    Term("dice", ("Dice",), "2·IoU / (1 + IoU), which is F1 of the pixels."),
    Term("boundary", ("boundary IoU",),
         "The IoU of the pixels close to the outlines alone: it asks whether the shape is right, not the area."),
    Term("loss", ("test loss",), "What training minimises, on test images, without class weights."),
    Term("r2", ("R²",), "The share of the targets' variance that is explained; 0 is as good as their mean, 1 perfect."),
    Term("mae", ("MAE",), "Mean absolute error, in the target's unit."),
    Term("rmse", ("RMSE",), "Root of the mean squared error, in the target's unit; large errors weigh more."),
    Term("spearman", ("Spearman's ρ",), "The correlation of ranks: 1 where a larger truth always has a larger answer."),
    Term("si", ("SI", "SI-train", "SI-validation", "SI-test"),
         "Separation index of a layer: the share of images whose nearest neighbour, by the layer's activations, is of "
         "their own class."),
    Term("csi", ("CSI", "CSI-train", "CSI-validation", "CSI-test"),
         "Centre separation index: the share of images that are nearer to the centre of their own class than to any "
         "other."),
    Term("smi", ("SmI", "SmI-train", "SmI-validation", "SmI-test"),
         "Smoothness index of a layer: how close the target of an image is to that of its nearest neighbour, by the "
         "layer's activations; 1 is as close as can be."),
    Term("ece", ("ECE", "calibration error"),
         "Expected calibration error: how far, on average, the probability of the answer is from the share that is "
         "right. 0 is best."),
    Term("nll", ("NLL", "negative log-likelihood"),
         "Mean of −log of the probability given to what is true; it punishes being sure and wrong. Smaller is better."),
    Term("brier", ("Brier score", "Brier"),
         "Mean squared distance between the probabilities and the truth, 0 to 2; 0 is best."),
    Term("aurc", ("AURC", "risk–coverage"),
         "The share of errors that remains when the least sure answers are withheld, over all shares of them."),
    Term("temperature", ("temperature",),
         "A number that all outputs are divided by, tuned on validation images, for honest probabilities."),
    Term("macs", ("MACs", "multiply-accumulates"), "Multiplications, each with an addition, for one image."),
    Term("parameters", ("parameters",), "The numbers that make up the network."),
)  # fmt: skip
"""One word may be written in several ways; of two that overlap the longer counts."""


def with_terms(text: str) -> Markup:
    """``text`` escaped, the first place of each term made a button that opens its meaning."""
    return Markup("").join(_pieces(text))


def _pieces(text: str) -> Iterator[Markup]:
    seen, end = set[str](), 0
    anchors = _anchors(spoken())
    for found in _pattern(spoken()).finditer(text):
        anchor = anchors[found[0]]
        if anchor in seen:
            continue
        seen.add(anchor)
        yield escape(text[end : found.start()])
        yield Markup('<button type="button" class="term" popovertarget="term-{}">{}</button>').format(anchor, found[0])
        end = found.end()
    yield escape(text[end:])


@cache
def _anchors(language: Language) -> dict[str, str]:
    return {say(word): term.anchor for term in TERMS for word in term.words}


@cache
def _pattern(language: Language) -> re.Pattern[str]:
    longest = sorted(_anchors(language), key=len, reverse=True)
    return re.compile(rf"(?<![\w-])(?:{'|'.join(map(re.escape, longest))})(?![\w-])")
