"""How often the network is right, and about what it is wrong.

A class without an image has no precision, recall or F1, and every mean over classes is over the others; one that has
images and is never predicted has precision and F1 0.
"""

import numpy as np
from sklearn.metrics import confusion_matrix, precision_recall_fscore_support

from assay.recipe import ClassificationMeasure
from assay.tasks.classification.predictions import Predictions
from assay.tasks.contract import Trained, Value
from assay.tasks.predicting import scores


def measure(trained: Trained, options: ClassificationMeasure) -> dict[str, Value]:
    """Values over the test images, and of the other splits ``<split>_loss`` and ``<split>_accuracy``."""
    values = quality(trained.predictions["test"], options.top_k)
    for split, predictions in trained.predictions.items():
        if split != "test":
            values |= {f"{split}_{name}": value for name, value in scores(predictions, ("loss", "accuracy")).items()}
    return values


def quality(predictions: Predictions, top_k: tuple[int, ...] = ()) -> dict[str, Value]:
    """Accuracy, precision, recall, F1, support, confusion matrix (rows true, columns predicted) and mean loss.

    Lists are in the order of the classes, None for one without an image. ``macro`` is the mean over the classes that
    have images, ``weighted`` the mean over images; balanced accuracy is another name of macro recall. A k that is not
    below the number of classes is left out of ``top_k``: top-k accuracy is 1 there by definition.
    """
    labels, predicted = predictions.labels, predictions.predicted
    classes = range(predictions.probabilities.shape[1])
    table = confusion_matrix(labels, predicted, labels=classes)
    precision, recall, f1, support = precision_recall_fscore_support(
        labels, predicted, labels=classes, average=None, zero_division=0.0
    )
    there = support > 0
    values: dict[str, Value] = {
        **scores(predictions, ("accuracy", "loss")),
        "balanced_accuracy": float(recall[there].mean()),
        "confusion_matrix": table.tolist(),
        "support_per_class": support.astype(int).tolist(),
    }
    for name, of_class in {"precision": precision, "recall": recall, "f1": f1}.items():
        values[f"{name}_macro"] = float(of_class[there].mean())
        values[f"{name}_weighted"] = float(np.average(of_class, weights=support))
        values[f"{name}_per_class"] = [float(v) if exists else None for v, exists in zip(of_class, there, strict=True)]
    for k in top_k:
        if k < len(classes):
            values[f"top_{k}_accuracy"] = float(predictions.among(k).mean())
    return values
