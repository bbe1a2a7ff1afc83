"""Pages of the reference as Markdown: the commands' help, the fields of a study, the Python names by docstrings."""

import ast
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

from assay.cli.app import app
from assay.recipe import Recipe
from assay.start.schema import study_schema

Schema = dict[str, Any]
COLUMNS = "| key | takes | default | |\n| --- | --- | --- | --- |"
WORDS = {"null": "`null`", "string": "text", "boolean": "`true` or `false`"}
WIDTH = 100
"""Columns of a command's help."""


def commands() -> str:
    """The help of every command, as a terminal shows it."""
    group = typer.main.get_group(app)
    above = typer.Context(group, info_name="assay", terminal_width=WIDTH)
    parts = ["# Commands", "", shown(group.get_help(above))]
    for name, command in group.commands.items():
        context = typer.Context(command, info_name=name, parent=above, terminal_width=WIDTH)
        parts += [f"## assay {name}", "", shown(command.get_help(context))]
    return "\n".join(parts)


def shown(text: str) -> str:
    """A text as it is."""
    return f"```text\n{text.rstrip()}\n```\n"


def python(source: Path) -> dict[str, str]:
    """Page → directives for mkdocstrings: a page for every package with a face, and one that leads to them."""
    found = {path.parent: names(path) for path in sorted(source.rglob("__init__.pyi")) if path.parent.name != "report"}
    pages, rows = {}, []
    for folder, public in found.items():
        package = ".".join(folder.relative_to(source).parts)
        words = ast.get_docstring(ast.parse((folder / "__init__.py").read_text(encoding="utf-8"))) or ""
        directives = [f"::: {package}.{home}.{name}" if home else f"::: {package}.{name}" for name, home in public]
        pages[package] = "\n\n".join([f"# {package}", code(words), *directives])
        rows.append(f"| [`{package}`]({package}.md) | {cell(words.partition(chr(10) * 2)[0])} | {len(public)} |")
    head = "# Python\n\nThe names that a package shows, each imported when it is first used.\n"
    return pages | {"python": "\n".join([head, "| package | | names |", "| --- | --- | --- |", *rows])}


def names(stub: Path) -> list[tuple[str, str]]:
    """The names that a stub shows, with the module of each; no module where the stub itself has the signature."""
    found = []
    for node in ast.parse(stub.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ImportFrom) and node.level:
            found += [(alias.name, str(node.module)) for alias in node.names]
        elif isinstance(node, ast.FunctionDef):
            found.append((node.name, ""))
    return found


def fields() -> str:
    """The typed study as tables, a section of it a heading."""
    study, recipe = study_schema(), Recipe.model_json_schema()
    parts = study.pop("$defs") | recipe.pop("$defs")
    del recipe["properties"]["seed"]
    study["properties"]["base"] = {"$ref": "Recipe"}
    tables = [f"# Fields of a study\n\n{cell(study['description'])}\n", "## Study\n", table(study)]
    tables += [f"## Recipe\n\nWhat stands under `base`. {cell(recipe['description'])}\n", table(recipe)]
    for name, part in sorted(parts.items()):
        tables.append(f"## {name}\n\n{cell(part.get('description', ''))}\n")
        tables.append(table(part))
    return "\n".join(tables)


def table(schema: Schema) -> str:
    """A row for every key of an object."""
    required = schema.get("required", [])
    rows = [
        f"| `{key}` | {takes(value)} | {'required' if key in required else default(value)} | {said(value)} |"
        for key, value in schema.get("properties", {}).items()
    ]
    more = "\nAny further key is an argument of what is named.\n" if schema.get("additionalProperties") else ""
    return "\n".join([COLUMNS, *rows]) + f"\n{more}"


def said(value: Schema) -> str:
    """What a field means, in a cell."""
    return cell(value.get("description", ""))


def takes(value: Schema) -> str:
    """What a field takes, in a cell: words, numbers with their range, sections as links."""
    return " or ".join(dict.fromkeys(kinds(value))).replace("|", "\\|")


def kinds(value: Schema) -> Iterator[str]:
    """The alternatives of a schema."""
    if "$ref" in value:
        name = value["$ref"].rpartition("/")[2]
        yield f"[{name}](#{name.lower()})"
    elif "anyOf" in value or "oneOf" in value:
        for each in value.get("anyOf", value.get("oneOf", [])):
            yield from kinds(each)
    elif "const" in value or "enum" in value:
        yield from (f"`{json.dumps(word).strip(chr(34))}`" for word in value.get("enum", [value.get("const")]))
    elif isinstance(value.get("type"), list):
        for each in value["type"]:
            yield from kinds(value | {"type": each})
    elif value.get("type") == "array":
        items = value.get("items") or {"anyOf": value.get("prefixItems", [])}
        yield f"list of {takes(items)}" if items.get("anyOf") != [] and items else "list"
    elif value.get("type") == "object":
        rest = value.get("additionalProperties")
        yield f"mapping to {takes(rest)}" if isinstance(rest, dict) else "mapping"
    else:
        yield WORDS.get(value.get("type", "")) or number(value)


def number(value: Schema) -> str:
    """A number with its range; anything where no type is stated."""
    words = {"integer": "whole number", "number": "number"}
    signs = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}
    bounds = [f"{sign} {value[key]:,}" for key, sign in signs.items() if key in value]
    return " ".join([words.get(value.get("type", ""), "anything"), " and ".join(bounds)]).strip()


def default(value: Schema) -> str:
    """The value of a field that is left out."""
    return f"`{json.dumps(value['default'], ensure_ascii=False)}`".replace("|", "\\|") if "default" in value else ""


def cell(text: str) -> str:
    """A docstring on one line, its double backticks single."""
    return " ".join(code(text).split()).replace("|", "\\|")


def code(text: str) -> str:
    """Double backticks as Markdown's usual ones."""
    return text.replace("``", "`")
