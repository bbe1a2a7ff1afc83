"""Every augmentation against every kind of target, on planted rectangles: where the pixels go, boxes and masks go."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from assay.data import ImageData, ImageSet
from assay.data.affine import matrices
from assay.data.augment import augmenter
from assay.data.boxes import NO_BOX, BoxBatch, Boxes
from assay.data.moving import moved
from assay.data.targets import VOID
from assay.recipe import AUGMENTATIONS, MIXES, Augmentation

HEIGHT, WIDTH, IMAGES = 40, 48, 32
PLANTED = torch.tensor([[14, 13, 30, 21], [20, 15, 23, 28], [15, 26, 34, 29]])
SINGLE = [name for name in AUGMENTATIONS if name not in MIXES]
ONLY_MOVES = ["horizontal_flip", "vertical_flip", "rotation", "translation", "zoom", "crop", "random_resized_crop"]
MOVES = [*ONLY_MOVES, "rand_augment"]
WHOLE_PIXELS = ["horizontal_flip", "vertical_flip", "crop"]
OF_THE_WHOLE_IMAGE = {
    "labels": torch.arange(IMAGES),
    "values": torch.rand(IMAGES, 2),
    "tags": torch.ones(IMAGES, 3),
}


def planted_boxes(boxes: Tensor = PLANTED, n: int = IMAGES) -> BoxBatch:
    return BoxBatch(boxes.float().repeat(n, 1, 1), torch.arange(len(boxes)).repeat(n, 1))


def planted_masks(box: Tensor, n: int = IMAGES, fine: int = 1) -> Tensor:
    masks = torch.zeros(n, fine * HEIGHT, fine * WIDTH, dtype=torch.uint8)
    x1, y1, x2, y2 = (fine * box).tolist()
    masks[:, y1:y2, x1:x2] = 1
    return masks


def changed(
    target: BoxBatch | Tensor, *augment: str | tuple[str, float], fine: int = 1
) -> tuple[Tensor, BoxBatch | Tensor]:
    """Ones as images, and ``target``, after the augmentations; the same draws whatever the target."""
    pairs = [(a, AUGMENTATIONS[a][0]) if isinstance(a, str) else a for a in augment]
    size = fine * HEIGHT, fine * WIDTH
    change = augmenter(tuple(Augmentation(name=name, amount=amount) for name, amount in pairs if name not in MIXES))
    assert change is not None
    drawn = change.draw(len(target), torch.Generator().manual_seed(1))
    return change(torch.ones(len(target), 1, *size), target, drawn)


def hulls(masks: Tensor) -> Tensor:
    """x1, y1, x2, y2 of the pixels of class 1 of each mask; zeros where there is none."""
    found = []
    for mask in masks == 1:
        y, x = (mask.any(axis).nonzero() for axis in (1, 0))
        found.append([x.min(), y.min(), x.max() + 1, y.max() + 1] if len(x) else [0] * 4)
    return torch.tensor(found, dtype=torch.float32)


@pytest.mark.parametrize("name", SINGLE)
def test_a_box_is_the_hull_of_its_moved_mask(name: str) -> None:
    # a turned corner rounds to whole pixels, which alone can be a pixel; on a grid four times as fine it is a quarter
    fine = 4 if name == "rotation" else 1
    _, boxes = changed(planted_boxes(), name)
    for k, box in enumerate(PLANTED):
        _, masks = changed(planted_masks(box, fine=fine), name, fine=fine)
        there = boxes.labels[:, k] == k
        assert there.float().mean() > (0.2 if name == "random_resized_crop" else 0.99)
        assert (boxes.edges[there, k] - hulls(masks)[there] / fine).abs().max() <= (0.5 if fine > 1 else 1.0)


@pytest.mark.parametrize("augment", [*[[name] for name in WHOLE_PIXELS], [*WHOLE_PIXELS, "horizontal_flip"]])
def test_a_box_is_exact_after_flips_and_crops(augment: list[str]) -> None:
    _, boxes = changed(planted_boxes(), *augment)
    assert len(boxes.edges[:, 0].unique(dim=0)) > 1
    for k, box in enumerate(PLANTED):
        assert torch.equal(boxes.edges[:, k], hulls(changed(planted_masks(box), *augment)[1]))


def turn(degrees: float) -> tuple[float, float, float, float]:
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    return cos, -sin, sin, cos


@pytest.mark.parametrize("degrees", [90.0, 180.0, 270.0])
def test_a_box_is_exact_after_quarter_turns(degrees: float) -> None:
    size = side, side = 16, 16
    matrix = matrices(*(torch.tensor([n]) for n in (*turn(degrees), 0.0, 0.0)))
    box = torch.tensor([2.0, 3.0, 9.0, 5.0])
    mask = torch.zeros(1, side, side, dtype=torch.uint8)
    mask[0, 3:5, 2:9] = 1
    boxes = moved(BoxBatch(box[None, None], torch.zeros(1, 1, dtype=torch.int64)), matrix, size, size)
    torch.testing.assert_close(boxes.edges[:, 0], hulls(moved(mask, matrix, size, size)), rtol=0, atol=1e-4)
    turned = {90.0: [11, 2, 13, 9], 180.0: [7, 11, 14, 13], 270.0: [3, 7, 5, 14]}[degrees]  # clockwise, by hand
    torch.testing.assert_close(boxes.edges[0, 0], torch.tensor(turned).float(), rtol=0, atol=1e-4)


@pytest.mark.parametrize("kind", OF_THE_WHOLE_IMAGE)
@pytest.mark.parametrize("name", SINGLE)
def test_what_is_true_of_the_whole_image_stays(name: str, kind: str) -> None:
    assert changed(OF_THE_WHOLE_IMAGE[kind], name)[1] is OF_THE_WHOLE_IMAGE[kind]


@pytest.mark.parametrize("name", SINGLE)
def test_boxes_and_masks_change_only_where_pixels_move(name: str) -> None:
    boxes, masks = planted_boxes(), planted_masks(PLANTED[0])
    boxes_after, masks_after = changed(boxes, name)[1], changed(masks, name)[1]
    assert torch.equal(boxes.edges, boxes_after.edges) == torch.equal(masks, masks_after) == (name not in MOVES)


@pytest.mark.parametrize("name", SINGLE)
def test_the_images_are_the_same_whatever_the_target(name: str) -> None:
    first, *others = (changed(target, name)[0] for target in [planted_masks(PLANTED[0]), *OF_THE_WHOLE_IMAGE.values()])
    for other in others:
        assert torch.equal(first, other)
    assert torch.equal(first, changed(planted_boxes(), name)[0]) == (name not in MOVES or "flip" in name)


@pytest.mark.parametrize("name", ONLY_MOVES)
def test_gray_moves_in_where_there_are_boxes_and_black_elsewhere(name: str) -> None:
    white, gray = changed(torch.arange(IMAGES), name)[0], changed(planted_boxes(), name)[0]
    torch.testing.assert_close(gray, white + (1 - white) * 114 / 255)
    assert (white == 0).any() == ("flip" not in name and name != "random_resized_crop")


@pytest.mark.parametrize("name", ONLY_MOVES)
def test_what_moves_in_is_void(name: str) -> None:
    images, masks = changed(torch.full((IMAGES, HEIGHT, WIDTH), 7, dtype=torch.uint8), name)
    assert set(masks.unique().tolist()) <= {7, VOID}
    assert (masks[images[:, 0] == 1] == 7).all()
    assert (masks[images[:, 0] == 0] == VOID).all()
    if "flip" not in name and name != "random_resized_crop":
        assert (masks == VOID).any()


@pytest.mark.parametrize("name", MOVES)
def test_void_and_all_classes_move_like_any_other(name: str) -> None:
    one = planted_masks(PLANTED[0])
    where = changed(one, name)[1] == 1
    for value in (0, 2, 254, VOID):
        found = changed(torch.where(one == 1, value, 100).to(torch.uint8), name)[1]
        assert (found[where] == value).all()


def test_a_box_is_none_when_less_than_a_tenth_of_it_is_left() -> None:
    corners = torch.tensor([[0, 0, 10, 10], [0, 28, 4, 40], [44, 20, 48, 40], [20, 20, 22, 22], [0, 0, 48, 40]])
    _, boxes = changed(planted_boxes(corners, 400), ("crop", 9.0))
    lost = []
    for k, box in enumerate(corners):
        masks = changed(planted_masks(box, 400), ("crop", 9.0))[1] == 1
        whole, left = (box[2] - box[0]) * (box[3] - box[1]), masks.sum((1, 2))
        thin = (masks.any(1).sum(1) < 2) | (masks.any(2).sum(1) < 2)
        expected = torch.where((10 * left >= whole) & ~thin, k, NO_BOX)
        assert torch.equal(boxes.labels[:, k], expected)
        lost.append(int((expected == NO_BOX).sum()))
    assert all(lost[:3])
    assert lost[3:] == [0, 0]
    limits = torch.tensor([WIDTH, HEIGHT, WIDTH, HEIGHT])
    assert ((boxes.edges >= 0) & (boxes.edges <= limits)).all()


def test_of_a_large_box_a_tenth_is_enough_and_less_is_none() -> None:
    box = BoxBatch(torch.tensor([[[0.0, 0.0, 40.0, 20.0]]] * 2), torch.tensor([[7], [7]]))
    shift = matrices(1.0, 0.0, 0.0, 1.0, torch.tensor([44.0, 44.1]), 0.0)  # 4 and 3.9 of 40 columns stay
    assert moved(box, shift, (HEIGHT, WIDTH), (HEIGHT, WIDTH)).labels.tolist() == [[7], [NO_BOX]]


def test_a_box_under_two_pixels_or_slimmer_than_one_to_a_hundred_is_none() -> None:
    thin = torch.tensor([[10.0, 10.0, 30.0, 11.9], [10.0, 10.0, 30.0, 12.0], [0, 0, 201.0, 2.0], [0, 0, 200.0, 2.0]])
    still = matrices(torch.ones(1), 0.0, 0.0, 1.0, 0.0, 0.0)
    found = moved(BoxBatch(thin[None], torch.tensor([[4, 5, 6, 7]])), still, (250, 250), (250, 250))
    assert found.labels.tolist() == [[NO_BOX, 5, NO_BOX, 7]]  # type: ignore[union-attr]


def test_no_box_stays_none_and_images_without_boxes_pass() -> None:
    boxes = planted_boxes()
    _, found = changed(BoxBatch(boxes.edges, torch.full_like(boxes.labels, NO_BOX)), "rotation", "crop")
    assert (found.labels == NO_BOX).all()
    _, empty = changed(BoxBatch(torch.zeros(4, 0, 4), torch.zeros(4, 0, dtype=torch.int64)), *AUGMENTATIONS)
    assert empty.edges.shape == (4, 0, 4)


def test_the_boxes_of_an_epoch_lie_on_its_pixels() -> None:
    draw = np.random.default_rng(0)
    n, pixels, edges = 40, np.zeros((40, 1, HEIGHT, WIDTH), np.uint8), []
    for i in range(n):
        x, y = draw.integers(6, 20, 2)
        w, h = draw.integers(3, 12, 2)
        pixels[i, 0, y : y + h, x : x + w] = 255
        edges.append([x, y, x + w, y + h])
    boxes = Boxes(
        np.array(edges, np.float32), np.arange(n) % 2, np.zeros(n, np.uint8), np.arange(n + 1)
    )  # one box an image
    images = ImageSet(pixels, boxes, [str(i) for i in range(n)], np.zeros(n, bool), ["a", "b"], [])
    augment = tuple(Augmentation(name=name, amount=AUGMENTATIONS[name][0]) for name in WHOLE_PIXELS)
    data = ImageData(images, {"train": np.arange(n)}, np.zeros(1, np.float32), np.ones(1, np.float32), augment)
    seen = []
    for x, y in data.train_batches(16, 0, 1, "cpu"):
        assert torch.equal(y.edges[:, 0], hulls(x[:, 0].round()))
        seen += y.labels[:, 0].tolist()
    assert seen == [int(i) % 2 for i in data.order(0, 1)]


@pytest.mark.parametrize("name", MOVES)
@pytest.mark.parametrize("size", [(7, 31), (48, 20), (33, 33)])
def test_a_mask_shows_what_its_picture_shows_on_a_canvas_of_any_shape(name: str, size: tuple[int, int]) -> None:
    height, width = size
    plane = torch.zeros(IMAGES, height, width, dtype=torch.uint8)
    plane[:, height // 2 :, : width // 2] = 1
    change = augmenter((Augmentation(name=name, amount=AUGMENTATIONS[name][0]),))
    assert change is not None
    drawn = change.draw(IMAGES, torch.Generator().manual_seed(3))
    if name == "rand_augment":  # of its fourteen operations, the five that move
        drawn[:, ::2] = (1 + 5 * drawn[:, ::2]) / 14
    images, masks = change(plane[:, None] + 1.0, plane, drawn)
    known = masks != VOID
    assert known.float().mean() > 0.3
    apart = (images[:, 0] - 1 - masks).abs()[known]
    if name in WHOLE_PIXELS:
        assert torch.equal(known, images[:, 0] != 0)
        assert apart.max() < 1e-4
    else:  # bilinear against nearest: they part only along an edge
        assert (apart > 0.5).float().mean() < 0.1
