"""Fabricate the folder of a trained study, complete and plausible, without training anything.

``fabricate(tmp_path, make_study())`` returns ``tmp_path/<name>``, ready for ``Results.read``. The numbers are a
function of the arguments alone; ``metrics.json`` agrees with ``predictions.parquet``; the better variants come first.
"""

import io
import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import yaml
from PIL import Image
from safetensors.numpy import save_file

from assay.recipe.study import Study
from assay.recipe.variant import Variant

ACTIVATIONS = ["relu", "elu", "tanh", "gelu", "sigmoid"]
CLASSES = ["T-shirt", "trouser", "coat", "sandal"]
NASTY = [
    "<script>alert('x')</script>",
    'שלום & "quotes"',
    "a | b\\c_{d}%$#",
    "</td><img src=x onerror=alert(1)>",
    "{{ 7*7 }} ${x} '",
]
"""Names that break a page or a LaTeX table which does not escape them."""


def make_study(variants: int = 3, seeds: int | list[int] = 3, nasty: bool = False, **changes: Any) -> Study:
    """A study of activations, or with ``nasty`` of variants whose names break careless pages."""
    values: dict[str, Any] = {
        "title": 'Which <b>activation</b> is "best" & why? שאלה' if nasty else "Which activation suits the MLP?",
        "name": "synthetic",
        "base": {
            "data": {"source": "digits"},
            "model": {"name": "mlp", "hidden": [32], "activation": "relu"},
            "train": {"epochs": 4},
        },
        "seeds": seeds,
    }
    if nasty:
        names = [NASTY[i] if i < len(NASTY) else f"variant <{i}>" for i in range(variants)]
        values["variants"] = {name: {"train.optimizer.lr": 0.001 * (i + 1)} for i, name in enumerate(names)}
    elif variants <= len(ACTIVATIONS):
        values["vary"] = {"model.activation": ACTIVATIONS[:variants]}
    else:
        values["vary"] = {"train.batch_size": [8 * (i + 1) for i in range(variants)]}
    return Study.model_validate(values | changes)


def fabricate(
    root: Path,
    study: Study,
    *,
    classes: Sequence[str] = CLASSES,
    images: int = 400,
    accuracies: Sequence[float] = (),
    noise: float = 0.01,
    validation: bool = True,
    states: Mapping[tuple[str, int], str] | None = None,
    reason: str = "the loss is not finite at epoch 2",
    skipped: Sequence[tuple[str, str]] = (),
    one_test_set: bool = False,
) -> Path:
    """Write every run of ``study`` under ``root/<name>``.

    ``accuracies`` are the expected ones, per variant (0.9, 0.87, …); ``noise`` is their deviation over seeds.
    Every seed has a test set of its own but for ``one_test_set``.
    ``states`` maps (variant, seed) to waiting, running or failed; every other run is finished.
    """
    folder = root / study.name
    folder.mkdir(parents=True)
    (folder / "study.yaml").write_text(study.dump(), encoding="utf-8")
    _json(folder / "machine.json", {"threads": 2})
    for index, variant in enumerate(study.plan.values()):
        expected = accuracies[index] if index < len(accuracies) else max(0.9 - 0.03 * index, 1.5 / len(classes))
        for seed in study.seed_list:
            state = (states or {}).get((variant.name, seed), "finished")
            if state == "waiting":
                continue
            run = folder / variant.folder / f"seed-{seed}"
            run.mkdir(parents=True)
            _write_start(run, variant, seed, state, reason, list(classes), images, validation, skipped)
            random = np.random.default_rng([seed, index])
            if state == "finished":
                accuracy = float(np.clip(expected + noise * random.standard_normal(), 0, 1))
                tested = np.random.default_rng([0 if one_test_set else seed, 10_000])
                _write_end(run, variant, seed, accuracy, list(classes), images, validation, random, index, tested)
            else:
                _history(expected, 2, validation, random).write_parquet(run / "history.parquet")
    return folder


