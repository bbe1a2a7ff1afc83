"""``assay explain MODEL|RUN``: from the words on the command line to the table and the page."""

from collections.abc import Sequence
from pathlib import Path

from assay.language.speech import SOURCE, language_called
from assay.recipe.folder_names import folder_name
from assay.recipe.yaml_files import read_yaml
from assay.tools.anatomy.anatomy import anatomy
from assay.tools.anatomy.page import write_anatomy
from assay.tools.anatomy.table import record, terminal
from assay.tools.terminal import print_json, show


def has_model(path: Path) -> bool:
    """Whether a YAML file describes a network: it has ``model``, or is a study."""
    found = read_yaml(path)
    return isinstance(found, dict) and bool({"model", "base"} & found.keys())


def show_anatomy(
    target: str,
    shape: str | None = None,
    changes: Sequence[str] = (),
    outputs: int | None = None,
    variant: str | None = None,
    out: Path | None = None,
    command: str = "",
    as_json: bool = False,
    language: str | None = None,
) -> None:
    """Print the table of a network's layers and write its page into ``out``, else ``explained/<name>``, or ``explain``
    in the run's folder; in a language, the page alone. Errors as of ``anatomy``."""
    spoken = language_called(language or SOURCE)
    found = anatomy(target, shape, changes, outputs, variant)
    is_run = Path(target).is_dir()
    named = Path(target).stem if target.endswith((".yaml", ".yml")) else folder_name(target)
    folder = Path(target) / "explain" if is_run else Path("explained") / named
    page = write_anatomy(found, out or (folder / folder_name(variant) if variant else folder), command, spoken)
    if as_json:
        made = found.summary
        return print_json(
            {
                "shape": list(found.shape),
                "parameters": made.parameters,
                "trainable_parameters": made.trainable_parameters,
                "statistics": made.statistics,
                "macs": made.macs,
                "operations": made.operations,
                "activation_bytes": made.activation_bytes,
                "weight_bytes": made.weight_bytes,
                "uncounted": made.uncounted or None,
                "layers": [record(found, layer) for layer in found.layers],
                "trouble": found.trouble or None,
                "page": page,
            }
        )
    show(terminal(found))
    print(f"\npage: {page}")
