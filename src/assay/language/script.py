"""How the language of the page is written: from which side, with which digits, and names among its words."""

import re

from assay.language.speech import SOURCE, later, say, spoken

NAME = "\u2068{}\u2069"
"""A text in its own direction (Unicode's first strong isolate) …"""
NUMBER = "\u2066{}\u2069"
"""… and one from left to right."""
LATIN = later("0123456789.,%")
DIGIT = r"\d[\d,\u202f]*(?:\.\d+)?"
PATTERN = re.compile(
    r"(?P<kept>[\u2066-\u2068][^\u2069]*\u2069|\d[\d.]*e[+−-]?\d+)"
    rf"|(?<![\w.−/-])(?P<number>[<>] )?(?P<ends>[+−-]?{DIGIT}(?: ?[±×·/] ?{DIGIT})*)(?![\d_A-Za-z]|-\d)(?P<sign>\s?%)?"
)
"""What has a direction of its own, or a power of ten; or a number with its interval that is no part of a word."""


def direction() -> str:
    """``ltr`` or ``rtl``; a catalogue says which by what it says for ``ltr``."""
    return say("ltr")


def as_name(text: str) -> str:
    """Somebody's own text (a variant, a class) as it stands in a sentence, which goes on in its own direction."""
    return text if direction() == "ltr" else NAME.format(text)


def phrase(text: str, /, **parts: object) -> str:
    """``say``; a part that is a text is a name or a formula, in its own direction: ``phrase("Kernel {f}", f="F")``."""
    return say(text, **{key: as_name(part) if isinstance(part, str) else part for key, part in parts.items()})


def digits(text: str) -> str:
    """A sentence with its numbers as its readers write them; names, and parts of Latin words, stay as they are.

    A catalogue says how by what it says for ``0123456789.,%``. Whatever the script, a number with its interval is read
    from left to right.
    """
    return text if spoken() == SOURCE else PATTERN.sub(_written, text)


def _written(found: re.Match[str]) -> str:
    if found["kept"]:
        return found[0]
    table = str.maketrans(LATIN + "\u202f", (own := say(LATIN)) + own[11])
    sign = found["sign"] and found["sign"].strip().translate(table)
    number = f"{found['number'] or ''}{found['ends']}".replace(" ", "\u00a0").translate(table)  # on one line
    return (NUMBER.format(number) if direction() == "rtl" else number) + (sign or "")
