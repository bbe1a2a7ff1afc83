"""The cluster: joined or started, and what its nodes have."""

import logging
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass

from assay.errors import AssayError
from assay.runs.place import Place
from assay.system.process import available_cores

PATIENCE = 10.0
"""Seconds in which a cluster has to answer."""


@dataclass(frozen=True)
class Node:
    """A machine of the cluster."""

    id: str
    address: str
    cores: int
    cards: int
    memory: int
    """Bytes that tasks may ask for."""

    def __str__(self) -> str:
        return f"node {self.address} ({self.id[:6]})"


@contextmanager
def connected(place: Place) -> Iterator[None]:
    """Inside the block this process drives the cluster at ``place``; without an address one that is started for it and
    ends with it. AssayError where there is no Ray, or no cluster.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        import ray
    except ImportError:
        raise AssayError(
            "--on ray: Ray is not installed: pip install 'assay-studies[ray]', for Python 3.11 to 3.13"
        ) from None
    if ray.is_initialized():
        raise AssayError("--on ray: this process drives a Ray cluster already; call ray.shutdown() before")
    try:
        with _own_handler():
            _join(place)
        with open(os.devnull, "w") as nothing, redirect_stdout(nothing):  # Ray prints the logs of nodes that die
            yield
    finally:
        ray.shutdown()


@contextmanager
def _own_handler() -> Iterator[None]:
    """What is done at SIGTERM is afterwards what it was before; Ray would end the process on the spot."""
    handler = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, handler)


def _join(place: Place) -> None:
    import ray

    quiet = {"logging_level": logging.CRITICAL, "log_to_driver": False}
    if place.address is None:
        ray.init("local", num_cpus=available_cores(), include_dashboard=False, **quiet)  # type: ignore[arg-type]
        return
    _refuse_silent(place)
    try:
        ray.init(place.address, **quiet)  # type: ignore[arg-type]
    except Exception as error:  # Ray's own are of many kinds: no node here, another Ray or Python there
        first = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise AssayError(f"--on {_named(place)}: this machine cannot join the cluster: {first}") from None


def _named(place: Place) -> str:
    return str(place.address) if place.client else f"ray:{place.address}"


def _refuse_silent(place: Place) -> None:
    """Raise AssayError where nothing answers as a cluster does, which Ray itself would await for minutes."""
    import grpc

    channel = grpc.insecure_channel(f"{place.host}:{place.port}")
    try:
        grpc.channel_ready_future(channel).result(timeout=PATIENCE)
    except grpc.FutureTimeoutError:
        raise AssayError(
            f"--on {_named(place)}: no cluster has answered within {PATIENCE:.0f} s; does it run?"
        ) from None
    finally:
        channel.close()


def nodes() -> list[Node]:
    """Those that are alive."""
    import ray

    alive = (node for node in ray.nodes() if node["Alive"])
    return [_node(node["NodeID"], node["NodeManagerAddress"], node["Resources"]) for node in alive]


def _node(number: str, address: str, has: dict[str, float]) -> Node:
    return Node(number, address, int(has.get("CPU", 0)), int(has.get("GPU", 0)), int(has.get("memory", 0)))
