"""Batches made ahead by a thread, so that a card does not wait for the memory map."""

import queue
import threading
from collections.abc import Iterator
from contextlib import suppress
from typing import TypeVar

Block = TypeVar("Block")
DEPTH = 2
"""Blocks that are ready or on their way while one is in use."""


def ahead(blocks: Iterator[Block]) -> Iterator[Block]:
    """The same blocks in the same order, made in a thread while the ones before are used.

    What the thread raises is raised here; it ends when the blocks do, or when they are no longer asked for.
    """
    ready: queue.Queue[tuple[Block | None, BaseException | None]] = queue.Queue(DEPTH)
    stopped = threading.Event()

    def put(item: tuple[Block | None, BaseException | None]) -> None:
        while not stopped.is_set():
            with suppress(queue.Full):
                return ready.put(item, timeout=0.1)

    def make() -> None:
        try:
            for block in blocks:
                put((block, None))
                if stopped.is_set():
                    return
            put((None, None))
        except BaseException as error:
            put((None, error))

    thread = threading.Thread(target=make, name="assay-blocks", daemon=True)
    thread.start()
    try:
        while True:
            block, error = ready.get()
            if error is not None:
                raise error
            if block is None:
                return
            yield block
    finally:
        stopped.set()
        thread.join()
