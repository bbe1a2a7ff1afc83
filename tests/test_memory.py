"""What tensors free stays with the process."""

import subprocess
import sys

import pytest

SCRIPT = """
import ctypes
import resource
import torch
from assay.memory import keep_freed_memory

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(20):
        torch.ones(2**24)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

ctypes.CDLL(None).prctl(41, 1, 0, 0, 0)  # no huge pages, of which few faults make many
faults()
first = faults()
keep_freed_memory()
faults()
print(first, faults())
"""


GIVEN_BACK = """
import psutil
import torch
from assay.memory import give_back_freed_memory, keep_freed_memory

def resident():
    return psutil.Process().memory_info().rss

torch.ones(1)
keep_freed_memory()
before = resident()
torch.ones(2**26)
kept = resident()
give_back_freed_memory()
print(kept - before, resident() - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="glibc alone is told")
def test_what_is_kept_can_be_given_back() -> None:
    found = subprocess.run([sys.executable, "-c", GIVEN_BACK], capture_output=True, text=True, check=True)
    kept, left = map(int, found.stdout.split())
    assert kept > 2**27
    assert left < kept / 2


@pytest.mark.skipif(sys.platform != "linux", reason="glibc alone is told")
def test_large_tensors_are_made_from_memory_that_others_left() -> None:
    found = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True)
    without, kept = map(int, found.stdout.split())
    assert without > 10_000
    assert kept < without / 2
