"""What there is to say of tags: images without any, tags of all images or of one, tags that always go together."""

import numpy as np
from jaxtyping import Int64

from assay.data.targets import Tags
from assay.errors import amount
from assay.tools.inspection.in_words import are, have
from assay.tools.inspection.inspecting import Inspection

NAMED = 5


def sentences(found: Inspection, targets: Tags) -> list[str]:
    """The most important first."""
    names, n = found.images.classes, len(targets)
    counts = targets.values.sum(axis=0, dtype=np.int64)
    bare = int((targets.values.sum(axis=1) == 0).sum())
    texts = [f"{amount(bare, 'image')} {have(bare)} no tag." if bare else "Every image has a tag."]
    for wrong, words in (
        (counts == 0, "no image has"),
        (counts == n, "every image has"),
        (counts == 1, "only one image has"),
    ):
        if wrong.any():
            texts.append(f"{_listed([names[k] for k in np.flatnonzero(wrong)])}: {words} it.")
    if len(pairs := together(targets)):
        listed = _listed([f"{names[i]} and {names[j]}" for i, j in pairs])
        texts.append(f"{amount(len(pairs), 'pair')} of tags {are(len(pairs))} always together: {listed}.")
    return texts


def _listed(names: list[str]) -> str:
    return ", ".join(names[:NAMED]) + (f" and {len(names) - NAMED:,} more" if len(names) > NAMED else "")


def together(targets: Tags) -> Int64[np.ndarray, "m 2"]:
    """Pairs of tags that the same images have, at least two of them."""
    both = targets.values.astype(np.int64).T @ targets.values.astype(np.int64)
    own = both.diagonal()
    same = (both == own[:, None]) & (both == own[None, :]) & (own[:, None] > 1)
    return np.asarray(np.argwhere(np.triu(same, 1)), dtype=np.int64)
