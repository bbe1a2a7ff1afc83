"""The page of the walks: a map, the numbers of a step, all steps; it needs no network."""

from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from typing import Any

from markupsafe import Markup

from assay.language.speech import SOURCE, Language, speaking
from assay.report.document import document, json_for_script, write_page
from assay.tools.descent.walking import RULES, SURFACES, Step, Surface, by_torch, walk


def write_descent(folder: Path, command: str = "", language: Language = SOURCE) -> Path:
    """Write ``index.html`` in a language into ``folder``; returns its path."""
    with speaking(language):
        return write_page(folder, _page(command), {})


def _page(command: str) -> str:
    page, _ = document(
        "tools/descent/page.html.j2",
        [],
        {},
        script=resources.files("assay.tools.descent").joinpath("descent.js").read_text(encoding="utf-8"),
        surfaces=SURFACES,
        optimizers=list(RULES),
        difference=largest_difference(),
        walks=Markup(json_for_script([for_script(surface) for surface in SURFACES])),
        command=command,
    )
    return page


def rate_of(surface: Surface, optimizer: str, word: str) -> float:
    """The learning rate that a word means."""
    return (surface.adam if optimizer == "Adam" else surface.rates)[word]


def largest_difference() -> float:
    """Between these walks and those of torch.optim, relative to how far they are from 0 where that is above 1."""
    return max(
        abs(a - b) / max(1.0, abs(b))
        for surface in SURFACES
        for name in RULES
        for word in surface.rates
        for step, there in zip(*both(surface, name, rate_of(surface, name, word)), strict=False)
        for a, b in zip(step.place, there, strict=True)
    )


def both(surface: Surface, name: str, rate: float) -> tuple[Iterator[Step], Iterator[tuple[float, float]]]:
    """The walk here, and by torch."""
    return walk(surface, name, rate), by_torch(surface, name, rate)


def for_script(surface: Surface) -> dict[str, Any]:
    """What the page draws: of every word and optimizer the steps, each as eleven numbers."""
    walks = {
        word: {
            name: {
                "rate": rate_of(surface, name, word),
                "steps": [
                    [shortened(v) for v in (*s.place, s.z, *s.gradient, *s.memory, *s.square, *s.move)]
                    for s in walk(surface, name, rate_of(surface, name, word))
                ],
            }
            for name in RULES
        }
        for word in surface.rates
    }
    return {"curvature": surface.curvature, "extent": surface.extent, "walks": walks}


def shortened(value: float) -> float:
    """Six significant digits."""
    return float(f"{value:.6g}")
