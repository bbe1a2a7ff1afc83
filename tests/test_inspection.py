"""assay check: planted copies, leaks and wrong labels are found, nothing else is, and the page and the files say so."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import numpy as np
import polars as pl
import pytest
from scipy.stats import beta

from assay.data import split
from assay.errors import AssayError
from assay.recipe import Data
from assay.tools.inspection import Copies, Inspection, find_copies, inspect, write_inspection
from assay.tools.inspection.copies import BY_CHANCE, chosen_threshold, closeness
from assay.tools.inspection.labels import most_doubtful, sample_scores
from assay.tools.inspection.originals import propose
from assay.tools.inspection.verdict import verdict
from command import assay
from planted import darker, jpeg, noisy, picture, pictures, plant, plant_augmented, save


def stack(images: list[np.ndarray]) -> np.ndarray:
    return np.ascontiguousarray(np.stack(images).transpose(0, 3, 1, 2))


UNRELATED = [*pictures()["a"], *pictures()["b"]]


def decoded(image: np.ndarray, quality: int) -> np.ndarray:
    import io

    from PIL import Image

    return np.asarray(Image.open(io.BytesIO(jpeg(image, quality))))


# ------------------------------------------------------------------------------------------------ copies


def test_unrelated_pictures_are_no_copies() -> None:
    copies = find_copies(stack(UNRELATED))
    assert not copies.near.any()
    assert copies.pairs.shape == (0, 2)
    assert (copies.family_sizes == 1).all()


@pytest.mark.parametrize(
    "changed",
    [
        lambda image: decoded(image, 75),
        lambda image: decoded(image, 40),
        darker,
        noisy,
        lambda image: np.clip(image * 1.2, 0, 255).astype(np.uint8),
        lambda image: (255 - (255 - image.astype(int)) * 0.8).astype(np.uint8),
    ],
    ids=["jpeg 75", "jpeg 40", "darker", "noise", "brighter", "less contrast"],
)
def test_what_only_encoding_or_light_tells_apart_is_a_near_copy(changed) -> None:
    copies = find_copies(stack([*UNRELATED, *(changed(image) for image in UNRELATED[:6])]))
    assert copies.pairs.tolist() == [[i, len(UNRELATED) + i] for i in range(6)]
    assert not copies.equal(*copies.pairs.T).any()
    assert (copies.closeness_of(*copies.pairs.T) <= copies.threshold).all()
    assert not copies.is_mirrored(*copies.pairs.T).any()


@pytest.mark.parametrize("changed", [np.flipud, np.rot90, lambda image: np.roll(image, 6, axis=1)])
def test_what_is_turned_or_moved_is_not(changed) -> None:
    copies = find_copies(stack([*UNRELATED, *(changed(image) for image in UNRELATED[:6])]))
    assert not copies.near.any()


def test_a_mirrored_copy_is_told_as_such() -> None:
    symmetric = np.concatenate([UNRELATED[7][:, :16], UNRELATED[7][:, 15::-1]], axis=1)
    copies = find_copies(stack([*UNRELATED, darker(UNRELATED[0][:, ::-1]), symmetric]))
    n = len(UNRELATED)
    assert [0, n] in copies.pairs.tolist()
    assert not copies.copied[n + 1]  # its own reflection is no copy
    assert copies.is_mirrored(np.array([0, n]), np.array([n, 0])).all()


def test_the_threshold_follows_the_dimension_not_the_copies() -> None:
    rng = np.random.default_rng(0)

    def chosen(points: np.ndarray) -> float:
        apart = np.sort(np.linalg.norm(points[:, None] - points[None], axis=2), axis=1)[:, 1:51]
        return chosen_threshold(apart / apart[:, -1:])

    for dimensions in (3, 6):
        points = rng.uniform(size=(2000, dimensions))
        expected = (BY_CHANCE / 98) ** (1 / dimensions)
        assert chosen(points) == pytest.approx(expected, rel=0.35)
        assert chosen(np.concatenate([points, points[:1500] + 1e-6])) == pytest.approx(chosen(points), rel=0.2)
    assert chosen_threshold(np.ones((5, 1))) == 0.5
    assert chosen_threshold(np.zeros((100, 50))) == 0.0


def test_the_threshold_by_hand() -> None:
    """The tenth of fifty neighbours as near as in four dimensions; 49 could be nearest, as they are or mirrored."""
    shares = np.full((20, 50), beta.median(10, 40) ** (1 / 4))
    assert chosen_threshold(shares) == pytest.approx((BY_CHANCE / 98) ** (1 / 4))


def test_nothing_is_near_at_threshold_zero_but_what_is_equal() -> None:
    copies = find_copies(stack([*UNRELATED, darker(UNRELATED[0]), UNRELATED[1]]), threshold=0.0)
    assert copies.pairs.tolist() == [[1, len(UNRELATED) + 1]]
    assert copies.closeness_of(*copies.pairs.T).tolist() == [0.0]


def test_a_family_of_more_equal_images_than_neighbours_are_known() -> None:
    copies = find_copies(stack([*UNRELATED, *[UNRELATED[0]] * 70]))
    assert copies.family_sizes.max() == 71
    among = np.zeros(len(copies.picture), dtype=bool)
    among[-1] = True
    closest = copies.closest(among)
    assert closest[0] == len(copies.picture) - 1
    assert closest[-1] == -1  # it is not its own copy
    assert (closest[1 : len(UNRELATED)] == -1).all()


def test_an_equal_copy_is_closer_than_a_near_one() -> None:
    first = UNRELATED[0]
    copies = find_copies(stack([*UNRELATED, noisy(first), first, darker(first)]))
    n = len(UNRELATED)
    among = np.arange(n + 3) >= n
    assert copies.closest(among)[[0, n, n + 1, n + 2]].tolist()[0] == n + 1
    assert copies.closest(among)[n + 1] in (n, n + 2)


def test_images_of_one_colour_and_a_handful_of_images() -> None:
    flat = [np.full((32, 32, 3), value, np.uint8) for value in (0, 0, 200)]
    copies = find_copies(stack([*flat, *UNRELATED[:3]]))
    assert copies.families[0] == copies.families[1] == copies.families[2]
    assert find_copies(stack(UNRELATED[:2])).neighbors.tolist() == [[1], [0]]


def test_noise_on_one_gray_is_no_copy_of_other_noise() -> None:
    noise = np.random.default_rng(0)
    empty = [noise.normal(30 + level, 8, (96, 96, 1)).round().clip(0, 255).astype(np.uint8) for level in range(60)]
    ramp = np.tile(np.linspace(0, 200, 96, dtype=np.uint8)[:, None, None], (1, 96, 1))
    copies = find_copies(stack([*empty, ramp, ramp + 20]))
    assert np.flatnonzero(copies.copied).tolist() == [60, 61]


def test_sample_scores_by_hand() -> None:
    found = find_copies(stack(UNRELATED[:4]))
    neighbors = np.array([[1, 2, 3], [0, 2, 3], [3, 0, 1], [2, 1, 0]])
    copies = Copies(
        found.picture, neighbors, found.distances, found.reflections, found.reflection_distances, found.threshold
    )
    assert sample_scores(copies, np.array([0, 0, 0, 1])).tolist() == [2, 2, -1, -3]
    assert sample_scores(copies, np.array([0, 0, 1, 1])).tolist() == [1, 1, 1, 1]


def test_closeness_goes_by_the_nearer_of_the_two_fiftieth_neighbours() -> None:
    found = closeness(np.array([[1.0, 0.0], [1.0, 3.0]]), np.array([[1, 1], [0, 0]]), np.array([2.0, 4.0]))
    assert found.tolist() == [[0.5, 0.0], [0.5, 1.5]]


def test_of_equally_doubtful_labels_the_one_with_the_closest_neighbour_comes_first() -> None:
    neighbors = np.array([[1, 2], [0, 3], [3, 0], [2, 1]])
    distances = np.array([[0.5, 1.0], [0.5, 1.0], [0.2, 1.0], [0.3, 1.0]])
    copies = Copies(np.arange(4), neighbors, distances, np.arange(4)[:, None], np.ones((4, 1)), 0.1)
    scores = sample_scores(copies, np.array([0, 1, 0, 1]))
    assert scores.tolist() == [-1, -1, -1, -1]
    assert most_doubtful(copies, scores).tolist() == [2, 3, 0, 1]


# ------------------------------------------------------------------------------------------------- names


def neighbors_of_groups(groups: list[int], rng: np.random.Generator, share: float) -> np.ndarray:
    """A nearest image for each: with this chance one of its group, else any."""
    numbers = np.array(groups)
    nearest = []
    for i, group in enumerate(groups):
        own = np.flatnonzero((numbers == group) & (np.arange(len(groups)) != i))
        others = np.flatnonzero(np.arange(len(groups)) != i)
        nearest.append(rng.choice(own if len(own) and rng.random() < share else others))
    return np.array(nearest)


@pytest.mark.parametrize(
    ("name", "pattern"),
    [
        ("yes/aug_Y{g}_0_{r}.jpg", r"(.*)_\d+_\d+\.\w+$"),
        ("yes/{g} no._0_{r}.jpg", r"(.*)_\d+_\d+\.\w+$"),
        ("yes/patient{g}-slice{c}.png", r"(.*)\-slice\d+\.\w+$"),
        ("IMG{g}_jpg.rf.{h}.jpg", r"(.*)\.rf\.[^_\-. /]+\.\w+$"),
    ],
)
def test_a_pattern_is_proposed_from_names_and_borne_out_by_neighbours(name: str, pattern: str) -> None:
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(60), 5).tolist()
    names = [
        name.format(g=g, c=i % 5, r=rng.integers(1000), h=f"{rng.integers(2**60):015x}q") for i, g in enumerate(groups)
    ]
    labels = np.array(groups) % 2
    found = propose(names, neighbors_of_groups(groups, rng, 0.3), labels)
    assert found is not None
    pieces = [found] if found == pattern else [re.search(found, n)[1] for n in names]
    assert found == pattern or len(set(pieces)) == 60
    assert propose(names, neighbors_of_groups(groups, rng, 0.0), labels) is None


def test_names_that_only_count_or_tell_the_class_are_no_originals() -> None:
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(20), 15)
    nearest = neighbors_of_groups(labels.tolist(), rng, 0.95)
    assert propose([f"{i:05d}.png" for i in range(300)], nearest, labels) is None
    assert propose([f"{k}_{i:05d}.png" for i, k in enumerate(labels)], nearest, labels) is None
    assert propose([f"train/{i:05d}" for i in range(300)], nearest, labels) is None


# --------------------------------------------------------------------------------------------- whole sets


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Inspection:
    root = tmp_path_factory.mktemp("planted")
    plant(root)
    return inspect(Data(source="planted"), root)


@pytest.fixture(scope="module")
def augmented(tmp_path_factory: pytest.TempPathFactory) -> Inspection:
    root = tmp_path_factory.mktemp("augmented")
    plant_augmented(root)
    return inspect(Data(source="augmented"), root)


def names(found: Inspection, rows: np.ndarray) -> list[str]:
    return [found.images.names[i] for i in rows]


def test_leaks_across_the_sources_own_split(planted: Inspection) -> None:
    leak = planted.own_split
    assert leak is not None
    pairs = dict(zip(names(planted, leak.test), names(planted, leak.train), strict=True))
    assert pairs == {
        "test/a/000.png": "train/a/000.png",
        "test/a/001.jpg": "train/a/001.png",
        "test/a/007.png": "train/a/007.png",
        "test/b/002.png": "train/b/002.png",
        "test/b/003.png": "train/a/003.png",
    }
    assert leak.equal.tolist() == [True, False, False, False, False]
    assert leak.other_label.tolist() == [False, False, False, False, True]
    assert planted.copies.is_mirrored(leak.test, leak.train).tolist() == [False, False, True, False, False]
    first = verdict(planted)[0]
    assert first == (
        "5 of 40 test images (12.5 %) have a near copy in the training images; "
        "1 of these copies is equal in every pixel, and 1 has another label."
    )


def test_families_conflicts_and_doubtful_labels(planted: Inspection) -> None:
    assert planted.copies.family_sizes.max() == 3
    assert [names(planted, pair) for pair in planted.conflicts] == [["test/b/003.png", "train/a/003.png"]]
    assert "train/b/010.png" in names(planted, planted.doubtful[:3])
    assert planted.agreement > 0.75 > planted.chance
    labels, n = planted.images.labels, len(planted.images)
    assert planted.chance == pytest.approx(((labels[:, None] == labels).sum() - n) / (n * (n - 1)))


def test_a_random_split_of_augmented_copies_leaks_and_the_names_tell(augmented: Inspection) -> None:
    assert augmented.grouping is not None
    assert not augmented.grouping.given
    assert len(augmented.grouping.sizes) == 80
    assert augmented.random_split is not None
    assert augmented.random_split.named == 64 == augmented.random_split.held_out
    assert "a random one leaks: of 64 images held out, 64 (100.0 %)" in verdict(augmented)[0]
    data = Data(source="augmented", group=augmented.grouping.pattern)
    cut = split(data, augmented.images, seed=0)
    numbers = augmented.grouping.numbers
    assert not set(numbers[cut["test"]]) & set(numbers[cut["train"]])


def test_a_set_without_copies_leaks_nothing(tmp_path: Path) -> None:
    for name, images in pictures(20).items():
        for i, image in enumerate(images):
            save(tmp_path / "clean" / name / f"{i}.png", image)
    found = inspect(Data(source="clean"), tmp_path)
    said = verdict(found)
    assert said[0].endswith("a random one leaks nothing: none of 8 images held out has a copy in the rest.")
    assert "No two of the 40 images are near copies of each other." in said
    page = write_inspection(found, tmp_path / "out")
    assert "No two images are near copies" in page.read_text("utf-8")
    assert pl.read_csv(tmp_path / "out" / "tables" / "copies.csv").height == 0


def test_groups_given_that_explain_only_some_copies(tmp_path: Path) -> None:
    images = pictures(20)
    for name, those in images.items():
        for i, image in enumerate(those):
            save(tmp_path / "s" / name / f"p{i}_0.png", image)
    save(tmp_path / "s" / "a" / "p0_1.png", noisy(images["a"][0]))
    save(tmp_path / "s" / "a" / "p99_1.png", noisy(images["a"][1]))
    found = inspect(Data(source="s", group=r"p(\d+)_"), tmp_path)
    assert len(found.crossing) == 1
    assert any("account for 1 of 2 pairs of near copies; in 1 the two go by" in line for line in verdict(found))


def test_a_set_that_cannot_be_split_is_still_inspected(tmp_path: Path) -> None:
    for name in "ab":
        save(tmp_path / "two" / name / "1.png", picture(ord(name), 0))
    assert "cannot be given one" in verdict(inspect(Data(source="two"), tmp_path))[0]


def test_a_threshold_that_makes_no_sense(tmp_path: Path) -> None:
    with pytest.raises(AssayError, match=r"near: found 1\.5, expected a share of the distance"):
        inspect(Data(source="digits"), tmp_path, near=1.5)


# --------------------------------------------------------------------------------------------------- page


class Page(HTMLParser):
    """The elements and the text outside of scripts and styles of a page."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text, self._inside = "", ""
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        self._inside = tag

    def handle_endtag(self, tag):
        self._inside = ""

    def handle_data(self, data):
        if self._inside not in ("script", "style"):
            self.text += data


