"""Which images are copies of one another: equal in every pixel, or as near as if they were only encoded anew.

Each image is averaged down to at most 16 × 16 pixels a channel, moved to mean 0 and scaled to length 1, so brightness,
contrast, JPEG artefacts and noise hardly count; the squared distance of two such images is 2 (1 − their correlation).

What is near differs between data sets, and within one: two white shirts are nearer than any two dogs. So a distance is
measured by the images around: the **closeness** of a pair is its distance as a share of the distance from either of
the two to its 50th neighbour, whichever is smaller. Were images scattered evenly around each other in m dimensions, the
closeness of the nearest one, to the power m, would have the distribution Beta(1, 49), that of the tenth Beta(10, 40).
The second tells m, whatever the copies (families of up to ten do not reach that far); the first then tells the
**threshold** below which only one image in ten thousand would come by chance. It is at most one half: photographs get
about 0.5, clothing 0.2, 8 × 8 digits 0.1. An image mirrored left to right is compared too; what is turned, upside down
or shifted by more than a sixteenth of the side is not found.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int64, UInt8
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.stats import beta

AROUND = 50
"""The neighbour that gives the scale; of a family of more copies than that, only the equal ones are found."""
BY_CHANCE = 1e-4
"""Share of images that would have a near copy by chance."""
MOST = 0.5
"""The largest threshold that is chosen."""
SIDE = 16
_MIRRORED = 5
_FLAT = 1.0
"""Gray levels: an image that varies less is not blown up to what varies as much as others. The noise of a picture that
shows nothing else, averaged, may vary by more, and is no copy of other noise."""
_BLOCK = 2**24
"""Pixel values worked on at a time."""

Indices = Int64[np.ndarray, " _"]
Progress = Callable[[int, int], None]


@dataclass(frozen=True, eq=False)
class Copies:
    """Every image with the images nearest to it, and which of them are copies."""

    picture: Int64[np.ndarray, " n"]
    """Images that are equal in every pixel have the same number."""
    neighbors: Int64[np.ndarray, "n k"]
    """The nearest images, the nearest first, never the image itself."""
    distances: Float64[np.ndarray, "n k"]
    reflections: Int64[np.ndarray, "n m"]
    """The images nearest to the mirrored image, maybe the image itself."""
    reflection_distances: Float64[np.ndarray, "n m"]
    threshold: float
    """Largest closeness of a near copy."""

    @cached_property
    def candidates(self) -> Int64[np.ndarray, "n candidates"]:
        """The nearest images, then the nearest of the mirrored image."""
        return np.concatenate([self.neighbors, self.reflections], axis=1)

    @cached_property
    def closeness(self) -> Float64[np.ndarray, "n candidates"]:
        """Of each candidate; infinite for an image to its own reflection."""
        direct = closeness(self.distances, self.neighbors, self.distances[:, -1])
        mirrored = closeness(self.reflection_distances, self.reflections, self.distances[:, -1])
        mirrored[self.reflections == np.arange(len(mirrored))[:, None]] = np.inf
        return np.concatenate([direct, mirrored], axis=1)

    @cached_property
    def near(self) -> Bool[np.ndarray, "n candidates"]:
        """Whether each candidate is a copy."""
        others = self.candidates != np.arange(len(self.picture))[:, None]
        equal = self.picture[self.candidates] == self.picture[:, None]
        return np.asarray(others & (equal | (self.closeness <= self.threshold)))

    @cached_property
    def copied(self) -> Bool[np.ndarray, " n"]:
        """Whether each image has a copy anywhere."""
        found = np.zeros(len(self.picture), dtype=bool)
        found[self.pairs.ravel()] = True
        return found

    @cached_property
    def pairs(self) -> Int64[np.ndarray, "m 2"]:
        """Each pair of copies once, the smaller index first; of many equal images, each with the next."""
        i, column = np.nonzero(self.near)
        near = np.stack([i, self.candidates[i, column]], axis=1)
        order = np.argsort(self.picture, kind="stable")
        same = np.flatnonzero(np.diff(self.picture[order]) == 0)
        equal = np.stack([order[same], order[same + 1]], axis=1)
        return np.asarray(np.unique(np.sort(np.concatenate([near, equal]), axis=1), axis=0))

    @cached_property
    def families(self) -> Int64[np.ndarray, " n"]:
        """The number of each image's family: copies, copies of copies, and so on."""
        n = len(self.picture)
        links = coo_array((np.ones(len(self.pairs), bool), (self.pairs[:, 0], self.pairs[:, 1])), shape=(n, n))
        return np.asarray(connected_components(links, directed=False)[1], dtype=np.int64)

    @cached_property
    def family_sizes(self) -> Indices:
        """Number of images of each family."""
        return np.bincount(self.families)

    def closest(self, among: Bool[np.ndarray, " n"]) -> Int64[np.ndarray, " n"]:
        """For every image its closest copy ``among`` these, an equal one if there is any; −1 without."""
        hits = self.near & among[self.candidates]
        best = np.where(hits, self.closeness, np.inf).argmin(axis=1)
        found = np.where(hits.any(axis=1), self.candidates[np.arange(len(hits)), best], -1)
        two = self._two_of_each(among)[self.picture]
        equal = np.where(two[:, 0] == np.arange(len(two)), two[:, 1], two[:, 0])
        found[equal >= 0] = equal[equal >= 0]
        return np.asarray(found)

    def _two_of_each(self, among: Bool[np.ndarray, " n"]) -> Int64[np.ndarray, "pictures 2"]:
        """Of the images ``among`` these, the first two with each picture number; −1 where there are fewer."""
        members = np.flatnonzero(among)
        members = members[np.argsort(self.picture[members], kind="stable")]
        numbers, start, count = np.unique(self.picture[members], return_index=True, return_counts=True)
        two = np.full((self.picture.max() + 1, 2), -1)
        two[numbers, 0] = members[start]
        two[numbers[count > 1], 1] = members[start[count > 1] + 1]
        return two

    def equal(self, i: Indices, j: Indices) -> Bool[np.ndarray, " m"]:
        """Whether the images of each pair are equal in every pixel."""
        return np.asarray(self.picture[i] == self.picture[j])

    def closeness_of(self, i: Indices, j: Indices) -> Float64[np.ndarray, " m"]:
        """The closeness of each pair of copies, 0 for equal ones."""
        return np.where(self.equal(i, j), 0.0, np.minimum(*self._both_ways(i, j)))

    def is_mirrored(self, i: Indices, j: Indices) -> Bool[np.ndarray, " m"]:
        """Whether each pair of copies is closer when one of the two is mirrored."""
        direct, mirrored = self._both_ways(i, j)
        return ~self.equal(i, j) & (mirrored < direct)

    def _both_ways(self, i: Indices, j: Indices) -> tuple[Float64[np.ndarray, " m"], Float64[np.ndarray, " m"]]:
        """The closeness of each pair as it is and mirrored, infinite where neither is among the other's candidates."""
        k = self.neighbors.shape[1]
        ways = []
        for part in (slice(0, k), slice(k, None)):
            listed = [
                np.where(self.candidates[a, part] == b[:, None], self.closeness[a, part], np.inf).min(axis=1)
                for a, b in ((i, j), (j, i))
            ]
            ways.append(np.minimum(*listed))
        return ways[0], ways[1]


