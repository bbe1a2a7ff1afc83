"""What the documents show: fenced blocks, the commands in them, commands and options in the text, links."""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
TUTORIAL = ROOT / "docs" / "tutorial.md"
"""Its commands follow each other, and are run so by a test of its own."""
RESULTS = sorted((ROOT / "docs" / "results").rglob("*.md"))
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SPAN = re.compile(r"`([^`\n]+)`")
LINK = re.compile(r"\]\(([^)\s]+)\)")
OPTION = re.compile(r"(?<![\w-])--[a-z][a-z0-9-]*")
LANGUAGES = ("yaml", "python", "sh", "text")
"""``sh`` is commands, or a session in which they follow a ``$``; ``text`` is nothing that could be run."""


@dataclass(frozen=True)
class Block:
    """What stands between two fences; ``str`` tells where."""

    page: Path
    line: int
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"


@dataclass(frozen=True)
class Command:
    """A line of a shell."""

    block: Block
    text: str

    def __str__(self) -> str:
        return f"{self.block}: {self.text}"

    @property
    def words(self) -> list[str]:
        """Those of the first program, without where its output goes."""
        return self._split()[0]

    @property
    def piped(self) -> list[str]:
        """Those of the program that reads its output."""
        return next(iter(self._split()[1:]), []) if "|" in self.text else []

    def _split(self) -> list[list[str]]:
        shell = shlex.shlex(self.text, posix=True, punctuation_chars="|>")
        shell.whitespace_split = True
        parts: list[list[str]] = [[]]
        for word in shell:
            if word in ("|", ">"):
                parts.append([])
            else:
                parts[-1].append(word)
        return parts

    @property
    def is_usage(self) -> bool:
        """Whether it has ``[--option VALUE]``, which nobody types."""
        return " [--" in self.text


def blocks(pages: list[Path], language: str | None = None) -> list[Block]:
    """The fenced blocks in their order."""
    return [
        Block(page, text[: match.start()].count("\n") + 1, match[1], match[2])
        for page in pages
        for text in [page.read_text(encoding="utf-8")]
        for match in FENCE.finditer(text)
        if language in (None, match[1])
    ]


def commands(pages: list[Path]) -> list[Command]:
    """The command lines of all blocks of ``sh``, those over several lines in one, without comments."""
    return [Command(block, text) for block in blocks(pages, "sh") for text in _lines(block.text)]


def _lines(text: str) -> Iterator[str]:
    lines = text.replace("\\\n", " ").splitlines()
    if any(line.startswith("$ ") for line in lines):
        lines = [line[2:] for line in lines if line.startswith("$ ")]
    yield from filter(None, (re.sub(r"(^|\s+)# .*", "", line).strip() for line in lines))


def spans(page: Path) -> list[str]:
    """What stands in backticks in the text around the blocks."""
    return SPAN.findall(FENCE.sub("", page.read_text(encoding="utf-8")))


def links(page: Path) -> list[str]:
    """The targets of all links and pictures that are files of this repository."""
    text = SPAN.sub("", FENCE.sub("", page.read_text(encoding="utf-8")))
    return [target for target in LINK.findall(text) if "://" not in target]


def anchors(page: Path) -> set[str]:
    """What a link may name after ``#``: the headings, as GitHub writes them."""
    headings = re.findall(r"^#+ (.*)$", FENCE.sub("", page.read_text(encoding="utf-8")), re.MULTILINE)
    plain = (re.sub(r"[^\w\- ]", "", re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading)) for heading in headings)
    return {heading.strip().lower().replace(" ", "-") for heading in plain}
