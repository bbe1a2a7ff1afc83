"""Does the order that ``assay rank`` gives without training agree with the order after training?

Every candidate is a pretrained network at an image size. ``assay.ranking.rank`` orders them by cross-SI, cross-CSI
and LogME; then a linear head is trained on each frozen backbone, with three seeds, and the mean test accuracies give
the order after training. Printed for each measure: Kendall's τ-b between the two orders, and what taking its first
would cost against the best. The weights come with the extra 'weights'. No target: the page docs/results/transfer says
what was seen.

    ASSAY_DATA=… python benchmarks/rank_against_training.py brain-mri --group 'aug_(.*)_\\d+_\\d+\\.'
    ASSAY_DATA=… python benchmarks/rank_against_training.py cifar10 --train 2000 --test 2000
"""

import argparse
import os
import sys
import tempfile
from pathlib import Path

import polars as pl
from benchmark import weather

from assay.runs.engine import run as run_study

MODELS = ["timm/tf_efficientnet_lite0", "timm/tf_efficientnet_lite1", "timm/tf_efficientnet_lite2"]
SIZES = [48, 64, 96, 128]
MEASURES = ["place", "cross_si", "cross_csi", "logme", "macs"]


def ranked(source: str, group: str | None, images: float, root: Path) -> pl.DataFrame:
    """The candidates and the measures that need no training, a row each."""
    from assay.tools.ranking import rank

    tables = [
        rank(source, MODELS, images=images, size=size, group=group, root=root).table.with_columns(side=pl.lit(size))
        for size in SIZES
    ]
    table = pl.concat(tables).drop("place")
    places = [pl.col(name).rank("average", descending=True) for name in ("cross_si", "cross_csi", "logme")]
    return table.with_columns(
        candidate=pl.col("model").str.strip_prefix("timm/tf_efficientnet_") + pl.format(" at {} px", "side"),
        place=-pl.mean_horizontal(places),
    )


def trained(table: pl.DataFrame, data: dict[str, object], seeds: int, root: Path) -> pl.DataFrame:
    """Mean test accuracy over the seeds of a linear head on each candidate, with its 95 % interval."""
    from assay import Study

    base = {
        "data": {**data, "size": 128},
        "model": {"name": MODELS[0], "pretrained": True, "freeze": "backbone", "head": ["batch_norm"]},
        "train": {"epochs": 20, "optimizer": {"name": "adam", "lr": 0.001}, "schedule": "cosine", "batch_size": 64},
        "evaluate": ["classification"],
    }
    variants = {
        row["candidate"]: {"model.name": row["model"], "data.size": row["side"]} for row in table.iter_rows(named=True)
    }
    study = Study(title="Heads on every candidate", name="rank", base=base, variants=variants, seeds=seeds)
    with tempfile.TemporaryDirectory() as out:
        results = run_study(study, out, data=root)
        found = results.table(["accuracy"])
    return found.select("variant", "accuracy", "accuracy_low", "accuracy_high")


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("source")
    options.add_argument("--group")
    options.add_argument("--train", type=float, help="of the training images, as in a recipe")
    options.add_argument("--test", type=float, help="of the test images, as in a recipe")
    options.add_argument("--images", type=float, default=1000, help="that rank looks at, of each split")
    options.add_argument("--seeds", type=int, default=3)
    asked = options.parse_args()
    root = Path(os.environ.get("ASSAY_DATA") or "data")
    if not any(root.glob(f"{asked.source}*")):
        print(f"skipped: no {asked.source} in {str(root)!r} (set ASSAY_DATA to the folder that holds it)")
        sys.exit(0)
    from scipy.stats import kendalltau

    data = {"source": asked.source, "group": asked.group, "train": asked.train, "test": asked.test}
    table = ranked(asked.source, asked.group, asked.images, root)
    accuracy = trained(table, {key: value for key, value in data.items() if value is not None}, asked.seeds, root)
    both = table.join(accuracy, left_on="candidate", right_on="variant").sort("accuracy", descending=True)
    with pl.Config(tbl_rows=-1, tbl_cols=-1, tbl_width_chars=160, tbl_hide_dataframe_shape=True):
        print(
            both.select(
                "candidate", "cross_si", "cross_csi", "logme", "macs", "accuracy", "accuracy_low", "accuracy_high"
            )
        )
    best = both["accuracy"].max()
    for name in MEASURES:
        tau = kendalltau(both[name], both["accuracy"])
        first = both.sort(name, descending=True).row(0, named=True)
        loss = f"{100 * (best - first['accuracy']):.1f} points below the best"
        print(f"{name:10} τ = {tau.statistic:+.2f} (p {tau.pvalue:.3f}); its first, {first['candidate']}: {loss}")
    print(weather())


if __name__ == "__main__":
    main()