def find_copies(
    pixels: UInt8[np.ndarray, "n c h w"], threshold: float | None = None, progress: Progress | None = None
) -> Copies:
    """The copies among at least two images; ``progress`` is called with (rows done, rows to do), for two searches."""
    from assay.separation import nearest_neighbors

    rows = features(pixels)
    distances, neighbors = nearest_neighbors(rows, min(AROUND, len(rows) - 1), progress=progress)
    mirrored = features(pixels[:, :, :, ::-1])
    apart, reflections = nearest_neighbors(rows, min(_MIRRORED, len(rows)), mirrored, progress=progress)
    if threshold is None:
        threshold = chosen_threshold(closeness(distances, neighbors, distances[:, -1]))
    return Copies(picture_numbers(pixels), neighbors, distances, reflections, apart, threshold)


def closeness(
    distances: Float64[np.ndarray, "n k"], neighbors: Int64[np.ndarray, "n k"], scale: Float64[np.ndarray, " n"]
) -> Float64[np.ndarray, "n k"]:
    """Each distance as a share of the smaller ``scale`` of the two images; 0 for a distance of 0."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(distances == 0, 0.0, distances / np.minimum(scale[:, None], scale[neighbors]))


def chosen_threshold(shares: Float64[np.ndarray, "n k"]) -> float:
    """The closeness that one image in ten thousand would have by chance, by the head of this file; at most one half."""
    k = shares.shape[1]
    if k < 2:
        return MOST
    tenth = max(k // 5, 1)
    middle = float(np.median(np.minimum(shares[:, tenth - 1], 1.0)))
    if not 0 < middle < 1:
        return MOST if middle else 0.0
    dimensions = np.log(beta.median(tenth, k - tenth)) / np.log(middle)
    trials = 2 * (k - 1)  # as it is, and mirrored
    return min(float((BY_CHANCE / trials) ** (1 / dimensions)), MOST)


def picture_numbers(pixels: UInt8[np.ndarray, "n c h w"]) -> Int64[np.ndarray, " n"]:
    """A number for each image, the same for those that are equal in every pixel."""
    numbers: dict[bytes, int] = {}
    digests = (blake2b(image.tobytes(), digest_size=20).digest() for image in pixels)
    return np.array([numbers.setdefault(digest, len(numbers)) for digest in digests], dtype=np.int64)


def features(pixels: UInt8[np.ndarray, "n c h w"]) -> Float32[np.ndarray, "n d"]:
    """The images averaged down to at most 16 × 16 a channel, each with mean 0 and length 1 (less for a flat one)."""
    import torch
    from torch.nn.functional import adaptive_avg_pool2d

    rows = []
    side = tuple(min(SIDE, length) for length in pixels.shape[2:])
    step = max(1, _BLOCK // pixels[0].size)
    for start in range(0, len(pixels), step):
        block = torch.from_numpy(pixels[start : start + step].astype(np.float32))
        row = adaptive_avg_pool2d(block, side).flatten(1)
        row -= row.mean(dim=1, keepdim=True)
        spread = row.square().mean(dim=1, keepdim=True).sqrt().clamp(min=_FLAT)
        rows.append((row / (spread * row.shape[1] ** 0.5)).numpy())
    return np.concatenate(rows)
