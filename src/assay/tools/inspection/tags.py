"""What there is to say of tags: images without any, tags of all images or of one, tags that always go together."""

import numpy as np
from jaxtyping import Int64

from assay.data.targets import Tags
from assay.language.script import as_name
from assay.language.speech import plural, say
from assay.tools.inspection.in_words import listed, named
from assay.tools.inspection.inspecting import Inspection


def sentences(found: Inspection, targets: Tags) -> list[str]:
    """The most important first."""
    names, n = found.images.classes, len(targets)
    counts = targets.values.sum(axis=0, dtype=np.int64)
    bare = int((targets.values.sum(axis=1) == 0).sum())
    texts = [
        plural("{n:,} image has no tag.", "{n:,} images have no tag.", bare) if bare else say("Every image has a tag.")
    ]
    for wrong, text in (
        (counts == 0, say("{tags}: no image has it.")),
        (counts == n, say("{tags}: every image has it.")),
        (counts == 1, say("{tags}: only one image has it.")),
    ):
        if wrong.any():
            texts.append(text.format(tags=named([names[k] for k in np.flatnonzero(wrong)])))
    if len(pairs := together(targets)):
        both = [say("{one} and {other}", one=as_name(names[i]), other=as_name(names[j])) for i, j in pairs]
        texts.append(
            plural(
                "{n:,} pair of tags is always together: {pairs}.",
                "{n:,} pairs of tags are always together: {pairs}.",
                len(pairs),
                pairs=listed(both),
            )
        )
    return texts


def together(targets: Tags) -> Int64[np.ndarray, "m 2"]:
    """Pairs of tags that the same images have, at least two of them."""
    both = targets.values.astype(np.int64).T @ targets.values.astype(np.int64)
    own = both.diagonal()
    same = (both == own[:, None]) & (both == own[None, :]) & (own[:, None] > 1)
    return np.asarray(np.argwhere(np.triu(same, 1)), dtype=np.int64)
