"""From the name of a task to its module."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from assay.tasks.contract import Task


def task(name: str) -> "Task":
    """The module of the task that a recipe names."""
    found: Task = import_module(f"assay.tasks.{name}.task")  # type: ignore[assignment]
    return found
