"""Sentences in the language of the page, from catalogues of gettext; what they lack is said in English, the source."""

import gettext
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from pathlib import Path
from typing import Literal, get_args

from assay.errors import unknown

Language = Literal["en", "fa"]
SOURCE: Language = "en"
"""The language of the texts in the code."""
LANGUAGES: tuple[Language, ...] = get_args(Language)
LOCALE = Path(__file__).parent / "locale"
"""Where a language has ``<language>/LC_MESSAGES/assay.po``, and compiled beside it ``assay.mo``."""

_language: ContextVar[Language] = ContextVar("language", default=SOURCE)


def language_called(name: str) -> Language:
    """The language of that code. Raises AssayError where there is none."""
    found = next((language for language in LANGUAGES if language == name), None)
    if found is None:
        raise unknown("language", name, LANGUAGES)
    return found


@contextmanager
def speaking(language: Language) -> Iterator[None]:
    """Within this, ``say`` and what is made of it speak ``language``."""
    before = _language.set(language)
    try:
        yield
    finally:
        _language.reset(before)


def spoken() -> Language:
    """The language of the page that is being written."""
    return _language.get()


def say(text: str, /, **parts: object) -> str:
    """``text`` in the language of the page, with the ``parts`` for its placeholders: ``say("{n} images", n=12)``."""
    said = catalogue(spoken()).gettext(text) if text else ""
    return said.format(**parts) if parts else said


def plural(one: str, many: str, n: int, /, **parts: object) -> str:
    """The form that suits the number, which is the part ``n``: ``plural("{n} image", "{n} images", 12)``."""
    return catalogue(spoken()).ngettext(one, many, n).format(n=n, **parts)


@cache
def catalogue(language: Language) -> gettext.NullTranslations:
    """What a language says for each English text."""
    if language == SOURCE:
        return gettext.NullTranslations()
    with (LOCALE / language / "LC_MESSAGES" / "assay.mo").open("rb") as file:
        return gettext.GNUTranslations(file)


def later(text: str) -> str:
    """Marks a text for the catalogues that stands in one place and is said in another."""
    return text
