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


@pytest.mark.skipif(sys.platform != "linux", reason="glibc alone is told")
def test_large_tensors_are_made_from_memory_that_others_left() -> None:
    found = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True)
    without, kept = map(int, found.stdout.split())
    assert without > 10_000
    assert kept < without / 2
