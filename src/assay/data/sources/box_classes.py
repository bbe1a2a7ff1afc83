"""The names of the classes of boxes, from the list that lies beside them."""

from posixpath import basename

from assay.data.sources.tree import Tree
from assay.errors import AssayError

LISTS = ("classes.txt", "obj.names", "predefined_classes.txt")


def listed_classes(tree: Tree) -> list[str] | None:
    """The names in the list that lies least deep, a class a line; None where there is none.

    Raises:
        AssayError: it cannot be read, lists none, or one twice.
    """
    there = [name for name in tree.others if basename(name).lower() in LISTS]
    if not there:
        return None
    file = min(there, key=lambda name: (name.count("/"), LISTS.index(basename(name).lower()), name))
    try:
        lines = tree.read(file).decode("utf-8-sig").splitlines()
    except Exception as error:  # whatever a damaged zip meets
        raise AssayError(f"{file} of {tree.where} cannot be read ({error}); expected text in UTF-8") from error
    return checked(f"{file} of {tree.where}", [line.strip() for line in lines if line.strip()])


def checked(where: str, names: list[str]) -> list[str]:
    """``names``. AssayError where there are none, or one stands there twice."""
    if not names:
        raise AssayError(f"{where} lists no class")
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise AssayError(f"{where} lists the class {twice!r} twice")
    return names
