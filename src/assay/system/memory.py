"""How the process asks the system for memory."""

import ctypes
import sys
from contextlib import suppress

import psutil

KEPT = 2**31 - 1
"""Bytes, the most that the setting takes."""
_TRIM_THRESHOLD, _MMAP_MAX = -1, -4
"""Their numbers in glibc's malloc.h."""


def keep_freed_memory() -> None:
    """Keep what tensors free, up to 2 GiB, for the next ones, where glibc would give each back to the system at once.

    A network on the processor makes and frees tensors of many megabytes, and without this spends up to half of its time
    waiting for pages that the system has to clear. It holds for the whole process and changes no result. On systems
    without glibc nothing happens.
    """
    if sys.platform == "linux":
        with suppress(AttributeError, OSError):
            set_option = ctypes.CDLL(None).mallopt
            set_option(_MMAP_MAX, 0)
            set_option(_TRIM_THRESHOLD, KEPT)


def available_memory() -> int:
    """Bytes that new processes may take before the system has to move others out of memory."""
    return int(psutil.virtual_memory().available)


def is_lack_of_memory(error: BaseException) -> bool:
    """Whether memory, of the machine or of an accelerator, ran out; torch says it in several ways."""
    words = ("can't allocate memory", "out of memory", "ALLOC_FAILED")
    return (
        isinstance(error, MemoryError)
        or type(error).__name__ == "OutOfMemoryError"
        or (isinstance(error, RuntimeError) and any(each in str(error) for each in words))
    )


def give_back_freed_memory() -> None:
    """Let the system have all that is kept and unused: what one run leaves need not suit the next one's tensors."""
    if sys.platform == "linux":
        with suppress(AttributeError, OSError):
            ctypes.CDLL(None).malloc_trim(0)
