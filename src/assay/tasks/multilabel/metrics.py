"""What is known of the metrics of multi-label classification: of the measures ``multilabel`` and ``curves``."""

from functools import partial

from assay.tasks.metric import NOT_NEGATIVE, TO_ONE, Metric

_share = partial(Metric, better="higher", of="answers", unit="share", within=TO_ONE)
_area = partial(Metric, better="higher", of="answers", within=TO_ONE)
_loss = partial(Metric, better="lower", of="answers", within=NOT_NEGATIVE)
_LABEL = {"label": "(?!(macro|micro|weighted)$).+"}
"""A label of that name has no number of its own beside the means; in the table ``labels`` it stands with the others."""

MULTILABEL = (
    _area("average_precision_macro", "average precision (macro)"),
    _area("roc_auc_macro", "ROC AUC (macro)"),
    _share("f1_macro", "F1 (macro)"),
    _share("f1_micro", "F1 (micro)"),
    _share("precision_macro", "precision (macro)"),
    _share("recall_macro", "recall (macro)"),
    _share("exact_match", "exact match"),
    _share("hamming_loss", "share of wrong labels", better="lower"),
    _loss("loss", "test loss"),
    _area("validation_average_precision_macro", "validation average precision (macro)"),
    _loss("validation_loss", "validation loss"),
    _area("train_average_precision_macro", "train average precision (macro)"),
    _loss("train_loss", "train loss"),
    _area("average_precision_{label}", "average precision of {label}", where=_LABEL),
    _share("f1_{label}", "F1 of {label}", where=_LABEL),
)