def test_the_page_shows_what_was_found_and_fetches_nothing(planted: Inspection, tmp_path: Path) -> None:
    path = write_inspection(planted, tmp_path, "assay check planted")
    page = Page(path)
    for sentence in verdict(planted):
        assert sentence in page.text
    assert "assay check planted" in page.text
    for _, attributes in page.elements:
        for key in ("src", "href"):
            address = attributes.get(key) or ""
            assert address.startswith(("data:", "#", "tables/", "figures/", "https://arxiv.org/")) or not address
            if address.startswith(("tables/", "figures/")):
                assert (tmp_path / unquote(address)).exists()
    shown = {a["alt"] for tag, a in page.elements if tag == "img" and (a.get("src") or "").startswith("data:image/png")}
    assert {"test/b/003.png", "train/a/003.png", "train/b/010.png"} <= shown


def test_everything_is_also_csv(planted: Inspection, augmented: Inspection, tmp_path: Path) -> None:
    write_inspection(planted, tmp_path)
    tables = tmp_path / "tables"
    images = pl.read_csv(tables / "images.csv")
    assert images.height == len(planted.images) == 160
    assert images["family_size"].max() == 3
    leaks = pl.read_csv(tables / "leaks.csv")
    assert leaks.filter(pl.col("equal"))["copy_of"].to_list() == ["train/a/000.png"]
    assert leaks.filter(~pl.col("same_class"))["image"].to_list() == ["test/b/003.png"]
    assert pl.read_csv(tables / "copies.csv").height == len(planted.copies.pairs)
    assert pl.read_csv(tables / "doubtful.csv")["score"].is_sorted()
    counts = pl.read_csv(tables / "class-counts.csv")
    assert counts.filter(pl.col("split") == "training")["images"].to_list() == [60, 60]
    values = pl.read_csv(tmp_path / "figures" / "values.csv")
    assert values.group_by("channel").agg(pl.col("percent").sum())["percent"].to_list() == pytest.approx([100] * 3)
    write_inspection(augmented, tmp_path)
    assert pl.read_csv(tables / "originals.csv")["images"].to_list() == [4] * 80
    assert {"same_original"} <= set(pl.read_csv(tables / "copies.csv").columns)


