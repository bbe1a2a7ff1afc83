"""Which metrics a reader of the page may choose: what is worth comparing, and can be before the page is written."""

import fnmatch
from collections.abc import Iterable

from assay.recipe.tasks import TASKS
from assay.results import Results
from assay.results.metrics import is_of_one, known

QUALITY = (
    "mae", "rmse", "mae_*", "spearman", "smi_test", "rmse_*",
    "si_train", "si_test", "csi_train", "csi_test",
    "balanced_accuracy", "roc_auc_macro", "average_precision_macro", "f1_macro", "f1_micro", "exact_match", "loss",
    "map_50", "map_75", "recall_100", "f1", "train_accuracy",
)  # fmt: skip
"""What the table shows beside the page's metric, a pattern for families; the CSV has every metric."""
MOST = 12
MOST_ANSWERS = 20_000
"""So many answers, of all comparisons of one metric, are drawn from for a metric that was not asked for: seconds."""
BOXES = 100
"""About so many count of an image."""


def quality_metrics(names: Iterable[str]) -> list[str]:
    """Those of ``names`` that ``QUALITY`` has, in its order."""
    there = list(names)
    return [name for pattern in QUALITY for name in fnmatch.filter(there, pattern)]


def choices(results: Results, leading: str, variants: int, losses_differ: bool) -> list[str]:
    """The metrics beside the leading one: of those with a better side that differ between runs, quality first.

    Of a single label or target only what the table shows. Where seeds were not varied a metric of the answers takes
    draws over the test images for every pair of variants; it is left out where they are many.
    """
    if variants < 2:
        return []
    names, frame = results.metric_names, results.frame
    first = dict.fromkeys(quality_metrics(names))
    rest = [name for name in names if not is_of_one(name) and not name.startswith(("train_", "validation_"))]
    slow = _answers(results, variants) > MOST_ANSWERS
    found = [leading]
    for name in first | dict.fromkeys(rest):
        tells = known(name).better and frame[name].n_unique() > 1
        repeats = any(frame[name].equals(frame[other]) for other in found)
        unlike = losses_differ and name.endswith("loss")
        if tells and not (repeats or unlike or (slow and known(name).of == "answers")):
            found.append(name)
    return found[1:MOST]


def _answers(results: Results, variants: int) -> int:
    """How many answers the comparisons of one metric would draw from; 0 where they are over seeds. Every box is one."""
    if len(results.finished) > variants:
        return 0
    images = results.data(results.finished[0])["counts"].get("test", 0)
    each = BOXES if TASKS[results.study.task].target == "boxes" else 1
    return int(images) * each * variants * (variants + 1) // 2
