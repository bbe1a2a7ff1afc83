"""A task given to a node: awaited, halted, and its end told apart from the end of its node."""

import os
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from assay.errors import RunFailed, StudyStopped
from assay.runs.ray.cluster import Node

_GRACE = 10.0
"""Seconds that a task has to end after it was told to."""
_ANSWER = 30.0
"""Seconds that a node has to begin a process."""


class Gone(Exception):
    """The node can do nothing more, as its words say."""


class Halted(Exception):
    """The driver ends, and with it what it has given away."""


def give(node: Node, what: Callable[..., Any], *arguments: Any, **resources: float | int) -> Any:
    """Let a node do ``what`` with the arguments, once; what ``outcome`` awaits."""
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    pinned = NodeAffinitySchedulingStrategy(node.id, soft=False)
    task = ray.remote(what).options(max_retries=0, scheduling_strategy=pinned, **({"num_cpus": 0} | resources))
    return task.remote(*arguments)


def outcome(given: Any, node: Node, halted: Callable[[], bool], meanwhile: Callable[[], None] = lambda: None) -> Any:
    """What a task answers; ``meanwhile`` is called twice a second until then.

    Raises what the task raised, RunFailed where its process died, Gone where its node did or has trouble with its disk,
    and Halted.
    """
    import ray
    from ray import exceptions

    try:
        while not ray.wait([given], timeout=0.5)[0]:
            if halted():
                raise Halted
            meanwhile()
        return ray.get(given)
    except exceptions.RayTaskError as error:
        raise Gone(f"{node}: {error.cause}") if isinstance(error.cause, StudyStopped) else error.cause from None
    except exceptions.WorkerCrashedError:
        if not _answers(node):
            raise Gone(f"{node} is lost") from None
        raise RunFailed(f"its process on {node} ended without a word, often for lack of memory") from None
    except exceptions.OutOfMemoryError:
        raise RunFailed(f"out of memory: Ray ended its process, since {node} had none left") from None
    except exceptions.RayError:
        raise Gone(f"{node} is lost") from None
    except BaseException:
        _cancel(given)
        raise


def _answers(node: Node) -> bool:
    """Whether a node whose process has died is alive itself."""
    import ray

    given = give(node, os.getpid)
    try:
        return bool(ray.wait([given], timeout=_ANSWER)[0] and ray.get(given))
    except ray.exceptions.RayError:
        return False


def _cancel(given: Any) -> None:
    """End a task as Ctrl-C does; by force where that takes too long."""
    import ray

    with suppress(ray.exceptions.RayError, ConnectionError):
        ray.cancel(given)
        if not ray.wait([given], timeout=_GRACE)[0]:
            ray.cancel(given, force=True)
