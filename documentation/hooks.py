"""What MkDocs is told beside mkdocs.yml: pages that are made when the site is built, links that leave ``docs/``."""

import json
import re
import sys
from pathlib import Path
from posixpath import normpath, relpath

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files, InclusionLevel
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "documentation"))

from reference import commands, fields, python  # noqa: E402  MkDocs runs this file, and it is no package

TOP = {"README.md": "index.md", "CHANGELOG.md": "changelog.md"}
"""A page of the repository → the page of the site."""
SHOWN = "files"
"""Where a file outside ``docs/`` that a page links to has its page."""
LINK = re.compile(r"(\]\()([^)\s#:]+)([^)\s:]*\))")
HOME = "---\nhide: [navigation]\n---\n"
"""The first page leads everywhere itself."""
UNSEARCHED = "---\nsearch: {exclude: true}\n---\n"
LANGUAGES = {".yaml": "yaml", ".py": "python", "Makefile": "make"}


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that are no file in ``docs/``."""
    made = {name: (ROOT / top).read_text(encoding="utf-8") for top, name in TOP.items()}
    made |= {"notebook.md": notebook(ROOT / "docs" / "notebook.ipynb")}
    made |= {"reference/commands.md": commands(), "reference/fields.md": fields()}
    made |= {f"reference/{name}.md": text for name, text in python(ROOT / "src").items()}
    made["index.md"] = HOME + made["index.md"]
    for name, text in made.items():
        files.append(File.generated(config, name, content=text, inclusion=InclusionLevel.INCLUDED))
    for path in sorted(Path(config.extra["gallery"], "pages").resolve().iterdir()):
        files.append(File.generated(config, f"gallery/{path.name}", abs_src_path=str(path)))
    pages = [file for file in files if file.is_documentation_page()]
    outside = {target for page in pages for target in targets(page) if target not in TOP and not stands(target)}
    for target in sorted(outside):
        name, text = shown_at(target), listing(ROOT / target)
        files.append(File.generated(config, name, content=text, inclusion=InclusionLevel.NOT_IN_NAV))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Let links that leave ``docs/``, and those of pages that lie outside it, lead to pages of the site."""
    uri = page.file.src_uri

    def led(match: re.Match[str]) -> str:
        target = resolved(uri, match[2])
        if not (ROOT / target).exists():
            return match[0]  # to a page that is made, or broken, which MkDocs tells
        place = target.removeprefix("docs/") if stands(target) else TOP.get(target) or shown_at(target)
        return match[1] + relpath(place, Path(uri).parent.as_posix()) + match[3]

    return LINK.sub(led, markdown)


def resolved(uri: str, link: str) -> str:
    """The path in the repository of what a page of the site links to."""
    home = next((top for top, name in TOP.items() if name == uri), f"docs/{uri}")
    return normpath(f"{home}/../{link}")


def stands(target: str) -> bool:
    """Whether a path in the repository is a file that the site has as it stands."""
    return target.startswith("docs/") and (ROOT / target).is_file()


def shown_at(target: str) -> str:
    """The page that shows a file or folder."""
    return f"{SHOWN}/{target}.md"


def targets(file: File) -> set[str]:
    """The files and folders of the repository that a page links to."""
    links = {resolved(file.src_uri, match[2]) for match in LINK.finditer(file.content_string)}
    return {link for link in links if (ROOT / link).exists()}


def notebook(path: Path) -> str:
    """The cells of a notebook, its code as blocks."""
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    parts = [(cell["cell_type"], "".join(cell["source"])) for cell in cells]
    shown = [text if kind == "markdown" else f"```python\n{text}\n```" for kind, text in parts]
    return "\n\n".join([*shown, f"[The notebook as a file]({path.name})"])


def listing(path: Path) -> str:
    """A page with a file's text, or with those of a folder; pictures and tables of ``docs/`` are linked to."""
    parts = [f"{UNSEARCHED}# `{path.relative_to(ROOT).as_posix()}`\n"]
    for file in sorted(path.iterdir()) if path.is_dir() else [path]:
        name = file.relative_to(ROOT).as_posix()
        if stands(name):
            parts.append(f"- [{file.name}]({relpath(name.removeprefix('docs/'), f'{SHOWN}/{name}/../..')})")
            continue
        heading = f"## `{file.name}`\n\n" if path.is_dir() else ""
        language = LANGUAGES.get(file.suffix or file.name, "text")
        parts.append(f"{heading}````{language}\n{file.read_text(encoding='utf-8').rstrip()}\n````\n")
    return "\n".join(parts)
