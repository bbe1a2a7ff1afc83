"""``assay probe``: what was asked, looked up, measured, and told."""

from pathlib import Path

from assay.errors import AssayError
from assay.recipe.folder_names import folder_name
from assay.runs.display import Display
from assay.system.process import own_command
from assay.tools.documents import plain
from assay.tools.page import named
from assay.tools.probe import IMAGES, probe, probe_model, probe_table
from assay.tools.probe_page import write_probe
from assay.tools.terminal import listed, parse_layout, parse_size, print_json, show

UNTRAINED = "The head is untrained unless the weights have one for these classes."


def show_probe(
    run: Path | None,
    model: str | None,
    pretrained: str | None,
    data: Path | None,
    layers: str,
    split: str,
    images: float | None,
    size: str | None,
    layout: str | None = None,
    out: Path | None = None,
    as_json: bool = False,
) -> None:
    """Print the layers of a finished ``run``, or of the network ``model`` on the images ``data``, and write the page.

    Raises AssayError where both are given or neither is, and as ``probe`` and ``probe_model`` do.
    """
    if (run is None) == (model is None):
        raise AssayError("probe: expected either the folder of a finished run, or --model with a network's name")
    if model and data is None:
        raise AssayError(f"probe --model {model}: --data is missing; it names the images, such as cifar10 or a folder")
    if run and (size or pretrained or layout):
        raise AssayError("probe: --size, --layout and --pretrained go with --model; a run has its own data and weights")
    patterns, splits = listed(layers) if "," in layers else layers.strip(), listed(split)
    amount = (1.0 if run else IMAGES) if images is None else images
    with Display() as display, display.counting("measuring", "layers") as measuring:
        if run:
            found = probe(run, patterns, splits, amount, data, measuring)
        else:
            network = {"name": model, "pretrained": pretrained == "true" or pretrained or False}
            with display.decoding(str(data)) as decoding:
                options = (patterns, splits, amount, parse_size(size), None, decoding, measuring, parse_layout(layout))
                found = probe_model(network, str(data), *options)
    measured = f"{amount:.0%}" if amount <= 1 else f"at most {amount:,.0f} images"
    facts = f"{measured} of the {' and the '.join(splits)} images"
    if model:
        weights = f"pretrained weights ({pretrained})" if pretrained else "random weights"
        notes = [f"{model}: {weights}, a head fitted to the classes; {measured} of each split", UNTRAINED]
        where, subject = Path("probes") / folder_name(model), model
        facts = f"{weights} · images of {data} · {facts}"
    else:
        assert run is not None
        notes, where, subject = [], run / "probe", named(run)
    page = write_probe(found, subject, facts, out or where, own_command())
    if as_json:
        return print_json(plain(found) | {"page": str(page)})
    if model:
        print(*notes, sep="\n", end="\n\n")
    show(probe_table(found))
    print(f"\npage: {page}")
