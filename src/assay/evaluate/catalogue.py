"""The only place that maps a measure's name to its function. Importing it does not import torch."""

MEASURES: dict[str, tuple[str, str]] = {
    "classification": (
        "assay.tasks.classification.measure:measure",
        "accuracy, precision, recall, F1, top-k, confusion matrix, losses",
    ),
    "multilabel": (
        "assay.tasks.multilabel.measure:measure",
        "average precision, F1, precision and recall of each label and their means, exact match, losses",
    ),
    "curves": (
        "assay.tasks.curves:measure",
        "ROC and precision-recall curves of each class or label, ROC AUC and average precision (macro)",
    ),
    "regression": (
        "assay.tasks.regression.measure:measure",
        "R², Spearman, MAE, RMSE, errors by decile of the truth, losses",
    ),
    "segmentation": (
        "assay.tasks.segmentation.measure:measure",
        "IoU, Dice, precision and recall of each class and their means, the same near borders, losses",
    ),
    "detection": (
        "assay.tasks.detection.measure:measure",
        "COCO's twelve numbers, AP of each class, kinds of error, precision and recall at thresholds, calibration",
    ),
    "cost": (
        "assay.evaluate.cost:measure",
        "parameters, multiply-accumulates, bytes, seconds of training, images per second",
    ),
    "separation": (
        "assay.evaluate.separation:measure",
        "how well the classes are kept apart, or numbers in order, layer by layer",
    ),
    "uncertainty": (
        "assay.evaluate.uncertainty:measure",
        "how far the answers may be believed: plain, by temperature, with dropout injected",
    ),
    "diagnosis": (
        "assay.evaluate.diagnosis:measure",
        "what the course of the training says of it: exploded, not learning, unfinished and the like",
    ),
}
"""Name → (where the function is, what it measures)."""

CHECKS = {
    "separation": "assay.evaluate.separation:check",
    "uncertainty": "assay.evaluate.uncertainty:check",
}
"""Name → where the function is that finds, before training, what a network cannot be measured by."""
