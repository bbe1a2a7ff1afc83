"""What the runs of a fabricated study would keep, had they been of detection: tables, numbers and pictures of boxes."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars as pl

from assay.data import ImageData, ImageSet
from assay.data.targets import Values
from assay.recipe.study import Study
from assay.tasks.box_matching import Detections, Objects
from assay.tasks.detection.pictures import gallery
from assay.tasks.detection.predictions import Predictions
from synthetic import fabricate, make_study

CLASSES = ["red cell", "white <cell>", "platelet"]
COUNTS = [800, 70, 69]
KINDS = ("class", "place", "both", "copy", "background", "missed")
SIZES = {"small": 7, "medium": 295, "large": 637}
THRESHOLDS = np.array([0.4, 0.6, 0.3])
SIDES = (120, 160)
"""Height and width of the pictures' files."""
IMAGES = 60
"""To test."""


BASE = {
    "task": "detection",
    "data": {"source": "scattered-digits"},
    "model": {"name": "yolo", "size": "n"},
    "train": {"epochs": 4},
}
COST = ("parameters", "trainable_parameters", "macs", "weight_bytes", "activation_bytes")


def box_study(sizes: Sequence[str] = "nsm", seeds: int = 2) -> Study:
    """A study of networks in several sizes."""
    return make_study(seeds=seeds, base=BASE, vary={"model.size": list(sizes)})


def box_runs(root: Path, study: Study) -> Path:
    """The folder of ``study`` with finished runs, as ``synthetic.fabricate`` has them, but of detection."""
    folder = fabricate(root, study, classes=CLASSES)
    for index, variant in enumerate(study.plan.values()):
        for seed in study.seed_list:
            run = folder / variant.folder / f"seed-{seed}"
            _write(run, 0.08 * index, np.random.default_rng([seed, index]), seed)
    return folder


def _write(run: Path, loss: float, random: np.random.Generator, seed: int) -> None:
    ap_50 = np.clip(np.array([0.85, 0.97, 0.8]) - loss + random.normal(0, 0.01, 3), 0, 1)
    ap, quality = 0.6 * ap_50, 1 - loss
    shares = {"ap": ap, "ap_50": ap_50, "precision": 0.9 * ap_50, "recall": ap_50, "f1": 0.95 * ap_50}
    frame = {"class": CLASSES, **shares, "threshold": THRESHOLDS + random.normal(0, 0.02, 3), "boxes": COUNTS}
    pl.DataFrame(frame).write_parquet(run / "classes.parquet")
    _answers(quality, np.random.default_rng(seed)).table("test", [f"{i}.png" for i in range(IMAGES)]).write_parquet(
        run / "predictions.parquet"
    )
    _curves(run, ap_50)
    said = [*CLASSES, "background"]
    counts = np.diag([*(int(0.9 * n * quality) for n in COUNTS), 0]) + random.integers(0, 9, (4, 4))
    counts[3, 3] = 0
    pairs = {"true": np.repeat(said, 4).tolist(), "said": said * 4, "count": counts.ravel()}
    pl.DataFrame(pairs).write_parquet(run / "box_confusion.parquet")
    costs = np.array([0.02, 0.05, 0.002, 0.01, 0.03, 0.06]) * (1 + loss) + random.uniform(0, 0.004, 6)
    kinds = {"kind": KINDS, "count": random.integers(3, 60, 6), "cost": costs}
    pl.DataFrame(kinds).write_parquet(run / "box_errors.parquet")
    by_size = np.array([0.12, 0.45, 0.6]) * quality
    sizes = {"size": list(SIZES), "boxes": list(SIZES.values()), "ap": by_size, "recall": by_size + 0.1}
    pl.DataFrame(sizes).write_parquet(run / "box_sizes.parquet")
    bins = np.arange(0.05, 1, 0.1)
    right = {"bin": range(10), "confidence": bins, "precision": bins**1.5, "count": random.integers(0, 300, 10)}
    pl.DataFrame(right).write_parquet(run / "box_calibration.parquet")
    metrics = {"map": ap.mean(), "map_50": ap_50.mean(), "map_75": 0.55 * ap_50.mean(), "recall_100": 0.7 * quality}
    metrics |= {f"error_{kind}": cost for kind, cost in zip(KINDS, costs, strict=True)}
    metrics |= {"ece": 0.08, "ece_tempered": 0.03, "temperature": 1.4, "count_error": 1.2 + loss}
    metrics |= {"score_floor": 0.001, "nms": 0.6, "most": 300}
    metrics |= {f"threshold_{name}": at for name, at in zip(CLASSES, THRESHOLDS, strict=True)}
    path = run / "metrics.json"
    there = json.loads(path.read_text(encoding="utf-8"))
    metrics = {name: float(number) for name, number in metrics.items()} | {name: there[name] for name in COST}
    path.write_text(json.dumps(metrics), encoding="utf-8")
    epoch = np.arange(1, 5)
    parts = {"train_class": 2 / epoch, "train_box": 1 / epoch, "validation_map": ap.mean() * (1 - 1 / (epoch + 1))}
    history = {
        "epoch": epoch,
        "lr": 0.01 / epoch,
        "train_loss": 3 / epoch,
        "validation_loss": [None] * 4,
        **parts,
        "seconds": np.ones(4),
    }
    pl.DataFrame(history).write_parquet(run / "history.parquet")
    _pictures(seed, random).write_parquet(run / "pictures.parquet")


