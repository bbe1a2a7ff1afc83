"""Names of variants for sentences that are shown as they are."""

import re
import unicodedata

from assay.language.script import NAME, as_name
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
