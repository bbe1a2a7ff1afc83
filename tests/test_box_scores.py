import contextlib
import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assay.errors import AssayError
from assay.tasks import box_scores
from assay.tasks.box_matching import AREAS, HIT, IGNORED, Detections, Objects, match
from assay.tasks.box_scores import RECALLS, map_score, precision_at_recalls, recall_score
from boxes import FAR, SQUARE, detections, objects, value

pytestmark = pytest.mark.filterwarnings("error")


def ap(truth, said, classes=1, weights=None, **which):
    weights = np.ones(truth.starts.size - 1) if weights is None else weights
    return value(map_score(match(truth, said, classes), **which), weights)


def test_a_box_found_exactly_has_an_ap_of_one():
    assert ap(objects([SQUARE]), detections([(0.9, *SQUARE)])) == 1


def test_the_overlap_decides_at_how_many_thresholds_a_box_is_found():
    # 8 of 10 columns: IoU 0.8 is reached at 0.5, 0.55, … 0.8, seven of ten
    truth, said = objects([SQUARE]), detections([(0.9, 0, 0, 0, 8, 10)])
    assert ap(truth, said) == pytest.approx(0.7)
    assert ap(truth, said, iou=0.8) == 1
    assert ap(truth, said, iou=0.85) == 0


def test_a_false_alarm_before_the_hit_halves_precision_and_one_after_it_costs_nothing():
    truth = objects([SQUARE])
    assert ap(truth, detections([(0.9, 0, *FAR), (0.8, *SQUARE)])) == pytest.approx(0.5)
    assert ap(truth, detections([(0.7, 0, *FAR), (0.8, *SQUARE)])) == 1


def test_half_of_the_boxes_found_reach_51_of_101_recalls():
    assert ap(objects([SQUARE], [SQUARE]), detections([(0.9, *SQUARE)], [])) == pytest.approx(51 / 101)


def test_a_second_detection_of_one_object_is_a_false_alarm():
    said = detections([(0.9, *SQUARE), (0.8, *SQUARE), (0.7, 0, *FAR)])
    # precisions 1, 1/2, 2/3 at recalls 1/2, 1/2, 1: 51 recalls at 1, 50 at 2/3
    assert ap(objects([SQUARE, (0, *FAR)]), said) == pytest.approx((51 + 50 * 2 / 3) / 101)


def test_a_detection_takes_the_object_that_it_overlaps_most_and_the_next_takes_what_is_left():
    truth = objects([(0, 0, 0, 10, 10), (0, 0, 0, 10, 12)])
    said = detections([(0.9, 0, 0, 0, 10, 12), (0.8, 0, 0, 0, 10, 12)])
    assert match(truth, said, 1).outcomes[[0, 6, 7]].tolist() == [[1, 1], [1, 1], [1, 0]]  # IoU 1, then 10/12


def test_of_two_objects_that_it_overlaps_as_much_a_detection_takes_the_last():
    low, high, between = (0, 0, 0, 10, 10), (0, 0, 2, 10, 12), (0.9, 0, 0, 1, 10, 11)
    said = detections([between, (0.8, *low)])
    assert ap(objects([low, high]), said, iou=0.75) == 1
    assert ap(objects([high, low]), said, iou=0.75) == pytest.approx(51 / 101)


def test_a_label_is_not_confused_with_another_nor_an_image():
    truth = objects([SQUARE], [(1, *FAR)])
    assert ap(truth, detections([(0.9, 1, 0, 0, 10, 10)], [(0.9, 1, *FAR)]), classes=2, label=0) == 0
    assert ap(truth, detections([], [(0.9, *SQUARE)]), classes=2, label=0) == 0


