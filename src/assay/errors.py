"""The exception and the warning that reach a user, and the help it gives with misspelt names."""

from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from reprlib import Repr

_SHORT = Repr()
_SHORT.maxstring = _SHORT.maxlong = _SHORT.maxother = 80


class AssayError(Exception):
    """A mistake that the user can mend, told in one sentence: what, where, what was expected."""


class RunFailed(AssayError):
    """A run that cannot go on (loss not finite, out of memory); recorded, and the study goes on."""


class StudyStopped(AssayError):
    """Trouble that ends the whole study (a full disk); what was finished stays finished."""


class NothingToDo(AssayError):
    """What was asked for is there already, or has no object: nobody's mistake, told in one sentence."""


class PictureWarning(UserWarning):
    """What should be known of a picture that is read all the same, told in one sentence that names it."""


class DeviceWarning(UserWarning):
    """What should be known of the device that is used in place of another, told in one sentence."""


def nearest(name: object, known: Iterable[str]) -> str:
    """Say which known name is meant: ``"did you mean 'relu'?"``, or list what there is."""
    names = sorted(str(k) for k in known)
    close = get_close_matches(str(name), names, n=2, cutoff=0.6)
    if close:
        return "did you mean " + " or ".join(repr(c) for c in close) + "?"
    first = ", ".join(names[:12]) + (", …" if len(names) > 12 else "")
    return f"expected one of: {first}" if names else "nothing is expected here"


def unknown(kind: str, name: object, known: Iterable[str]) -> AssayError:
    """The error for a name that is in no table, for example ``unknown model 'cmn'``."""
    return AssayError(f"unknown {kind} {str(name)!r}; {nearest(name, known)}")


def quoted(names: Sequence[object], most: int = 20) -> str:
    """``'a', 'b' and 'c'``; so many at most, and how many more there are."""
    return enumerated([repr(name) for name in names], most)


def enumerated(parts: Sequence[str], most: int = 20) -> str:
    """``a, b and c``; so many at most, and how many more there are."""
    told = [*parts[:most], *([f"{len(parts) - most:,} more"] if len(parts) > most else [])]
    return " and ".join([", ".join(told[:-1]), told[-1]] if len(told) > 1 else told)


def shown(value: object) -> str:
    """The value in at most 60 characters, however large it is."""
    text = _SHORT.repr(value)
    return text if len(text) <= 60 else f"{text[:57]}…"


def amount(n: int, what: str) -> str:
    """``1 image``, ``2,065 images``."""
    return f"{n:,} {what}{'s' * (n != 1)}"


def size_text(count: int) -> str:
    """``12 kB``, ``3.4 MB``, ``1.2 GB``."""
    value = count / 1000
    for unit in ("kB", "MB"):
        if value < 999.5:
            return f"{value:.3g} {unit}"
        value /= 1000
    return f"{value:,.3g} GB"