def _write_start(
    run: Path,
    variant: Variant,
    seed: int,
    state: str,
    reason: str,
    classes: list[str],
    images: int,
    validation: bool,
    skipped: Sequence[tuple[str, str]],
) -> None:
    recipe = variant.with_seed(seed)
    epochs = recipe.train.epochs
    (run / "recipe.yaml").write_text(yaml.safe_dump(recipe.dump(), sort_keys=False, allow_unicode=True), "utf-8")
    counts = {"train": 5 * images, "validation": images // 2 if validation else 0, "test": images}
    data = {"classes": classes, "shape": [1, 8, 8], "mean": [0.3], "std": [0.35], "counts": counts}
    _json(run / "data.json", data | {"skipped": [list(pair) for pair in skipped]})
    environment = {
        "assay": "0.1.0", "python": "3.11.2", "torch": "2.9.0", "device": "cpu", "threads": 2, "platform": "Linux",
        "cpu": "Example <CPU> & Sons", "command": 'assay run study.yaml --set "train.epochs=4"',
    }  # fmt: skip
    _json(run / "environment.json", environment)
    epoch = epochs if state == "finished" else 2
    (run / "log.txt").write_text("".join(f"epoch {e}/{epochs}\n" for e in range(1, epoch + 1)), encoding="utf-8")
    status = {"state": state, "epoch": epoch, "epochs": epochs, "reason": reason if state == "failed" else None}
    _json(run / "status.json", status | {"recipe_hash": recipe.hash, "updated": time.time()})


def _write_end(
    run: Path,
    variant: Variant,
    seed: int,
    accuracy: float,
    classes: list[str],
    images: int,
    validation: bool,
    random: np.random.Generator,
    index: int,
    tested: np.random.Generator,
) -> None:
    history = _history(accuracy, variant.recipe.train.epochs, validation, random)
    history.write_parquet(run / "history.parquet")
    test = _predictions("test", accuracy, classes, images, tested, random)
    parts = [test]
    if validation:
        held = np.random.default_rng([seed, 20_000])
        parts.append(_predictions("validation", accuracy, classes, images // 2, held, random))
    pl.concat(parts).write_parquet(run / "predictions.parquet")
    _pictures(test, random).write_parquet(run / "pictures.parquet")
    last = history.row(-1, named=True)
    metrics = _metrics(test, len(classes)) | {
        "train_loss": last["train_loss"],
        "train_accuracy": last["train_accuracy"],
    }
    if validation:
        metrics |= {key: last[key] for key in ("validation_loss", "validation_accuracy")}
    parameters = 2000 + 500 * index
    cost = {"parameters": parameters, "trainable_parameters": parameters, "macs": 2 * parameters}
    cost |= {"weight_bytes": 4 * parameters, "activation_bytes": 4096}
    _json(run / "metrics.json", metrics | cost)
    rate = 5000.0 + 100 * index + random.normal(0, 20)
    _json(
        run / "timing.json", {"training_seconds": float(history["seconds"].sum()), "inference_images_per_second": rate}
    )
    save_file({"0.weight": np.zeros((4, 4), np.float32)}, run / "model.safetensors")


def _history(accuracy: float, epochs: int, validation: bool, random: np.random.Generator) -> pl.DataFrame:
    epoch = np.arange(1, epochs + 1)
    reached = accuracy * (1 - np.exp(-1.5 * epoch)) + random.normal(0, 0.003, epochs)
    absent = [None] * epochs
    return pl.DataFrame(
        {
            "epoch": epoch,
            "lr": np.full(epochs, 0.001),
            "train_loss": 2.3 * (1 - reached) + 0.02,
            "train_accuracy": np.minimum(reached + 0.02, 1),
            "validation_loss": 2.3 * (1 - reached) + 0.05 if validation else absent,
            "validation_accuracy": np.minimum(reached, 1) if validation else absent,
            "seconds": random.uniform(0.9, 1.1, epochs),
        },
        schema_overrides={"validation_loss": pl.Float64, "validation_accuracy": pl.Float64},
    )


def _predictions(
    split: str, accuracy: float, classes: list[str], n: int, shared: np.random.Generator, random: np.random.Generator
) -> pl.DataFrame:
    """``shared`` draws what all variants of a seed have in common: the labels and how hard each image is."""
    labels = shared.integers(len(classes), size=n)
    labels[: len(classes)] = np.arange(len(classes))[:n]
    difficulty = shared.random(n) + random.normal(0, 0.05, n)
    wrong = np.argsort(-difficulty)[: n - round(accuracy * n)]
    predicted = labels.copy()
    predicted[wrong] = (labels[wrong] + random.integers(1, max(len(classes), 2), len(wrong))) % len(classes)
    scores = random.normal(0, 1, (n, len(classes)))
    scores[np.arange(n), predicted] = scores.max(axis=1) + random.exponential(1.5, n) + 0.01
    probabilities = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    rows = np.arange(n)
    return pl.DataFrame(
        {
            "split": [split] * n,
            "image": np.arange(n, dtype=np.int64) + (0 if split == "test" else 10_000),
            "name": [f"{split}/<{i:05d}> & co.png" for i in range(n)],
            "label": labels.astype(np.int64),
            "predicted": predicted.astype(np.int64),
            "confidence": probabilities[rows, predicted].astype(np.float32),
            "loss": -np.log(probabilities[rows, labels]).astype(np.float32),
            "probabilities": probabilities.astype(np.float32).tolist(),
        },
        schema_overrides={"probabilities": pl.List(pl.Float32)},
    )


def _metrics(test: pl.DataFrame, classes: int) -> dict[str, Any]:
    labels, predicted = test["label"].to_numpy(), test["predicted"].to_numpy()
    confusion = np.zeros((classes, classes), np.int64)
    np.add.at(confusion, (labels, predicted), 1)
    hits, support = np.diag(confusion), confusion.sum(axis=1)
    precision = hits / np.maximum(confusion.sum(axis=0), 1)
    recall = hits / np.maximum(support, 1)
    f1 = 2 * precision * recall / np.maximum(precision + recall, 1e-12)
    per_class = {"precision": precision, "recall": recall, "f1": f1}
    metrics: dict[str, Any] = {
        "accuracy": float((labels == predicted).mean()),
        "balanced_accuracy": float(recall.mean()),
    }
    metrics |= {f"{name}_macro": float(values.mean()) for name, values in per_class.items()}
    metrics |= {f"{name}_weighted": float(values @ support / support.sum()) for name, values in per_class.items()}
    metrics |= {f"{name}_per_class": values.tolist() for name, values in per_class.items()}
    metrics |= {"support_per_class": support.tolist(), "confusion_matrix": confusion.tolist()}
    if classes > 5:
        ranks = np.argsort(-np.stack(test["probabilities"].to_list()), axis=1)[:, :5]
        metrics["top_5_accuracy"] = float((ranks == labels[:, None]).any(axis=1).mean())
    return metrics | {"loss": float(test["loss"].cast(pl.Float64).mean())}  # type: ignore[arg-type]


def _pictures(test: pl.DataFrame, random: np.random.Generator) -> pl.DataFrame:
    """25 samples, up to 25 mistakes, the most confident first, and the 25 least confident."""
    mistakes = test.filter(pl.col("predicted") != pl.col("label")).sort("confidence", descending=True)
    kinds = {"sample": test, "mistake": mistakes, "unsure": test.sort("confidence")}
    rows = pl.concat([those.head(25).with_columns(kind=pl.lit(kind)) for kind, those in kinds.items()])
    pngs = [_png(random.integers(0, 256, (8, 8), np.uint8)) for _ in range(rows.height)]
    kept = rows.select("kind", "name", "label", "predicted", "confidence")
    return kept.with_columns(png=pl.Series(pngs, dtype=pl.Binary))


def _png(pixels: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).resize((32, 32)).save(buffer, "PNG")
    return buffer.getvalue()


def _json(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False), encoding="utf-8")
