import re
import sys
import threading
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from assay.errors import AssayError
from assay.separation import nearest_neighbors, sample_scores

small = st.integers(2, 40)


def brute(x, k, queries=None):
    """Every distance in float64, equals in the order of the rows."""
    rows = np.ascontiguousarray(x, dtype=np.float64)
    asked = rows if queries is None else np.asarray(queries).astype(np.float64)
    squared = np.stack([((row - rows) ** 2).sum(axis=-1) for row in asked])
    if queries is None:
        np.fill_diagonal(squared, np.inf)
    order = np.argsort(squared, axis=1, kind="stable")[:, :k]
    return np.sqrt(np.take_along_axis(squared, order, axis=1)), order


def assert_exact(x, k, queries=None, **arguments):
    distances, rows = nearest_neighbors(x, k, queries, **arguments)
    expected, order = brute(x, k, queries)
    np.testing.assert_array_equal(rows, order)
    np.testing.assert_array_equal(distances, expected)


def wide(n, d=1100, rank=12, noise=0.02, seed=0):
    """Rows near a subspace, as activations are, wide and many enough to be projected."""
    draw = np.random.default_rng(seed)
    return (draw.normal(size=(n, rank)) @ draw.normal(size=(rank, d)) + noise * draw.normal(size=(n, d))).astype("f4")


def test_by_hand():
    distances, rows = nearest_neighbors(np.array([[0.0], [1.0], [3.0], [-1.0]]), 2)
    np.testing.assert_array_equal(rows, [[1, 3], [0, 2], [1, 0], [0, 1]])
    np.testing.assert_array_equal(distances, [[1, 1], [1, 2], [2, 3], [1, 2]])


@settings(max_examples=40, deadline=None)
@given(st.data(), st.sampled_from([np.float32, np.float64]), small, st.integers(1, 6))
def test_any_numbers(data, dtype, n, d):
    width = np.dtype(dtype).itemsize * 8
    bound = 1e38 if width == 32 else 1e150
    numbers = st.floats(-float(dtype(bound) / 2), float(dtype(bound) / 2), width=width)
    x = data.draw(hnp.arrays(dtype, (n, d), elements=numbers))
    assert_exact(x, data.draw(st.integers(1, n - 1)))


@settings(max_examples=40, deadline=None)
@given(st.data(), small, st.integers(1, 5), st.integers(0, 3))
def test_whole_numbers_with_many_ties_and_copies(data, n, d, reach):
    x = data.draw(hnp.arrays(np.int64, (n, d), elements=st.integers(-reach, reach)))
    assert_exact(x, data.draw(st.integers(1, n - 1)))
    queries = data.draw(hnp.arrays(np.int64, (3, d), elements=st.integers(-reach, reach)))
    assert_exact(x, data.draw(st.integers(1, n)), queries)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32), small, st.sampled_from([1e-6, 1e-3, 1.0]), st.sampled_from([1e6, 1e9, -3e5]))
def test_huge_offsets(seed, n, spread, offset):
    x = np.random.default_rng(seed).normal(size=(n, 4)) * spread + offset
    assert_exact(x, n - 1)
    assert_exact(x.astype(np.float32), n - 1)


@settings(max_examples=20, deadline=None)
@given(small, st.integers(1, 20))
def test_constant_rows_are_neighbours_in_their_order(n, d):
    distances, rows = nearest_neighbors(np.full((n, d), 0.1), n - 1)
    assert not distances.any()
    np.testing.assert_array_equal(rows, [[j for j in range(n) if j != i] for i in range(n)])


def test_a_copy_is_the_nearest_neighbour_and_the_first_of_several():
    x = np.random.default_rng(0).normal(size=(50, 8))
    x[[10, 20, 30]] = x[5]
    distances, rows = nearest_neighbors(x, 3)
    np.testing.assert_array_equal(rows[[5, 10, 20, 30]], [[10, 20, 30], [5, 20, 30], [5, 10, 30], [5, 10, 20]])
    assert not distances[[5, 10, 20, 30]].any()
    assert_exact(x, 3)


def test_negative_zero_is_zero():
    assert_exact(np.array([[0.0, 1.0], [-0.0, 1.0], [2.0, 2.0], [0.0, 1.0]]), 3)


@pytest.mark.parametrize("k", [1, 5])
@pytest.mark.parametrize(
    "change",
    {
        "as they are": lambda x: x,
        "an offset": lambda x: x + np.float32(1e4),
        "whole numbers": np.round,
        "float64": lambda x: x.astype(np.float64) * 1e-120,
        "half": lambda x: x.astype(np.float16),
        "copies": lambda x: np.concatenate([x[:600], x[100:300]]),
        "near copies": lambda x: np.concatenate([x[:600], x[100:300] + np.float32(1e-5)]),
        "a far row": lambda x: np.concatenate([x, 1e9 * x[:1]]),
        "two scales": lambda x: np.concatenate([x[:700], 1e-4 * x[700:]]),
        "exactly low rank": lambda x: np.pad(np.round(x[:, :6] * 8), ((0, 0), (0, 1094))),
    }.items(),
    ids=lambda item: item[0],
)
def test_wide_rows(change, k):
    assert_exact(change[1](wide(800)), k)


