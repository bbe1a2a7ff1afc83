"""Packages that only some commands need."""

from importlib.util import find_spec

from assay.errors import AssayError


def need(*modules: str, extra: str) -> None:
    """Raise AssayError where one of the modules of an extra is not installed; a folder of its name is not it."""
    for name in modules:
        if getattr(find_spec(name), "origin", None) is None:
            raise AssayError(f"{name} is not installed: pip install 'assay-studies[{extra}]'")
