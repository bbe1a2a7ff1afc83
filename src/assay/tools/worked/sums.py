"""Sums as they are written."""

from fractions import Fraction

from assay.tools.worked.boards import labels
from assay.tools.worked.exact import shown
from assay.tools.worked.expressions import FUNCTIONS, Arrays, Definition, Expression, Factor, Sum, entries_of, number


def written(definition: Definition, arrays: Arrays) -> list[str]:
    """``O[1, 1] = 3·2 + 4·0 + 2·(−3) + 1·1 = 1`` for every entry."""
    numbers = arrays[definition.name]
    rows = zip(labels(definition.name, definition.shape), definition.entries, numbers.values, strict=True)
    found = []
    for label, entry, value in rows:
        right = shown(value)
        sign = "=" if numbers.exact and not is_cut(right, value) else "≈"
        left = in_words(entry, arrays)
        found.append(f"{label} = {left}" + (f" {sign} {right}" if left != right else ""))
    return found


def is_cut(text: str, value: Fraction) -> bool:
    """Whether a text with decimals is not the whole number."""
    return "e" in text or ("/" not in text and Fraction(text.replace("−", "-")) != value)


def in_words(entry: Expression, arrays: Arrays) -> str:
    """The right side of a sum, with numbers."""
    if not isinstance(entry, Sum):
        return FUNCTIONS[entry.function].text.format(", ".join(factor(each, arrays) for each in entry.arguments))
    if not entry.products:
        return "0"
    return " + ".join(product(each, arrays) for each in entry.products)


def product(factors: tuple[Factor, ...], arrays: Arrays) -> str:
    """``2·(−3)``."""
    texts = [factor(each, arrays) for each in factors]
    return "·".join(f"({text})" if text.startswith("−") or ("/" in text and len(texts) > 1) else text for text in texts)


def factor(each: Factor, arrays: Arrays) -> str:
    """One number."""
    return shown(number(each, entries_of(arrays)))
