"""How long a study will still take, by the epochs that have been timed."""

from collections.abc import Mapping, Sequence


def seconds_left(left: Mapping[str, int], timed: Mapping[str, Sequence[float]], at_once: int) -> float | None:
    """The seconds until all epochs are done, of so many runs at once; None before any epoch has been timed.

    ``left`` has the epochs left of each variant, ``timed`` the seconds of its epochs so far. A variant's epochs are
    taken to last as long as its own have on average, or, before its first, as all have.
    """
    if not sum(left.values()):
        return 0.0
    every = [seconds for own in timed.values() for seconds in own]
    if not every:
        return None
    mean = {name: sum(own) / len(own) for name, own in timed.items() if own}
    return sum(count * mean.get(name, sum(every) / len(every)) for name, count in left.items()) / max(1, at_once)