def _curves(run: Path, ap_50: np.ndarray) -> None:
    recalls, thresholds = np.linspace(0, 1, 101), np.linspace(0, 1, 101)
    pr, over = [], []
    for name, area in zip(CLASSES, ap_50, strict=True):
        precision = np.where(recalls <= area, 1 - 0.2 * recalls**4, 0.0)
        pr.append(pl.DataFrame({"class": name, "recall": recalls, "precision": precision}))
        p, r = 0.3 + 0.7 * thresholds**0.5, area * (1 - thresholds**3)
        f1 = 2 * p * r / (p + r)
        over.append(pl.DataFrame({"class": name, "threshold": thresholds, "precision": p, "recall": r, "f1": f1}))
    pl.concat(pr).write_parquet(run / "pr_curves.parquet")
    pl.concat(over).write_parquet(run / "threshold_curves.parquet")


def _pictures(seed: int, random: np.random.Generator, n: int = 40) -> pl.DataFrame:
    """Of ``n`` pictures with five objects each, most of them found, a little aside, and some boxes on nothing."""
    height, width = SIDES
    corners = random.uniform(0, (width - 50, height - 50), (5 * n, 2))
    edges = np.concatenate([corners, corners + random.uniform(12, 50, (5 * n, 2))], axis=1).astype(np.float32)
    labels = random.integers(0, 3, 5 * n)
    starts = np.arange(0, 5 * n + 1, 5)
    aside = edges + random.normal(0, 3, edges.shape).astype(np.float32)
    aside[::9] += 40
    scores = random.beta(4, 2, 5 * n).astype(np.float32)
    named = np.where(random.random(5 * n) < 0.1, (labels + 1) % 3, labels)
    pixels = np.full((n, 3, *SIDES), 200, np.uint8) - random.integers(0, 40, (n, 3, *SIDES), dtype=np.uint8)
    for i, (x1, y1, x2, y2) in enumerate(edges.astype(int).tolist()):
        pixels[i // 5, labels[i], y1:y2, x1:x2] = 90
    images = ImageSet(
        pixels=pixels,
        targets=Values(np.zeros((n, 1)), ("none",)),
        names=[f"cells/image-<{i:03d}>.png" for i in range(n)],
        is_test=np.ones(n, bool),
        classes=CLASSES,
        skipped=[],
    )
    data = ImageData(images, {"test": np.arange(n)}, np.full(3, 0.5, np.float32), np.full(3, 0.25, np.float32))
    objects = Objects(edges, labels, np.zeros(5 * n, np.int64), starts)
    said = Detections(aside, named, scores, starts)
    return gallery(objects, said, np.arange(n), np.tile(np.array(SIDES), (n, 1)), THRESHOLDS, data, seed)


def _answers(quality: float, random: np.random.Generator) -> Predictions:
    """One box in every picture, and one that is said: of the right class in ``quality`` of them."""
    labels, each = np.arange(IMAGES) % len(CLASSES), np.arange(IMAGES + 1)
    edges = np.tile(np.array([[20, 30, 60, 80]], dtype=np.float32), (IMAGES, 1))
    said = np.where(random.random(IMAGES) < quality, labels, (labels + 1) % len(CLASSES))
    scores = random.uniform(0.3, 1, IMAGES).astype(np.float32)
    return Predictions(
        np.arange(IMAGES),
        tuple(CLASSES),
        Objects(edges, labels, np.zeros(IMAGES, dtype=np.int64), each),
        Detections(edges, said, scores, each),
        np.tile(np.array(SIDES), (IMAGES, 1)),
        scores >= THRESHOLDS[said],
        np.full(IMAGES, 1.4),
    )
