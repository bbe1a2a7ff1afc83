"""Processes of our own that wait for what they are to do, and are not reached by a Ctrl-C at the terminal."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

Child = subprocess.Popen[str]


def new_child(module: str, threads: int) -> Child:
    """A process of ``module`` that waits for its plan."""
    return subprocess.Popen(
        [sys.executable, "-m", module],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        env=os.environ | {"OMP_NUM_THREADS": str(threads), "MKL_NUM_THREADS": str(threads)},
    )


@contextmanager
def interrupts_blocked() -> Iterator[None]:
    """What is started inside never sees a Ctrl-C, not even while it starts; ours comes through at the end.

    The mask is for the child, which inherits it, and holds in this thread only: the system may hand the signal to
    another one, and Python then runs the handler here. So the handlers wait too.
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    came: list[int] = []
    handlers = {}
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGINT, signal.SIGTERM):
            handlers[number] = signal.signal(number, lambda number, _: came.append(number))
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        for number, handler in handlers.items():
            signal.signal(number, handler)
        if came:
            signal.raise_signal(came[0])


def manner(child: Child) -> str:
    """How a child ended."""
    code = child.returncode
    return f"signal {-code}, often a lack of memory" if code < 0 else f"exit status {code}"
