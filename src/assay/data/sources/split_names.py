"""Words that name a split: of folders, and in a column of a table."""

import re

from assay.recipe.data import SplitName

WORDS: dict[str, SplitName] = {
    **dict.fromkeys(("train", "training", "trainset", "traindata"), "train"),
    **dict.fromkeys(("val", "valid", "validate", "validation", "valset", "dev", "devset", "development"), "validation"),
    **dict.fromkeys(("test", "testing", "testset", "testdata", "eval", "evaluation", "holdout", "heldout"), "test"),
}


def split_called(name: str) -> SplitName | None:
    """The split that the whole of ``name`` names: of ``Training`` and ``hold-out``, not of ``seg_train``."""
    return WORDS.get(re.sub(r"[\W_]+", "", name.lower()))


def split_in(name: str) -> SplitName | None:
    """The split that a word in ``name`` names: of ``seg_train``, ``training_set``, ``TrainImages``, ``val2017``.

    None where there is no such word, or words for different splits (``train_val``).
    """
    words = (word.lower() for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+", name))
    found = {WORDS[word] for word in words if word in WORDS}
    return split_called(name) or (found.pop() if len(found) == 1 else None)
