"""What is known of the metrics of classification: of the measures ``classification`` and ``curves``."""

from functools import partial

from assay.language.speech import later
from assay.tasks.metric import LOSS, NOT_NEGATIVE, TO_ONE, Metric

_share = partial(Metric, better="higher", of="answers", unit="share", within=TO_ONE)
_area = partial(Metric, better="higher", of="answers", within=TO_ONE)
_loss = partial(Metric, better="lower", of="answers", within=NOT_NEGATIVE)

CLASSIFICATION = (
    _share("accuracy", "accuracy", than=later("{better} is better than {worse}")),
    _share("balanced_accuracy", "balanced accuracy"),
    _share("top_{k}_accuracy", "top-{k} accuracy", where={"k": "[1-9][0-9]*"}),
    _share("f1_macro", "F1 (macro)"),
    _share("precision_macro", "precision (macro)"),
    _share("recall_macro", "recall (macro)"),
    _share("f1_weighted", "F1 (weighted)"),
    _share("precision_weighted", "precision (weighted)"),
    _share("recall_weighted", "recall (weighted)"),
    _area("roc_auc_macro", "ROC AUC (macro)"),
    _area("average_precision_macro", "average precision (macro)"),
    LOSS,
    _share("validation_accuracy", "validation accuracy"),
    _loss("validation_loss", "validation loss"),
    _share("train_accuracy", "train accuracy"),
    _loss("train_loss", "train loss"),
)