def test_the_mean_leaves_out_a_class_without_objects():
    truth, said = objects([SQUARE], [(2, *FAR)]), detections([(0.9, *SQUARE), (0.9, 1, *FAR)], [])
    assert ap(truth, said, classes=4) == pytest.approx(1 / 2)
    assert [ap(truth, said, classes=4, label=c) for c in range(4)] == pytest.approx([1, np.nan, 0, np.nan], nan_ok=True)
    assert ap(truth, said, classes=4, weights=[3, 0]) == 1
    assert np.isnan(ap(truth, said, classes=4, weights=[0, 0]))


@pytest.mark.parametrize("flag", [1, 2])
def test_what_lies_in_a_flagged_object_counts_neither_way_and_it_need_not_be_found(flag):
    truth = objects([SQUARE, (0, 50, 50, 90, 90)], flags=[0, flag])
    small = [(0.9, 0, 50, 50, 54, 54), (0.8, 0, 60, 60, 70, 70)]  # in the crowd, each a small part of it
    assert ap(truth, detections([*small, (0.7, *SQUARE)])) == 1
    outside = (0.95, 0, 40, 50, 51, 60)  # 1 of 11 columns in it
    assert ap(truth, detections([outside, *small, (0.7, *SQUARE)])) == pytest.approx(0.5)
    assert ap(truth, detections([])) == 0


def test_an_object_comes_before_a_crowd_around_it():
    truth = objects([(0, 0, 0, 40, 40), (0, 0, 0, 10, 12)], flags=[2, 0])
    found = match(truth, detections([(0.9, *SQUARE), (0.8, *SQUARE)]), 1).outcomes
    assert found[0].tolist() == [HIT, IGNORED]
    assert found[-1].tolist() == [IGNORED, IGNORED]  # 10/12 is no hit at 0.95


def test_a_hundred_detections_an_image_and_class_count():
    said = [(0.9 - i / 1000, 0, *FAR) for i in range(100)]
    assert ap(objects([SQUARE]), detections([*said, (0.1, *SQUARE)])) == 0
    assert ap(objects([SQUARE]), detections([*said[1:], (0.1, *SQUARE)])) == pytest.approx(1 / 100)


def test_no_boxes_at_all():
    assert np.isnan(ap(objects([], []), detections([], [])))
    assert ap(objects([SQUARE], []), detections([], [])) == 0
    assert np.isnan(ap(objects([], []), detections([(0.9, *SQUARE)], [])))


def test_an_overlap_that_coco_does_not_ask_for_is_refused():
    with pytest.raises(AssayError, match=r"IoU of 0.52; expected one of 0.5"):
        map_score(match(objects([SQUARE]), detections([]), 1), iou=0.52)


@pytest.mark.parametrize(("side", "areas"), [(31, ["small"]), (32, ["small", "medium"]), (96, ["medium", "large"])])
def test_an_object_counts_in_its_area_and_on_a_border_in_both(side, areas):
    truth, said = objects([(0, 0, 0, side, side)]), detections([(0.9, 0, 0, 0, side, side)])
    found = {area: value(map_score(match(truth, said, 1, area)), [1]) for area in AREAS}
    assert {area for area, one in found.items() if one == 1} == {"all", *areas}
    assert all(np.isnan(found[area]) for area in AREAS if area not in {"all", *areas})


def test_what_finds_nothing_counts_against_its_own_area_only():
    truth = objects([SQUARE, (0, 100, 100, 140, 140)])
    said = detections([(0.95, 0, 200, 200, 240, 240), (0.9, *SQUARE), (0.8, 0, 100, 100, 140, 140)])
    by_area = {area: value(map_score(match(truth, said, 1, area)), [1]) for area in ("all", "small", "medium")}
    # precisions 0, 1/2, 2/3 in all: 2/3 at every recall; small has no false alarm, medium one before its hit
    assert by_area == pytest.approx({"all": 2 / 3, "small": 1, "medium": 1 / 2})


