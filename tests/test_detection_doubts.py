"""Labels that a network speaks against, by hand and planted among scattered digits."""

import numpy as np
import polars as pl
import pytest

from assay.data.sources.scattered import scattered
from assay.tasks.box_matching import Detections, Objects
from assay.tasks.detection.doubts import KINDS, doubts
from assay.tools.inspection.suspects import in_turn
from boxes import FAR, SQUARE, detections, objects

ASIDE = (0, 5, 0, 15, 10)


def listed(truth, said, classes=2):
    found = doubts(truth, said, classes)
    kinds = [KINDS[kind] for kind in found.kinds]
    return list(zip(kinds, found.suspicions.round(6).tolist(), found.objects.tolist(), strict=True))


def test_a_box_where_nothing_is_labelled_may_be_missing_once():
    said = detections([(0.9, *SQUARE), (0.8, 0, *FAR), (0.6, 1, 50, 50, 60, 59)])
    assert listed(objects([SQUARE]), said) == [("missing", pytest.approx(0.8 / 0.85, abs=1e-6), -1)]


def test_a_box_of_another_class_speaks_against_a_label_that_nothing_supports():
    swapped = detections([(0.8, 1, 0, 0, 10, 10)])
    assert listed(objects([SQUARE]), swapped) == [("swapped", pytest.approx(0.8 / 0.85, abs=1e-6), 0)]
    supported = detections([(0.8, 1, 0, 0, 10, 10), (0.9, *SQUARE)])
    assert listed(objects([SQUARE]), supported) == [("swapped", pytest.approx(0.8 / 1.75, abs=1e-6), 0)]


def test_a_faint_box_speaks_against_a_label_that_nothing_supports_alone():
    faint = (0.1, 1, 0, 0, 10, 10)
    assert listed(objects([SQUARE]), detections([faint])) == [("swapped", pytest.approx(0.1 / 0.15, abs=1e-6), 0)]
    assert listed(objects([SQUARE]), detections([(0.9, *SQUARE), faint])) == []
    assert listed(objects([SQUARE]), detections([(0.02, 1, 0, 0, 10, 10)])) == []


def test_a_box_beside_a_label_of_its_class_says_that_it_is_shifted():
    said = detections([(0.9, *ASIDE)])
    assert listed(objects([SQUARE]), said) == [("shifted", pytest.approx(0.9 / 0.95, abs=1e-6), 0)]


def test_a_flagged_object_is_beyond_doubt_and_so_is_what_is_found():
    truth = objects([SQUARE, (1, *FAR)], flags=[0, 1])
    assert listed(truth, detections([(0.9, *SQUARE), (0.7, 1, *FAR)])) == []
    assert listed(objects([]), detections([])) == []


def test_the_kinds_take_turns_each_the_most_doubtful_first():
    said = {"missing": [0.9, 0.8, 0.7], "shifted": [0.4, 0.6], "swapped": [0.1]}
    rows = [{"kind": kind, "suspicion": each} for kind, those in said.items() for each in those]
    assert in_turn(pl.DataFrame(rows))["suspicion"].to_list() == [0.9, 0.6, 0.1, 0.8, 0.4, 0.7]


def planted(share: float = 0.04) -> tuple[Objects, Detections, dict[str, set[int]], list[np.ndarray]]:
    """200 pictures of digits of which some labels are wrong, and what a fair network says of them."""
    rng = np.random.default_rng(0)
    there, said, wrong = [], [], {kind: set() for kind in KINDS}
    gone: list[np.ndarray] = []
    number = 0
    for image in range(200):
        _, edges, labels = scattered(image)
        rows, boxes = [], []
        for box, label in zip(np.asarray(edges, np.float64), np.asarray(labels), strict=True):
            width = box[2] - box[0]
            if rng.random() < 0.92:
                near = box + rng.normal(0, 0.06 * width, 4)
                named = label if rng.random() < 0.95 else (label + 1) % 10
                boxes.append((rng.beta(5, 2), named, *near))
            if rng.random() < 0.3:
                corner = rng.uniform(0, 70, 2)
                boxes.append((rng.beta(1, 6), rng.integers(10), *corner, *(corner + 20)))
            kind = rng.choice([*KINDS, "right"], p=[share, share, share, 1 - 3 * share])
            if kind == "missing":
                gone.append(np.array([image, *box]))
                continue
            moved = box + width / 2 * np.array([1, 0, 1, 0]) if kind == "shifted" else box
            rows.append(((label + 3) % 10 if kind == "swapped" else label, *moved))
            if kind != "right":
                wrong[kind].add(number)
            number += 1
        there.append(rows)
        said.append(sorted(boxes, reverse=True))
    return objects(*there), detections(*said), wrong, gone


def test_most_of_the_planted_errors_are_among_the_first_suspects():
    truth, said, wrong, gone = planted()
    total = sum(map(len, wrong.values())) + len(gone)
    found = doubts(truth, said, 10)
    hits = 0
    for kind, image, detection, own in list(zip(*found[1:], strict=True))[: total * 100 // 60]:
        name = KINDS[kind]
        if name == "missing":
            near = [np.abs(box[1:] - said.edges[detection]).max() < 10 for box in gone if box[0] == image]
            hits += any(near)
        else:
            hits += own in wrong[name]
    assert 50 < total < 100
    assert hits >= 0.75 * total
    assert (np.diff(found.suspicions) <= 0).all()
