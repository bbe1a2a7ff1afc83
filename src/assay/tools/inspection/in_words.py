"""Counts and shares as sentences have them."""


def none(n: int) -> str:
    """The number, or the word for zero."""
    return f"{n:,}" if n else "none"


def share(part: int, whole: int) -> str:
    """``3.1 %``; with two digits below one percent."""
    percent = 100 * part / max(whole, 1)
    return f"{percent:.2f} %" if 0 < percent < 1 else f"{percent:.1f} %"


def have(n: int) -> str:
    """The verb for ``n`` of them."""
    return "has" if n == 1 else "have"


def are(n: int) -> str:
    """The verb for ``n`` of them."""
    return "is" if n == 1 else "are"