def test_recall_counts_the_best_detections_of_an_image_and_class():
    truth = objects([SQUARE, (0, *FAR), (1, 0, 0, 8, 10)], [SQUARE])
    said = detections([(0.9, *SQUARE), (0.8, 0, *FAR), (0.1, 1, 0, 0, 10, 10)], [(0.5, 0, *FAR)])
    matches = match(truth, said, 3)
    # class 0: one of three, then two; class 1, of IoU 0.8, at seven of ten overlaps; class 2 has no object
    assert value(recall_score(matches, 1), [1, 1]) == pytest.approx((1 / 3 + 0.7) / 2)
    assert value(recall_score(matches, 10), [1, 1]) == pytest.approx((2 / 3 + 0.7) / 2)
    assert value(recall_score(matches, 10), [0, 1]) == 0


def test_a_curve_is_what_the_ap_is_the_mean_of():
    said = detections([(0.9, *SQUARE), (0.8, *SQUARE), (0.7, 0, *FAR)])
    matches = match(objects([SQUARE, (0, *FAR)]), said, 2)
    curve = precision_at_recalls(matches, 0)
    assert curve[[0, 50, 51, 100]] == pytest.approx([1, 1, 2 / 3, 2 / 3])
    assert curve.mean() == pytest.approx(value(map_score(matches, 0.5), [1]))
    assert curve.size == RECALLS.size
    assert np.isnan(precision_at_recalls(matches, 1)).all()


@st.composite
def scenes(draw, most):
    """Objects, some of them flagged, and detections about them, on a grid so that overlaps are often equal."""
    grid = draw(st.sampled_from([1, 8]))
    generator = np.random.default_rng(draw(st.integers(0, 2**32)))
    truth, said, flags = [], [], []
    for _ in range(draw(st.integers(1, most))):
        corner, size = generator.integers(0, 20, (2, generator.integers(0, 5), 2))
        boxes = np.concatenate([corner, corner + size + 4], axis=1)
        labels = generator.integers(0, 3, len(boxes))
        truth.append([(c, *box) for c, box in zip(labels, boxes, strict=True)])
        flags += generator.choice([0, 0, 0, 1, 2], len(boxes)).tolist()
        near = boxes[generator.integers(0, max(len(boxes), 1), 2 * len(boxes))] if len(boxes) else boxes
        near = np.concatenate([near + generator.integers(-2, 3, near.shape), [[30, 30, 40, 40]]])
        guesses = np.where(generator.random(len(near)) < 0.8, np.resize(np.append(labels, 0), len(near)), 1)
        scores = generator.permutation(1000)[: len(near)] / 1000  # none twice in an image
        said.append([(s, c, *box) for s, c, box in zip(scores, guesses, near, strict=True)])
    there, found = objects(*truth, flags=flags), detections(*said)
    return there._replace(edges=grid * there.edges), found._replace(edges=grid * found.edges)


def repeated(boxes, weights):
    """The images so often as their weights say."""
    images = np.repeat(np.arange(weights.size), weights)
    rows = [np.arange(boxes.starts[i], boxes.starts[i + 1]) for i in images]
    starts = np.cumsum([0, *map(len, rows)])
    return type(boxes)(*(x[np.concatenate(rows).astype(int)] for x in boxes[:3]), starts)


