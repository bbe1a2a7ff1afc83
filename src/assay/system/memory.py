"""How the process asks the system for memory."""

import ctypes
import sys
from contextlib import suppress

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


def give_back_freed_memory() -> None:
    """Let the system have all that is kept and unused: what one run leaves need not suit the next one's tensors."""
    if sys.platform == "linux":
        with suppress(AttributeError, OSError):
            ctypes.CDLL(None).malloc_trim(0)
