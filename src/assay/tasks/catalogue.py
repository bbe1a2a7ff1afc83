"""From the name of a task to its module."""

from importlib import import_module
from typing import cast

from assay.recipe.tasks import TASKS
from assay.tasks.contract import Task


def task(name: str) -> Task:
    """The module of the task that a recipe names."""
    return cast(Task, import_module(TASKS[name].module))
