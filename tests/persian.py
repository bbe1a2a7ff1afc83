"""What a Persian page lacks: texts that are in no catalogue, and words in Latin letters where nobody's name stands."""

import gettext
import html
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager

from assay.language.speech import catalogue

NAMES = {"assay", "check", "explain", "CSV", "LaTeX", "SVG", "PDF", "RGB", "JPEG", "COCO", "arXiv"}
"""Of the program, of its commands, of formats and colour spaces."""
KEPT = "style|script|code|pre|noscript|svg"
LATIN = re.compile(r"(?<![\w./-])[A-Za-z]{3,}(?![\w/-]|\.\w)")
QUIET = re.compile(r'"(?:title|description|text|alt)":"((?:[^"\\]|\\.)*)"')


def latin(page: str, names: set[str] = frozenset()) -> set[str]:
    """Words of three or more Latin letters: in its texts, in what is read aloud and in its charts, but for names, which
    stand in a direction of their own, for what is typed, and for the meanings of terms."""
    body = page[page.index("<body>") :]
    charts = re.search(r'id="charts">(.*?)</script>', page, re.S)
    drawn = [json.loads(f'"{text}"') for text in QUIET.findall(charts[1] if charts else "")]
    body = re.sub(rf"<({KEPT})\b.*?</\1>", "", body, flags=re.S)
    body = re.sub(r"<div popover.*?</div>", "", body, flags=re.S)
    read = re.findall(r'(?:aria-label|alt)="([^"]*)"', body)
    said = html.unescape(" ".join([re.sub(r"<[^>]+>", " ", body), *read, *drawn]))
    said = re.sub("[\u2066-\u2068][^\u2069]*\u2069", "", said)
    return set(LATIN.findall(said)) - NAMES - set(names)


class Asked(gettext.NullTranslations):
    """What a catalogue did not have."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: set[str] = set()

    def gettext(self, message: str) -> str:
        self.texts.add(message)
        return message

    def ngettext(self, msgid1: str, msgid2: str, n: int) -> str:
        self.texts.add(msgid1)
        return msgid1


@contextmanager
def asked_in_vain() -> Iterator[Asked]:
    """Records what Persian pages ask for and the catalogue lacks."""
    asked = Asked()
    catalogue.cache_clear()
    catalogue("fa").add_fallback(asked)
    yield asked
    catalogue.cache_clear()