@given(st.integers(0, 2**32), st.integers(1, 60), st.floats(0, 2), st.integers(1, 4))
@settings(max_examples=5, deadline=None)
def test_wide_rows_of_any_spectrum(seed, rank, noise, k):
    x = wide(600, 1024, rank, noise, seed)
    assert_exact(x, k)
    assert_exact(x[:550], k, x[550:])


def test_projection_and_comparison_of_whole_rows_agree(monkeypatch):
    x = wide(900)
    projected = nearest_neighbors(x, 4)
    neighbors = sys.modules["assay.separation.neighbors"]
    assert neighbors.choose(_rows(x), 900, 4, 2**30) is not None
    monkeypatch.setattr(neighbors, "choose", lambda *_: None)
    for one, other in zip(projected, nearest_neighbors(x, 4), strict=True):
        np.testing.assert_array_equal(one, other)


def _rows(x):
    from assay.separation.rows import Rows
    from assay.separation.samples import samples

    return Rows(samples(x), centre=torch.zeros(x.shape[1]))


def test_rows_wide_enough_for_rough_distances():
    x = wide(520, 4200, rank=30, noise=0.3)
    x[100:200] = x[200:300] + np.float32(1e-6)
    assert_exact(x, 2)


def test_little_memory_gives_the_same():
    x = wide(800)
    assert_exact(x, 3, memory=2**24)


@pytest.mark.parametrize("mode", ["r", "r+", "c"])
def test_a_mapped_file(tmp_path, mode):
    x = wide(800)
    np.save(tmp_path / "x.npy", x)
    mapped = np.load(tmp_path / "x.npy", mmap_mode=mode)
    if mode == "c":
        mapped[3] = mapped[700]
        x[3] = x[700]
    distances, rows = nearest_neighbors(mapped, 3)
    expected, order = brute(x, 3)
    np.testing.assert_array_equal(rows, order)
    np.testing.assert_array_equal(distances, expected)
    np.testing.assert_array_equal(mapped, x)


def resident_bytes(file):
    """How much of a mapped file this process holds in memory."""
    entries = re.split(r"(?m)^(?=[0-9a-f]+-[0-9a-f]+ )", Path("/proc/self/smaps").read_text())
    return sum(1024 * int(re.search(r"Rss: +(\d+)", e)[1]) for e in entries if str(file) in e.split("\n")[0])


@contextmanager
def watched(file):
    """The list of what was resident of the file meanwhile."""
    seen, over = [], threading.Event()

    def watch():
        while not over.wait(0.01):
            seen.append(resident_bytes(file))

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield seen
    finally:
        over.set()
        watcher.join()


@pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux's")
@pytest.mark.parametrize(
    "copies", [slice(0), slice(None), slice(1, None, 2)], ids=["no copies", "copies", "every other"]
)
def test_of_a_mapped_file_little_is_held_in_memory(tmp_path, copies):
    """The system maps large pages of a cached file around every row that is read."""
    n, d, memory = 1500, 8192, 2**24
    x = np.memmap(tmp_path / "x.f32", np.float32, "w+", shape=(n, d))
    x[:] = wide(n, d)
    x[copies] = 0
    x.flush()
    mapped = np.memmap(tmp_path / "x.f32", np.float32, "r").reshape(n, d)
    del x
    with watched(tmp_path / "x.f32") as seen:
        _, rows = nearest_neighbors(mapped, 2, memory=memory)
        cross, _ = nearest_neighbors(mapped[: n // 2], 1, mapped[n // 2 :], memory=memory)
        sample_scores(mapped, np.arange(n) // 2 % 2, memory=memory)
    assert rows.shape == (n, 2)
    assert cross.shape == (n // 2, 1)
    assert 0 < max(seen) <= 2 * memory < mapped.nbytes


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64, torch.uint8, torch.bool])
def test_tensors_of_every_type_give_tensors(dtype):
    x = torch.randint(0, 2, (30, 5), generator=torch.Generator().manual_seed(0)).to(dtype)
    distances, rows = nearest_neighbors(x, 2)
    assert (distances.dtype, rows.dtype) == (torch.float64, torch.int64)
    expected, order = brute(x.double().numpy(), 2)
    np.testing.assert_array_equal(rows, order)
    np.testing.assert_array_equal(distances, expected)


def test_views_reversed_and_foreign_byte_orders():
    x = np.random.default_rng(0).normal(size=(40, 12))
    for view in (x[::2, ::3], x[::-1], x.T, np.asfortranarray(x), x.astype(">f4")):
        assert_exact(view, 2)


def test_global_settings_change_nothing():
    x = torch.from_numpy(wide(800))
    expected = nearest_neighbors(x, 2)
    torch.set_float32_matmul_precision("medium")
    torch.set_default_dtype(torch.float64)
    try:
        with torch.autocast("cpu", torch.bfloat16):
            found = nearest_neighbors(x, 2)
        assert torch.get_float32_matmul_precision() == "medium"
    finally:
        torch.set_default_dtype(torch.float32)
        torch.set_float32_matmul_precision("highest")
    assert all(torch.equal(a, b) for a, b in zip(found, expected, strict=True))


def test_progress_reaches_the_end():
    calls = []
    nearest_neighbors(wide(700), 1, progress=lambda done, total: calls.append((done, total)))
    assert calls == sorted(calls)
    assert calls[-1][0] == calls[-1][1] == calls[0][1]


@pytest.mark.parametrize("d", [1, 3])
def test_ties_between_different_rows(d):
    side = np.arange(5)
    grid = np.stack(np.meshgrid(*[side] * d), axis=-1).reshape(-1, d)
    assert_exact(grid, min(4, len(grid) - 1))
    assert_exact(np.eye(60), 5)


@given(st.integers(0, 2**32), st.integers(1, 3))
@settings(max_examples=15, deadline=None)
def test_moving_all_rows_by_whole_numbers_changes_nothing(seed, k):
    draw = np.random.default_rng(seed)
    x = draw.integers(0, 50, (30, 3))
    assume(len(x) > k)
    for one, other in zip(nearest_neighbors(x, k), nearest_neighbors(x + 10**9, k), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(
    ("x", "k", "queries", "sentence"),
    [
        (np.zeros((1, 3)), 1, None, "at least 2 samples, found 1"),
        (np.zeros((0, 3)), 1, None, "at least 2 samples, found 0"),
        (np.zeros((4, 3)), 4, None, "k: expected 1 to 3 neighbours among the 4 rows of x, found 4"),
        (np.zeros((4, 3)), 0, None, "k: expected 1 to 3"),
        (np.zeros((4, 3, 2)), 1, None, r"one sample a row, found shape \(4, 3, 2\); flatten"),
        (np.zeros((4, 0)), 1, None, r"found shape \(4, 0\)"),
        (np.zeros(4), 1, None, r"found shape \(4,\)"),
        (np.array([["a"], ["b"]]), 1, None, "x: expected numbers"),
        (np.zeros((2, 2), dtype=complex), 1, None, "x: expected numbers"),
        (np.array([[0.0], [1.0], [np.nan]]), 1, None, "x: row 2 of 3 is not finite"),
        (np.array([[0.0], [-np.inf], [1.0]]), 1, None, "x: row 1 of 3 is not finite"),
        (np.array([[0.0], [1e200]]), 1, None, "do not fit float64"),
        (np.zeros((4, 3)), 1, np.zeros((4, 2)), "queries: expected rows of 3 numbers .* found 2"),
        (np.zeros((4, 3)), 1, np.full((4, 3), np.nan), "queries: row 0 of 4 is not finite"),
        (np.zeros((4, 3)), 5, np.zeros((4, 3)), "k: expected 1 to 4"),
    ],
)
def test_mistakes_are_told(x, k, queries, sentence):
    with pytest.raises(AssayError, match=sentence):
        nearest_neighbors(x, k, queries)


@pytest.mark.parametrize("k", [1.5, "3", True])
def test_a_number_of_neighbours_that_is_none_is_told(k, unchecked):
    with pytest.raises(AssayError, match=f"k: expected 1 to 3 neighbours among the 4 rows of x, found {k!r}"):
        nearest_neighbors(np.zeros((4, 3)), k)


@pytest.mark.parametrize("kind", ["uint16", "uint32", "uint64"])
@pytest.mark.parametrize("of", [np.asarray, torch.from_numpy])
def test_whole_numbers_without_a_sign_are_rows(kind, of):
    x = np.random.default_rng(0).integers(0, 60_000, (30, 4))
    expected = nearest_neighbors(x, 3)
    for found, wanted in zip(nearest_neighbors(of(x.astype(kind)), 3), expected, strict=True):
        np.testing.assert_array_equal(np.asarray(found), wanted)


def test_sparse_and_meta_tensors_are_told():
    with pytest.raises(AssayError, match=r"x: expected a dense tensor, found the layout torch\.sparse_coo"):
        nearest_neighbors(torch.eye(3).to_sparse())
    with pytest.raises(AssayError, match="queries: expected numbers, found a tensor on the device 'meta'"):
        nearest_neighbors(torch.eye(3), 1, torch.eye(3, device="meta"))


def test_memory_too_small_is_told():
    with pytest.raises(AssayError, match="memory: expected at least"):
        nearest_neighbors(np.zeros((4, 3)), memory=1000)


def test_no_queries_no_rows():
    distances, rows = nearest_neighbors(np.zeros((4, 3)), 2, np.zeros((0, 3)))
    assert distances.shape == rows.shape == (0, 2)
