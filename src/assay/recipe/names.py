"""What factors, levels and variants are called.

A variant's own name is its folder's and says what a study file would (``name=sgd, lr=0.1``); it stays as it is, so that
finished runs are found again. What a reader sees is ``Names``: one name in the sentences and in the tables.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

DEFAULT = "default"
"""The level of a factor that a variant does not state, where only the network's builder knows it."""
SEPARATOR = " · "

Levels = Mapping[str, Any]
"""Dotted key → level, for every factor of the study."""


@dataclass(frozen=True)
class Names:
    """What a reader calls the variants of a study, by their own names."""

    in_tables: dict[str, str]
    """Under ``heading``: in a grid the levels alone (``sgd · 0.1``)."""
    in_sentences: dict[str, str]
    """The same, but a level that is no word says of what it is (``sgd · lr=0.1``)."""
    heading: str
    """What the names in tables are levels of: ``activation``, ``optimizer · lr``, or just ``variant``."""


def names(variants: Mapping[str, Levels], design: Literal["grid", "one_at_a_time"] | None) -> Names:
    """Of variants by their own names; a ``design`` of None: somebody has named them outright."""
    if design is None:
        own = {name: name for name in variants}
        return Names(own, own, "variant")
    factors = list(next(iter(variants.values())))
    short = shown_keys(factors)
    tables = {name: SEPARATOR.join(map(label, levels.values())) for name, levels in variants.items()}
    is_grid = design == "grid" or len(factors) == 1
    if not is_grid or len(set(tables.values())) < len(tables):
        stated = _grid(variants, short) if is_grid else _singles(variants, short)
        return Names(stated, stated, "variant")
    sentences = {
        name: SEPARATOR.join(label(v) if _is_word(v) else f"{short[key]}={label(v)}" for key, v in levels.items())
        for name, levels in variants.items()
    }
    return Names(tables, sentences, SEPARATOR.join(short.values()))


def _grid(variants: Mapping[str, Levels], short: Mapping[str, str]) -> dict[str, str]:
    """The levels of every factor, each with its name."""
    return {
        name: ", ".join(f"{short[key]}={label(level)}" for key, level in levels.items())
        for name, levels in variants.items()
    }


def _singles(variants: Mapping[str, Levels], short: Mapping[str, str]) -> dict[str, str]:
    """The own names, with the factors as they are shown."""
    shown = {own: short[key] for key, own in short_keys(list(short)).items()}
    parts = {name: name.partition("=") for name in variants}
    return {name: shown.get(key, key) + sign + level for name, (key, sign, level) in parts.items()}


def _is_word(level: Any) -> bool:
    """Whether a level says what it is without its factor."""
    if isinstance(level, list | tuple):
        return bool(level) and all(map(_is_word, level))
    return isinstance(level, dict) or (isinstance(level, str) and level != DEFAULT)


def shown_keys(keys: Sequence[str]) -> dict[str, str]:
    """Dotted key → what its factor is called: the shortest ending that no other has, and of a ``name`` what it names
    (``train.optimizer.name`` is ``optimizer``)."""
    named = {key: key.removesuffix(".name") for key in keys}
    if len(set(named.values())) < len(named):
        named = {key: key for key in keys}
    short = short_keys(list(named.values()))
    return {key: short[whole] for key, whole in named.items()}


def short_keys(keys: list[str]) -> dict[str, str]:
    """Dotted key → its shortest ending that no other key shares."""
    short = {}
    for key in keys:
        parts = key.split(".")
        endings = [".".join(parts[-n:]) for n in range(1, len(parts) + 1)]
        others = [other for other in keys if other != key]
        unique = (e for e in endings if not any(other == e or other.endswith("." + e) for other in others))
        short[key] = next(unique, key)
    return short


def label(level: Any) -> str:
    """A level as a person would say it: ``tanh``, ``16-32``, ``sgd(lr=0.1)``."""
    if isinstance(level, dict):
        rest = ",".join(f"{k}={label(v)}" for k, v in level.items() if k != "name" and v is not None)
        return str(level["name"]) + (f"({rest})" if rest else "") if "name" in level else rest
    if isinstance(level, list | tuple):
        return "-".join(label(v) for v in level) or "none"
    if level is None:
        return "none"
    return str(level).lower() if isinstance(level, bool) else str(level)
