"""The catalogues of other languages (``make texts``): what the code says in English, brought up to date and compiled.

Texts stand in Python and in templates as ``say("…")``, ``plural("…", "…", n)`` and ``later("…")``, in scripts as
``say("…")``; some are data.
"""

import sys
from io import BytesIO
from pathlib import Path
from typing import get_args

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

from assay.diagnosis.catalogue import RULES
from assay.language.speech import LOCALE, SOURCE, Language
from assay.report.document import IN_SCRIPTS
from assay.report.glossary import TERMS
from assay.report.sections.layers import WORDS
from assay.results.comparing.comparison import Decision, Method
from assay.results.folders import State
from assay.results.metrics import METRICS
from assay.tasks.box_matching import Area

ROOT = Path(__file__).parents[1]
SOURCES = ROOT / "src" / "assay"
KEYWORDS = {"say": None, "phrase": None, "later": None, "plural": (1, 2)}
METHODS = [("**.py", "python"), ("**.j2", "jinja2.ext:babel_extract")]
OPTIONS = {"trim_blocks": "true", "lstrip_blocks": "true", "silent": "false"}
SPLITS = ("train", "validation", "test")


def extracted() -> Catalog:
    """Every text that may be said in another language, with the files in which it stands."""
    found = Catalog(project="assay", charset="utf-8")
    for file, _, text, _, _ in extract_from_dir(SOURCES, METHODS, keywords=KEYWORDS, options_map={"**.j2": OPTIONS}):
        found.add(text, locations=[(f"src/assay/{Path(file).as_posix()}", 0)])
    for script in sorted(SOURCES.rglob("*.js")):
        for said in IN_SCRIPTS.finditer(script.read_text(encoding="utf-8")):
            found.add(said[2], locations=[(script.relative_to(ROOT).as_posix(), 0)])
    for text in data():
        found.add(text)
    return found


def data() -> list[str]:
    """Texts that are values: of metrics, terms, decisions, methods, the states of runs, splits, indices."""
    of_terms = [text for term in TERMS for text in (*term.words, term.meaning)]
    of_metrics = [metric.label for metric in METRICS]
    of_rules = [rule.name for rule in RULES]
    return [
        *of_metrics,
        *of_terms,
        *of_rules,
        *get_args(Decision),
        *get_args(Method),
        *get_args(State),
        *get_args(Area),
        *SPLITS,
        *WORDS,
    ]


def languages() -> list[str]:
    """Those that have a catalogue."""
    return [language for language in get_args(Language) if language != SOURCE]


def place(language: str, ending: str = "po") -> Path:
    """Where its catalogue lies."""
    return LOCALE / language / "LC_MESSAGES" / f"assay.{ending}"


def read(language: str) -> Catalog:
    """Its catalogue as it stands."""
    with place(language).open("rb") as file:
        return read_po(file, locale=language)


def compiled(catalog: Catalog) -> bytes:
    """The catalogue as gettext reads it."""
    written = BytesIO()
    write_mo(written, catalog)
    return written.getvalue()


def update(language: str) -> list[str]:
    """Bring the catalogue of a language up to date; returns what it does not say yet."""
    catalog = read(language)
    catalog.update(extracted(), no_fuzzy_matching=True, update_creation_date=False)
    with place(language).open("wb") as file:
        write_po(file, catalog, width=120, ignore_obsolete=True, include_lineno=False, sort_by_file=True)
    place(language, "mo").write_bytes(compiled(catalog))
    return [str(message.id) for message in catalog if message.id and not all(forms(message.string))]


def forms(said: str | tuple[str, ...] | None) -> tuple[str, ...]:
    """Of a translation: one, or one for each kind of number; an empty one where there is none yet."""
    return (said or "",) if said is None or isinstance(said, str) else said


if __name__ == "__main__":
    missing = [f"{language}: {text}" for language in languages() for text in update(language)]
    sys.exit("\n".join(["not translated yet:", *missing]) if missing else 0)
