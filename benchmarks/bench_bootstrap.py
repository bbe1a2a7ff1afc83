"""The paired bootstrap of COCO's mAP and of mIoU, two networks on 500 images of 20 classes, 1,000 draws.

Random boxes: six objects an image, four of five found, and ``--detections`` boxes said of an image. Random counts of
pixels for mIoU. The reference takes the draws one after the other, and of each the classes and IoU thresholds, as one
writes it first; it makes a tenth of the draws, which must come out the same, and its time is multiplied by ten.

Targets: 5 CPU seconds each.
"""

import argparse
import time
from collections.abc import Callable
from itertools import product

import numpy as np
from benchmark import in_turn, verdict, weather

from assay.results.statistics.evidence import bootstrap
from assay.tasks.box_matching import HIT, MISS, Detections, Matches, Objects, match
from assay.tasks.box_scores import RECALLS, map_score
from assay.tasks.scores import Score, ratio_score

IMAGES, CLASSES, DRAWS, PART = 500, 20, 1000, 10


def seconds(work: Callable[[], object]) -> float:
    began = time.process_time()
    work()
    return time.process_time() - began


def boxes(generator: np.random.Generator, count: int) -> np.ndarray:
    corner, size = generator.uniform(0, 300, (count, 2)), generator.uniform(20, 100, (count, 2))
    return np.concatenate([corner, corner + size], axis=1).astype(np.float32)


def objects(generator: np.random.Generator) -> Objects:
    count = 6 * IMAGES
    labels = generator.integers(0, CLASSES, count)
    return Objects(boxes(generator, count), labels, np.zeros(count, dtype=np.uint8), np.arange(0, count + 1, 6))


def network(generator: np.random.Generator, truth: Objects, an_image: int, error: float) -> Matches:
    found = generator.random(len(truth.edges)) < 0.8
    hits, more = int(found.sum()), max(0, an_image * IMAGES - int(found.sum()))
    near = truth.edges[found] + generator.normal(0, error, (hits, 4)).astype(np.float32)
    images = np.concatenate([np.repeat(np.arange(IMAGES), 6)[found], generator.integers(0, IMAGES, more)])
    labels = np.concatenate([truth.labels[found], generator.integers(0, CLASSES, more)])
    scores = np.concatenate([generator.uniform(0.3, 1, hits), generator.uniform(0, 0.7, more)]).astype(np.float32)
    edges, order = np.concatenate([near, boxes(generator, more)]), np.argsort(images, kind="stable")
    starts = np.searchsorted(images[order], np.arange(IMAGES + 1))
    return match(truth, Detections(edges[order], labels[order], scores[order], starts), CLASSES)


def plain_map(matches: Matches) -> Score:
    def one(weights: np.ndarray) -> float:
        found = []
        for label, outcomes in product(range(CLASSES), matches.outcomes):
            rows = matches.labels == label
            outcome, counts = outcomes[rows], weights[matches.images[rows]]
            hits, misses = np.cumsum(counts * (outcome == HIT)), np.cumsum(counts * (outcome == MISS))
            precision = hits / (hits + misses + np.spacing(1))
            highest = np.append(np.maximum.accumulate(precision[::-1])[::-1], 0)
            recall = hits / (weights @ matches.objects[:, label])
            found.append(highest[np.searchsorted(recall, RECALLS)].mean())
        return float(np.mean(found))

    return lambda weights: np.array([one(row) for row in weights])


def plain_miou(hits: np.ndarray, unions: np.ndarray) -> Score:
    def one(weights: np.ndarray) -> float:
        classes = range(CLASSES)
        return float(np.mean([(weights * hits[:, c]).sum() / (weights * unions[:, c]).sum() for c in classes]))

    return lambda weights: np.array([one(row) for row in weights])


def measure(name: str, rounds: int, fast: list[Score], plain: list[Score]) -> None:
    few = DRAWS // PART
    ours, theirs = bootstrap(*fast, IMAGES, draws=few), bootstrap(*plain, IMAGES, draws=few)
    assert np.abs(np.subtract(ours, theirs)).max() < 1e-9, (ours, theirs)
    found = in_turn(
        rounds,
        fast=lambda: seconds(lambda: bootstrap(*fast, IMAGES, draws=DRAWS)),
        plain=lambda: PART * seconds(lambda: bootstrap(*plain, IMAGES, draws=few)),
    )
    ratio = found["plain"] / found["fast"]
    print(f"{name:>4}: {found['fast']:7.3f} CPU s; draw by draw {found['plain']:7.3f} CPU s, {ratio:.0f} times that")
    verdict(f"bootstrap of {name}, {DRAWS} draws", found["fast"], 5, " CPU s")


def main() -> None:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--detections", type=int, default=12)
    arguments.add_argument("--rounds", type=int, default=3)
    given = arguments.parse_args()

    generator = np.random.default_rng(0)
    truth = objects(generator)
    matches = [network(generator, truth, given.detections, error) for error in (4, 5)]
    unions = generator.integers(1, 5000, (2, IMAGES, CLASSES))
    pixels = [(generator.binomial(union, share), union) for union, share in zip(unions, (0.6, 0.62), strict=True)]
    print(f"{given.detections} detections an image ({weather()})")
    measure("mAP", given.rounds, [map_score(m) for m in matches], [plain_map(m) for m in matches])
    measure("mIoU", given.rounds, [ratio_score(*p) for p in pixels], [plain_miou(*p) for p in pixels])


if __name__ == "__main__":
    main()
