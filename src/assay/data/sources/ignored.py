"""``data.ignore``: classes of a list that are void, and what the others are numbered."""

from assay.data.sources.class_list import ClassList
from assay.data.sources.mask_pictures import Code
from assay.data.targets import VOID
from assay.errors import AssayError, unknown
from assay.recipe.data import Ignore


def code_of(listed: ClassList, ignore: Ignore | None) -> tuple[list[str], Code]:
    """(names of the classes that are left; what values and colours mean). ``ignore`` has values or names of classes; a
    value without a class is void too.

    Raises:
        AssayError: no class has that name, or fewer than two are left.
    """
    void = {
        listed.values[listed.names.index(_named(each, listed))] if isinstance(each, str) else each
        for each in ignore or ()
    }
    kept = [name for name, value in zip(listed.names, listed.values, strict=True) if value not in void]
    if len(kept) < 2:
        raise AssayError(
            f"data.ignore leaves {len(kept)} of the {len(listed.names)} classes of {listed.where}; at least two are "
            "needed"
        )
    number = {name: k for k, name in enumerate(kept)}
    numbers = tuple(number.get(name, VOID) for name in listed.names)
    return kept, Code(listed, numbers, tuple(sorted(void - set(listed.values))))


def refuse_unnumbered(listed: ClassList, code: Code) -> None:
    """Raise AssayError where ``data.ignore`` has a number that none of the classes, all of which are numbered, has."""
    if absent := set(code.void) - {VOID}:
        raise AssayError(
            f"data.ignore: {min(absent)}, and {listed.where} numbers its classes 0 to {max(listed.values)}"
        )


def _named(name: str, listed: ClassList) -> str:
    if name not in listed.names:
        raise unknown(f"class of {listed.where} in data.ignore", name, listed.names)
    return name
