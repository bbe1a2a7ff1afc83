"""Names of variants, one or many, for sentences that are shown as they are."""

import re
import unicodedata
from collections.abc import Sequence
from typing import Literal

from assay.language.script import NAME, as_name
from assay.language.speech import say
from assay.recipe.study import Study


def short_names(study: Study) -> dict[str, str]:
    """Variant → what a sentence calls it (``assay.recipe.names``)."""
    return {name: isolated(text) for name, text in study.shown.in_sentences.items()}


def isolated(name: str) -> str:
    """``name`` without control characters, and with right-to-left script kept from turning the sentence around."""
    clean = "".join("\ufffd" if unicodedata.category(c) in ("Cc", "Cs") else c for c in name)
    clean = re.sub(r"[\u202a-\u202e\u2066-\u2069]", "", clean)
    turned = any(unicodedata.bidirectional(c) in ("R", "AL", "AN") for c in clean)
    return NAME.format(clean) if turned else as_name(clean)


def shortened(parts: Sequence[str], most: int = 4) -> list[str]:
    """At most ``most`` parts: of a longer list the first ones and how many others there are."""
    return [*parts[: most - 1], say("{n} others", n=len(parts) - most + 1)] if len(parts) > most else list(parts)


def listed(parts: Sequence[str], word: Literal["and", "or"] = "and") -> str:
    """``a``, ``a and b``, ``a, b and c``."""
    *before, last = parts
    if not before:
        return last
    first = say(", ").join(before)
    return (
        say("{first} and {last}", first=first, last=last)
        if word == "and"
        else say("{first} or {last}", first=first, last=last)
    )