@given(scenes(6), st.integers(0, 2**32), st.sampled_from([None, 0.5, 0.75]), st.sampled_from([None, 1]))
def test_weights_equal_the_images_repeated_and_dropped(scene, seed, iou, label):
    truth, said = scene
    generator = np.random.default_rng(seed)
    weights = generator.integers(0, 3, truth.starts.size - 1)
    weights[generator.integers(weights.size)] += 1
    score = map_score(match(truth, said, 3), iou, label)
    again = ap(repeated(truth, weights), repeated(said, weights), 3, iou=iou, label=label)
    assert value(score, weights) == pytest.approx(again, abs=1e-12, nan_ok=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(box_scores, "BLOCK", 1)
        several = score(np.stack([np.ones(weights.size), weights, 2 * weights]).astype(np.float64))
    assert several[1:] == pytest.approx([again, again], abs=1e-12, nan_ok=True)


def coco(truth, said, classes, images):
    """COCO's twelve numbers and AP by class as pycocotools has them, −1 where there is nothing to find."""
    api, evaluation = pytest.importorskip("pycocotools.coco"), pytest.importorskip("pycocotools.cocoeval")

    def records(boxes, **more):
        owner = np.repeat(np.arange(images), np.diff(boxes.starts))
        for i, (x1, y1, x2, y2) in enumerate(boxes.edges.astype(float).tolist()):
            area = (x2 - x1) * (y2 - y1)
            box = {"id": i + 1, "image_id": int(owner[i]), "category_id": int(boxes.labels[i]), "area": area}
            yield box | {"bbox": [x1, y1, x2 - x1, y2 - y1]} | {k: v[i].item() for k, v in more.items()}

    with contextlib.redirect_stdout(io.StringIO()):
        known = api.COCO()
        known.dataset = {
            "images": [{"id": i} for i in range(images)],
            "categories": [{"id": c} for c in range(classes)],
            "annotations": list(records(truth, iscrowd=(truth.flags != 0).astype(int))),
        }
        known.createIndex()
        found = api.COCO()
        found.dataset = known.dataset | {"annotations": list(records(said, score=said.scores))}
        found.createIndex()
        judged = evaluation.COCOeval(known, found, "bbox")
        judged.evaluate()
        judged.accumulate()
        judged.summarize()
    precision = judged.eval["precision"][..., 0, -1]
    return [*judged.stats, *(precision[:, :, c].mean() for c in range(classes))]


def twelve(truth, said, classes):
    """In COCO's order."""
    matches = {area: match(truth, said, classes, area) for area in AREAS}
    by_size = [matches[area] for area in ("small", "medium", "large")]
    precisions = [*(map_score(matches["all"], iou) for iou in (None, 0.5, 0.75)), *map(map_score, by_size)]
    recalls = [recall_score(matches["all"], most) for most in (1, 10, 100)]
    return precisions + recalls + [recall_score(each, 100) for each in by_size]


@settings(max_examples=40)
@given(scenes(12))
def test_coco_agrees(scene):
    truth, said = scene
    images = truth.starts.size - 1
    theirs = coco(truth, said, 4, images)
    scores = [*twelve(truth, said, 4), *(map_score(match(truth, said, 4), label=c) for c in range(4))]
    ours = [np.nan_to_num(value(score, np.ones(images)), nan=-1) for score in scores]
    assert ours == pytest.approx(theirs, abs=1e-9)


def test_coco_agrees_on_many_detections_with_equal_scores():
    generator = np.random.default_rng(0)
    images, boxes = 60, 130  # more than a hundred of a class in some images
    corner, size = generator.integers(0, 400, (2, images * boxes, 2)) / 4
    edges = np.concatenate([corner, corner + size + 4], axis=1).astype(np.float32)
    starts = np.arange(images + 1) * boxes
    labels = generator.choice(3, images * boxes, p=[0.9, 0.08, 0.02])
    scores = (generator.integers(0, 50, images * boxes) / 50).astype(np.float32)
    rows = generator.random((images, boxes)) < 0.1
    truth = Objects(
        edges[rows.ravel()] + np.float32(0.5),
        labels[rows.ravel()],
        (generator.random(rows.sum()) < 0.1).astype(np.uint8),
        np.append(0, rows.sum(axis=1).cumsum()),
    )
    said = Detections(edges, labels, scores, starts)
    theirs = coco(truth, said, 3, images)
    ours = [value(score, np.ones(images)) for score in twelve(truth, said, 3)]
    assert ours == pytest.approx(theirs[:12], abs=1e-12)
    assert 0.01 < ours[0] < 0.99
