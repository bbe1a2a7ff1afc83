"""Python's warnings, caught where they arise, so that the file they are about can be named."""

import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

_here = threading.local()


@contextmanager
def listening() -> Iterator[None]:
    """Meanwhile every warning goes to the ``heard`` of its thread; where there is none, the way it went before."""
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        before = warnings.showwarning

        def hear(
            message: Warning | str,
            category: type[Warning],
            filename: str,
            lineno: int,
            file: TextIO | None = None,
            line: str | None = None,
        ) -> None:
            if (texts := getattr(_here, "texts", None)) is None:
                before(message, category, filename, lineno, file, line)
            else:
                texts.append(" ".join(str(message).split()))

        warnings.showwarning = hear
        yield


@contextmanager
def heard() -> Iterator[list[str]]:
    """What warnings say in this thread meanwhile, under ``listening``."""
    texts: list[str] = []
    _here.texts = texts
    try:
        yield texts
    finally:
        del _here.texts
