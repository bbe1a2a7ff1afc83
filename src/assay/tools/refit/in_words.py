"""A refit in words."""

from assay.results.formats import p_value
from assay.tools.refit.change import Change


def verdict(images: int, tested: Change, control: Change, between: Change) -> str:
    """What the mistakes did to the test accuracy, what as many random images did, and whether these differ.

    ``images`` were trained on; ``tested`` and ``control`` are the changes of the test images by the mistakes and by as
    many random images, ``between`` that from the second network to the first. Nothing is called better or worse that
    the interval and the corrected p-value do not show.
    """
    mistakes = "the 1 mistake" if images == 1 else f"the {images:,} mistakes"
    many = "1 random image" if images == 1 else "as many random images"
    size = f"95 % interval {interval(tested)}, corrected p {p_value(tested.p_holm)}"
    counts = f"{tested.gained:,} test images gained, {tested.forgotten:,} forgotten"
    if not tested.gained and not tested.forgotten:
        text = f"Training on {mistakes} changed no test image from wrong to right or back"
    elif tested.decided == "cannot tell":
        text = (
            f"Whether training on {mistakes} helped or harmed the test accuracy cannot be told: "
            f"{points(tested)} points ({size}), {counts}"
        )
    else:
        by = points(tested).lstrip("+−")
        text = f"Training on {mistakes} made the test accuracy {tested.decided} by {by} points ({size}): {counts}"
    text += f"; more training on {many} changed it by {points(control)} ({interval(control)})."
    size = f"{interval(between)}, corrected p {p_value(between.p_holm)}"
    if between.decided == "cannot tell":
        return f"{text} The two cannot be told apart ({points(between)} points, {size})."
    by = points(between).lstrip("+−")
    return f"{text} The mistakes did {between.decided} than the random images by {by} points ({size})."


def points(c: Change) -> str:
    """``+1.9``: the difference in percentage points."""
    return _signed(c.difference, _places(c))


def interval(c: Change) -> str:
    """``−2.6 to −1.2``: its interval in percentage points."""
    return "–" if c.low is None or c.high is None else " to ".join(_signed(end, _places(c)) for end in (c.low, c.high))


def _places(c: Change) -> int:
    """Two where one would hide the width of the interval."""
    return 2 if c.low is not None and c.high is not None and 0 < c.high - c.low < 0.005 else 1


def _signed(share: float, places: int) -> str:
    value = round(100 * share, places)
    return f"{value:+.{places}f}".replace("-", "−") if value else f"{0:.{places}f}"
