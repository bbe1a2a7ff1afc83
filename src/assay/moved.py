"""Where modules went whose names stand in people's notebooks: ``from assay.ranking import rank`` still works."""

import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

MOVED = {
    "assay.compare": "assay.results.comparing.compare",
    "assay.engine": "assay.runs.engine",
    "assay.evaluate.classification": "assay.tasks.classification.measure",
    "assay.evaluate.curves": "assay.tasks.curves",
    "assay.inspection": "assay.tools.inspection",
    "assay.looking": "assay.tools.looking",
    "assay.machine": "assay.system.machine",
    "assay.memory": "assay.system.memory",
    "assay.metrics": "assay.results.metrics",
    "assay.prediction": "assay.tools.predict",
    "assay.probe": "assay.tools.probe",
    "assay.ranking": "assay.tools.ranking",
    "assay.refit": "assay.tools.refit",
    "assay.results.compare": "assay.results.comparing.compare",
    "assay.results.evidence": "assay.results.statistics.evidence",
    "assay.results.factors": "assay.results.comparing.factors",
    "assay.results.image_errors": "assay.results.statistics.image_errors",
    "assay.results.pooled": "assay.results.statistics.pooled",
    "assay.results.quantiles": "assay.results.statistics.quantiles",
    "assay.statistics": "assay.results.statistics.intervals",
    "assay.study": "assay.recipe.study",
    "assay.train.losses": "assay.tasks.classification.losses",
    "assay.uncertain_prediction": "assay.tools.predict_uncertain",
    "assay.verdict": "assay.results.telling.verdict",
}
"""Old name → new name."""


class _Alias(MetaPathFinder, Loader):
    """Finds an old name by importing the new one."""

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        return ModuleSpec(name, self) if name in MOVED else None

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return import_module(MOVED[spec.name])

    def exec_module(self, module: ModuleType) -> None:
        """It has been executed under its new name."""


def register() -> None:
    """Let the old names be imported from now on; what is found by the usual ways comes first."""
    if not any(isinstance(finder, _Alias) for finder in sys.meta_path):
        sys.meta_path.append(_Alias())
