"""At how many seeds decisions were told: recorded once each, by several processes too, and paid for."""

import json
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.results.comparing import looks
from assay.results.comparing.looks import Look, Looks, level, look_at, read, told

LOOKER = Path(__file__).with_name("looker.py")


def of(seeds, variants="ab"):
    """A look at these seeds of variants called by a letter."""
    return look_at(seeds, variants)


def lines(folder):
    return (folder / looks.NAME).read_text().splitlines()


def test_the_first_look_has_5_percent_and_all_later_ones_half_a_percent_together():
    assert level([], 3) == 0.05
    assert level([3], 3) == 0.05
    assert level([3], 5) == pytest.approx(0.0025)
    assert level([3, 5], 10) == pytest.approx(0.005 / 6)
    assert level([3, 5, 10], 20) == pytest.approx(0.005 / 12)
    assert sum(level(range(j), j) for j in range(1, 10_000)) == pytest.approx(0.005, rel=1e-3)


def test_looking_again_at_the_same_seeds_is_the_same_look_and_fewer_seeds_are_another():
    assert level([3, 5], 5) == level([3, 5, 10, 20], 5) == pytest.approx(0.0025)
    assert level([5], 3) == pytest.approx(0.0025)


@given(st.lists(st.integers(1, 30), max_size=12), st.integers(1, 30))
def test_whatever_was_looked_at_the_levels_add_up_to_less_than_5_and_a_half_percent(before, seeds):
    told_at = [*before, seeds]
    first = {n: i for i, n in reversed(list(enumerate(told_at)))}
    levels = {n: level(told_at[:i], n) for n, i in first.items()}
    assert sum(levels.values()) <= 0.055
    assert levels == {n: level(told_at, n) for n in levels}


def test_each_set_of_seeds_is_written_once_with_its_number_and_the_time(tmp_path):
    told(tmp_path, of([0, 1, 2], "ab"))
    found = told(tmp_path, of([2, 1, 0], "ba"))
    assert found == told(tmp_path, of(range(3))) == Looks((Look((0, 1, 2), ("a", "b")),))
    (line,) = lines(tmp_path)
    assert json.loads(line)["seeds"] == 3
    assert json.loads(line)["variants"] == ["a", "b"]
    assert json.loads(line)["time"].endswith("+00:00")


def test_seeds_that_are_raised_lowered_or_others_are_later_looks(tmp_path):
    looked = [of(seeds) for seeds in (range(3), range(5), range(2), range(10, 13))]
    for look in looked:
        found = told(tmp_path, look)
    assert [found.level(look) for look in looked] == pytest.approx([0.05, 0.005 / 2, 0.005 / 6, 0.005 / 12])
    assert found.before(looked[2]) == tuple(looked[:2])
    assert found.since(looked[2]) == (looked[3],)
    assert found.before(looked[0]) == found.since(looked[3]) == found.since(of(range(99))) == ()


def test_variants_that_are_added_or_left_out_are_a_later_look_at_the_same_seeds(tmp_path):
    looked = [of(range(3), names) for names in ("ab", "abc", "ac")]
    for look in looked:
        found = told(tmp_path, look)
    assert [found.level(look) for look in looked] == pytest.approx([0.05, 0.005 / 2, 0.005 / 6])


def test_reading_writes_nothing(tmp_path):
    assert read(tmp_path) == Looks(())
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_line_is_counted_as_such_and_the_others_are_read(tmp_path):
    told(tmp_path, of(range(3)))
    with open(tmp_path / looks.NAME, "ab") as file:
        file.write(b'not JSON\n[1]\n{"which": "3"}\n{"which": [1]}\n\xff\xfe\n\n{"seeds": 4}\n')
        for which, variants in (([], ["a"]), ([True], ["a"]), ([1], [2]), ([1], "a")):
            file.write(json.dumps({"which": which, "variants": variants}).encode() + b"\n")
    found = told(tmp_path, of(range(5)))
    assert found == Looks((of(range(3)), of(range(5))), damaged=10)
    assert found.level(of(range(5))) == pytest.approx(0.0025)


def test_a_line_that_a_killed_process_left_unfinished_costs_neither_the_next_nor_those_before(tmp_path):
    told(tmp_path, of(range(3)))
    whole = (tmp_path / looks.NAME).read_bytes()
    for length in range(1, len(whole)):
        (tmp_path / looks.NAME).write_bytes(whole + whole[:length])
        found = told(tmp_path, of(range(5)))
        assert found.told == (of(range(3)), of(range(5)))
        assert found.level(of(range(5))) == pytest.approx(0.0025)


@pytest.mark.parametrize("obstacle", ["file", "folder"])
def test_where_nothing_can_be_written_the_look_is_known_all_the_same(tmp_path, obstacle):
    if obstacle == "file":
        folder = tmp_path / "none"
        folder.write_text("not a folder")
    else:
        folder = tmp_path
        (folder / looks.NAME).mkdir()
    found = told(folder, of(range(3)))
    assert found.told == ()
    assert "looks.jsonl" in found.unwritable
    assert found.level(of(range(3))) == 0.05


def test_processes_that_tell_at_once_leave_whole_lines_and_agree_on_the_order(tmp_path):
    rounds, begin = 20, time.time() + 4
    starts = [2, 2, 40, 80]
    started = [
        subprocess.Popen(
            [sys.executable, LOOKER, tmp_path, str(rounds), str(begin), str(first)], stdout=subprocess.PIPE, text=True
        )
        for first in starts
    ]
    said = [process.communicate(timeout=120)[0].split() for process in started]
    assert all(process.returncode == 0 for process in started)
    found = read(tmp_path)
    assert found.damaged == 0
    assert {len(look.seeds) for look in found.told} == {first + r for first in (2, 40, 80) for r in range(rounds)}
    for first, levels in zip(starts, said, strict=True):
        assert [float(each) for each in levels] == [found.level(of(range(first + r))) for r in range(rounds)]


def test_a_process_killed_while_it_tells_leaves_what_was_told_before(tmp_path):
    told(tmp_path, of(range(1)))
    for wait in (0.0, 0.003, 0.01, 0.02, 0.05):
        process = subprocess.Popen(
            [sys.executable, LOOKER, tmp_path, "1000", "0", "2"], stdout=subprocess.PIPE, text=True
        )
        process.stdout.readline()
        time.sleep(wait)
        process.kill()
        process.communicate()
        found = read(tmp_path)
        assert found.told[0].seeds == (0,)
        assert all(len(b.seeds) == len(a.seeds) + 1 for a, b in pairwise(found.told))
        assert found.damaged <= 1
