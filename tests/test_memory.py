"""What tensors free stays with the process."""

import subprocess
import sys

import pytest

SCRIPT = """
import ctypes
import resource
import torch
from assay.system.memory import keep_freed_memory

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
from assay.system.memory import give_back_freed_memory, keep_freed_memory

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


AFTER_A_RUN = """
import sys
import psutil
from assay import Study
from assay.runs.engine import run as run_study
from assay.system.memory import give_back_freed_memory

def resident():
    return psutil.Process().memory_info().rss

base = {
    "data": {"source": "digits", "train": 100},
    "model": {"name": "mlp", "hidden": [4096, 4096]},
    "train": {"epochs": 1, "optimizer": {"name": "sgd", "lr": 0.01}},
    "evaluate": ["classification"],
}
run_study(Study(title="One run", name="one", base=base, seeds=1), sys.argv[1], quiet=True)
after = resident()
give_back_freed_memory()
print(after - resident())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="glibc alone is told")
def test_a_run_leaves_nothing_kept(tmp_path) -> None:
    """Its weights, gradients and checkpoint took 67 MB each."""
    found = subprocess.run([sys.executable, "-c", AFTER_A_RUN, tmp_path], capture_output=True, text=True, check=True)
    assert int(found.stdout.split()[-1]) < 2**25


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
