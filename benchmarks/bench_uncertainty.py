"""T = 50 stochastic passes with injected dropout against one plain pass, and against 50 full passes.

The plain elu_resnet on noise of CIFAR-10's size, ``--images`` in batches of 128, random weights (they do not matter for
the time). Full passes are made the usual way: a hook that drops out, and the whole network 50 times.

Targets: dropout in the head (before the last dense layer) takes at most 3 times one plain pass; in the last third of
the network (after pool3, before the second residual block) it is at least twice as fast as 50 full passes.
"""

import argparse
import time
from collections.abc import Callable

from benchmark import in_turn, verdict, weather

PASSES, BATCH, RATE = 50, 128, 0.2


def seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def main() -> None:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--images", type=int, default=256)
    arguments.add_argument("--rounds", type=int, default=3)
    given = arguments.parse_args()

    import torch
    from torch.nn import functional

    from assay.models import build
    from assay.models.modes import evaluating
    from assay.recipe import Model
    from assay.uncertainty import replaying

    torch.manual_seed(0)
    network = build(Model(name="elu_resnet"), (3, 32, 32), 10)
    batches = torch.randn(given.images, 3, 32, 32).split(BATCH)

    def plain(times: int = 1) -> None:
        with evaluating(network):
            for images in batches:
                for _ in range(times):
                    network(images)

    def full() -> None:
        hook = network.get_submodule("pool3").register_forward_hook(lambda _m, _i, y: functional.dropout(y, RATE))
        plain(PASSES)
        hook.remove()

    def injected(layers: str) -> None:
        with replaying(network, layers) as replay:
            for number, images in enumerate(batches):
                replay.first(images)
                replay.draw(RATE, PASSES, 0, number)

    injected("head")
    found = in_turn(
        given.rounds,
        plain=lambda: seconds(plain),
        head=lambda: seconds(lambda: injected("head")),
        third=lambda: seconds(lambda: injected("pool3")),
        full=lambda: seconds(full),
    )
    for name, value in found.items():
        print(f"{name:>6}: {value:8.3f} s for {given.images} images")
    print(f"{PASSES} passes ({weather()})")
    verdict("dropout in the head, over one plain pass", found["head"] / found["plain"], 3, "×")
    verdict("50 full passes over dropout in the last third", found["full"] / found["third"], 2, "×", at_least=True)


if __name__ == "__main__":
    main()