def test_hostile_names_are_text(tmp_path: Path) -> None:
    bad = "<img src=x onerror=alert(1)>"
    for name, images in pictures(8).items():
        for i, image in enumerate(images):
            save(tmp_path / "h" / (bad if name == "a" else "=cmd()") / f"{i}.png", image)
    path = write_inspection(inspect(Data(source="h"), tmp_path), tmp_path / "out")
    page = Page(path)
    assert bad in page.text
    assert not any(key.startswith("on") for _, attributes in page.elements for key in attributes)
    assert set(pl.read_csv(tmp_path / "out" / "tables" / "class-counts.csv")["class"]) == {bad, "'=cmd()"}


def test_the_same_inspection_writes_the_same_files(planted: Inspection, tmp_path: Path) -> None:
    written = []
    for folder in (tmp_path / "one", tmp_path / "two"):
        write_inspection(planted, folder)
        written.append({file.relative_to(folder): file.read_bytes() for file in folder.rglob("*.*")})
    assert written[0] == written[1]


# ---------------------------------------------------------------------------------------------- command


def test_the_command(tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    plant(tmp_path)
    monkeypatch.chdir(tmp_path)
    ended = assay(capfd, "check", "planted", "--size", "16x16", "--color", "gray", "--quiet")
    assert ended.status == 0
    assert ended.out.startswith("5 of 40 test images (12.5 %) have a near copy")
    assert ended.out.rstrip().endswith("page: checks/planted/index.html")
    assert "16 × 16 pixels, gray" in (tmp_path / "checks" / "planted" / "index.html").read_text("utf-8")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["planted2"], "unknown data source 'planted2'; did you mean 'planted'?"),
        (["planted", "--group", "("], "group: found '(', expected a regular expression"),
        (["planted", "--group", "nothing"], "--group: 'nothing' is found in none of the 160 file names"),
        (["planted", "--size", "big"], "--size: found 'big', expected a number of pixels, or height and width"),
        (["planted", "--size", "0"], "--size: found '0', expected a number of pixels, or height and width"),
        (["planted", "--color", "grey"], "color: found 'grey'; did you mean 'gray'?"),
        (["planted", "--near", "2"], "near: found 2, expected a share"),
        (["mixed"], "differ in height×width (a/1.png 32×32, b/1.png 16×16); set --size"),
    ],
)
def test_mistakes_on_the_command_line(
    options: list[str], message: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    plant(tmp_path)
    save(tmp_path / "mixed" / "a" / "1.png", picture(1, 0))
    save(tmp_path / "mixed" / "b" / "1.png", picture(2, 1)[::2, ::2])
    ended = assay(capfd, "check", *options, "--data", tmp_path, "--out", tmp_path / "out")
    assert ended.status == 2
    assert message in ended.err
    assert not (tmp_path / "out").exists()


def test_what_cannot_be_read_is_left_out_and_said(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = plant(tmp_path)
    (folder / "train" / "a" / "009.png").write_bytes(b"not a picture")
    monkeypatch.chdir(tmp_path)
    ended = assay(capfd, "check", "planted", "--out", "out")
    assert ended.status == 0
    assert "1 image is left out: train/a/009.png (not an image)." in " ".join(ended.out.split())
    assert pl.read_csv(tmp_path / "out" / "tables" / "skipped.csv")["image"].to_list() == ["train/a/009.png"]
    assert "train/a/009.png" in Page(tmp_path / "out" / "index.html").text


@pytest.mark.slow
def test_brain_mri(data_root: Path) -> None:
    found = inspect(Data(source="brain-mri"), data_root)
    assert found.grouping is not None
    assert len(found.grouping.sizes) == 252
    assert found.random_split is not None
    assert found.random_split.named == found.random_split.held_out == 413
    given = inspect(Data(source="brain-mri", group=r"aug_(.*)_\d+_\d+\."), data_root)
    assert given.grouping is not None
    np.testing.assert_array_equal(given.grouping.numbers, found.grouping.numbers)
    cut = split(given.data, given.images, seed=0)
    assert not set(given.grouping.numbers[cut["test"]]) & set(given.grouping.numbers[cut["train"]])
    assert json.dumps(verdict(given)).count("leaks") == 1
