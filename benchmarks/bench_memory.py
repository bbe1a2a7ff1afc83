"""A network on the processor with and without ``keep_freed_memory``, in one process, without it first.

timm/tf_efficientnet_lite0 with random weights on batches of 64 images of 128 px, channels last: forward passes, and
steps of training. Processor seconds, with the share that the system took.

Target: at least 1.2 times faster where the C library is glibc."""

import resource
import time
from collections.abc import Callable

import torch
from benchmark import verdict, weather

from assay.models import build
from assay.recipe import Model
from assay.system.memory import keep_freed_memory

ROUNDS = 5


def seconds(step: Callable[[], object]) -> tuple[float, float]:
    """Processor seconds of a step, and the share of the system in it."""
    step()
    before, began = resource.getrusage(resource.RUSAGE_SELF).ru_stime, time.process_time()
    for _ in range(ROUNDS):
        step()
    spent = time.process_time() - began
    return spent / ROUNDS, (resource.getrusage(resource.RUSAGE_SELF).ru_stime - before) / spent


def main() -> None:
    torch.manual_seed(0)
    network = build(Model(name="timm/tf_efficientnet_lite0"), (3, 128, 128), 10)
    network.to(memory_format=torch.channels_last)
    images = torch.randn(64, 3, 128, 128).to(memory_format=torch.channels_last)

    def predict() -> None:
        network.eval()
        with torch.no_grad():
            network(images)

    def train() -> None:
        network.train()
        network(images).logsumexp(dim=1).mean().backward()

    found = {}
    for kept in (False, True):
        if kept:
            keep_freed_memory()
        for step in (predict, train):
            found[step, kept], share = seconds(step)
            name = f"{step.__name__}, {'memory kept' if kept else 'as glibc does'}"
            print(f"{name}: {found[step, kept]:.2f} s a batch, {share:.0%} of it the system's")
    print(weather())
    for step in (predict, train):
        verdict(f"{step.__name__}: kept", found[step, False] / found[step, True], 1.2, " × faster", at_least=True)


if __name__ == "__main__":
    main()
