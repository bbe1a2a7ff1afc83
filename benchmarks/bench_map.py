"""COCO's twelve numbers of 5,000 images with 20 boxes each, beside pycocotools: processor seconds and memory.

    python benchmarks/bench_map.py [--images 5000] [--classes 20] [--said 40] [--reference]

Each object has a detection that is moved by up to a fifth of its size; the others lie anywhere. ``--reference`` runs
pycocotools on the same boxes in a process of its own, and says how far the numbers are apart.
"""

import argparse
import contextlib
import io
import json
import resource
import time

import numpy as np

from assay.tasks.box_matching import AREAS, Detections, Objects, match
from assay.tasks.box_scores import map_score, recall_score

BOXES = 20


def scene(images: int, classes: int, said: int) -> tuple[Objects, Detections]:
    """Objects, a hundredth of them crowds, and what is said of them."""
    rng = np.random.default_rng(0)
    corner, size = rng.uniform(0, 500, (images, BOXES, 2)), rng.lognormal(4, 0.8, (images, BOXES, 2))
    there = np.concatenate([corner, corner + size], axis=2).astype(np.float32)
    labels = rng.integers(0, classes, (images, BOXES))
    flags = 2 * (rng.random((images, BOXES)) < 0.01)
    truth = Objects(there.reshape(-1, 4), labels.ravel(), flags.ravel(), np.arange(images + 1) * BOXES)
    others = said - BOXES
    far, wide = rng.uniform(0, 500, (images, others, 2)), rng.lognormal(4, 0.8, (images, others, 2))
    near = there + rng.uniform(-0.2, 0.2, there.shape) * np.tile(size, 2)
    near[..., 2:] = np.maximum(near[..., 2:], near[..., :2] + 1)
    edges = np.concatenate([near, np.concatenate([far, far + wide], axis=2)], axis=1).astype(np.float32)
    guesses = np.concatenate([labels, rng.integers(0, classes, (images, others))], axis=1)
    scores = np.concatenate([rng.beta(4, 2, (images, BOXES)), rng.beta(1, 5, (images, others))], axis=1)
    shape = (edges.reshape(-1, 4), guesses.ravel(), scores.ravel().astype(np.float32), np.arange(images + 1) * said)
    return truth, Detections(*shape)


def twelve(truth: Objects, said: Detections, classes: int) -> list[float]:
    """AP, AP50, AP75, AP by area, AR by detections and by area."""
    by_area = {area: match(truth, said, classes, area) for area in AREAS}
    ones, whole = np.ones((1, truth.starts.size - 1)), by_area["all"]
    sizes = [by_area[area] for area in ("small", "medium", "large")]
    found = [map_score(whole, iou) for iou in (None, 0.5, 0.75)] + [map_score(each) for each in sizes]
    found += [recall_score(whole, most) for most in (1, 10, 100)] + [recall_score(each, 100) for each in sizes]
    return [float(score(ones)[0]) for score in found]


def reference(truth: Objects, said: Detections, classes: int) -> list[float]:
    """The same by pycocotools."""
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    def records(boxes: Objects | Detections) -> list[dict[str, object]]:
        owner = np.repeat(np.arange(boxes.starts.size - 1), np.diff(boxes.starts)).tolist()
        sides = boxes.edges[:, 2:].astype(float) - boxes.edges[:, :2]
        rows = zip(owner, boxes.labels.tolist(), np.hstack([boxes.edges[:, :2], sides]).tolist(), strict=True)
        return [
            {"id": i + 1, "image_id": image, "category_id": label, "bbox": box, "area": box[2] * box[3], "iscrowd": 0}
            for i, (image, label, box) in enumerate(rows)
        ]

    there, found = records(truth), records(said)
    for record, flag in zip(there, truth.flags.tolist(), strict=True):
        record["iscrowd"] = int(flag != 0)
    for record, score in zip(found, said.scores.tolist(), strict=True):
        record["score"] = score
    images = [{"id": i} for i in range(truth.starts.size - 1)]
    with contextlib.redirect_stdout(io.StringIO()):
        known, told = COCO(), COCO()
        known.dataset = {
            "images": images,
            "categories": [{"id": c} for c in range(classes)],
            "annotations": there,
        }
        told.dataset = known.dataset | {"annotations": found}
        known.createIndex()
        told.createIndex()
        judged = COCOeval(known, told, "bbox")
        judged.evaluate()
        judged.accumulate()
        judged.summarize()
    return [float(value) for value in judged.stats]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--images", type=int, default=5000)
    parser.add_argument("--classes", type=int, default=20)
    parser.add_argument("--said", type=int, default=40, help="detections an image, at least 20")
    parser.add_argument("--reference", action="store_true")
    asked = parser.parse_args()
    truth, said = scene(asked.images, asked.classes, asked.said)
    began = time.process_time()
    ours = twelve(truth, said, asked.classes)
    seconds, peak = time.process_time() - began, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{asked.images:,} images, {asked.images * BOXES:,} objects, {said.scores.size:,} detections", flush=True)
    print(f"assay: twelve numbers in {seconds:.2f} processor seconds, the process at most {peak:.0f} MB")
    print(json.dumps([round(value, 4) for value in ours]))
    if asked.reference:
        began = time.process_time()
        theirs = reference(truth, said, asked.classes)
        print(f"pycocotools: {time.process_time() - began:.2f} processor seconds")
        print(f"largest difference: {max(abs(a - b) for a, b in zip(ours, theirs, strict=True)):.1e}")


if __name__ == "__main__":
    main()
