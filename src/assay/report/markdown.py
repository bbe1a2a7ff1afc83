"""The author's own words, written in Markdown, on the page."""

from markdown_it import MarkdownIt
from markupsafe import Markup

LARGEST = 3
"""The level of the largest heading, below that of a section."""


def markdown(text: str) -> Markup:
    """CommonMark with tables as HTML; tags in it stay text, pictures become links, and no link runs a script."""
    parser = MarkdownIt("commonmark", {"html": False}).enable("table").disable("image")
    tokens = parser.parse(text)
    for token in tokens:
        if token.type in ("heading_open", "heading_close"):
            token.tag = f"h{min(6, int(token.tag[1:]) + LARGEST - 1)}"
    return Markup(parser.renderer.render(tokens, parser.options, {}))
