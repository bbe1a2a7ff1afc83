"""What was found, in sentences: leaks first."""

from assay.data.boxes import Boxes
from assay.data.remarks import remarks
from assay.data.sources.alike import alike, hardly_differ
from assay.data.splits import crossing
from assay.data.targets import Masks
from assay.errors import amount
from assay.tools.inspection import told
from assay.tools.inspection.in_words import are, have, none, share
from assay.tools.inspection.inspecting import Grouping, Inspection
from assay.tools.inspection.leaks import Leak
from assay.tools.inspection.truth import another, the_same


def verdict(found: Inspection) -> list[str]:
    """The sentences that a reader needs, the most important first."""
    return [
        *_leaks(found),
        *(f"{told}." for told in crossing(found.data, found.images)),
        *_grouping(found),
        _copies(found),
        *_conflicts(found),
        *_labels(found),
        *_names(found),
        *told.sentences(found),
        *(f"{remark[0].upper()}{remark[1:]}." for remark in remarks(found.images)),
        *_left_out(found),
    ]


def _leaks(found: Inspection) -> list[str]:
    if found.own_split is not None:
        return [*_by_pixels(found, found.own_split), *_own_names(found)]
    if found.random_split is None:
        return [f"It has no test split of its own and cannot be given one: {found.not_split}."]
    return _random(found)


def _by_pixels(found: Inspection, leak: Leak) -> list[str]:
    where = "the training images"
    if not len(leak):
        return [f"None of {leak.held_out:,} test images has a copy in {where}."]
    n, equal, other = len(leak), int(leak.equal.sum()), int(leak.other_label.sum())
    text = (
        f"{n:,} of {amount(leak.held_out, 'test image')} ({share(n, leak.held_out)}) {have(n)} a near copy in {where}"
    )
    text += f"; {none(equal)} of these copies {are(equal or 1)} equal in every pixel"
    if other:
        return [f"{text}, and {other:,} {have(other)} {another(found.images)}."]
    if isinstance(found.images.targets, Masks | Boxes):
        return [f"{text}."]
    return [f"{text}, and all have {the_same(found.images)}."]


def _own_names(found: Inspection) -> list[str]:
    assert found.own_split is not None
    if not found.own_split.named or found.grouping is None or crossing(found.data, found.images):
        return []
    n = found.own_split.held_out
    return [
        f"By the file names ({found.grouping.pattern}), {found.own_split.named:,} of {amount(n, 'test image')} "
        f"({share(found.own_split.named, n)}) come from an original that is also trained on."
    ]


def _random(found: Inspection) -> list[str]:
    leak, grouping, grouped = found.random_split, found.grouping, found.grouped_split
    assert leak is not None
    named = leak.named or 0
    intro = "The source has no test split of its own, and a random one"
    if not named and not len(leak):
        return [f"{intro} leaks nothing: none of {leak.held_out:,} images held out has a copy in the rest."]
    n, reasons = leak.held_out, []
    if named:
        reasons.append(f"{named:,} ({share(named, n)}) share their original, by the file name, with a training image")
    if len(leak):
        reasons.append(f"{len(leak):,} ({share(len(leak), n)}) {have(len(leak))} a near copy among the training images")
    text = f"{intro} leaks: of {amount(n, 'image')} held out, {', and '.join(reasons)}."
    if grouping is None or grouped is None:
        return [text]
    left = f"{len(grouped):,} of {grouped.held_out:,}"
    given = f"the groups of '{grouping.pattern}'" if grouping.given else f"group: '{grouping.pattern}' in the recipe"
    return [text, f"With {given}, {left} images held out still {have(len(grouped))} a near copy in training."]


def _grouping(found: Inspection) -> list[str]:
    grouping = found.grouping
    if grouping is None:
        return []
    pairs, crossing = len(found.copies.pairs), len(found.crossing)
    told = f"{_told(grouping, len(found.images))}."
    if not pairs:
        return [told]
    if not crossing:
        return [told, f"The groups account for all {amount(pairs, 'pair')} of near copies."]
    return [
        told,
        f"The groups account for {pairs - crossing:,} of {amount(pairs, 'pair')} of near copies; "
        f"in {crossing:,} the two go by different names.",
    ]


def _told(grouping: Grouping, n: int) -> str:
    largest = int(grouping.sizes.max())
    how = "By the pattern given" if grouping.given else "By their file names"
    return f"{how}, the {n:,} images come from {len(grouping.sizes):,} originals, at most {largest:,} from one"


def _copies(found: Inspection) -> str:
    n, copied = len(found.images), int(found.copies.copied.sum())
    if not copied:
        return f"No two of the {n:,} images are near copies of each other."
    sizes = found.copies.family_sizes
    families = int((sizes > 1).sum())
    equal = n - int(found.copies.picture.max()) - 1
    text = f"In all, {copied:,} of {n:,} images ({share(copied, n)}) have a near copy, in {families:,} "
    text += f"{'family' if families == 1 else 'families'} of at most {sizes.max():,}"
    return f"{text}; {none(equal)} {are(equal or 1)} equal in every pixel to an earlier one."


def _conflicts(found: Inspection) -> list[str]:
    if not (n := len(found.conflicts)):
        return []
    kind = found.images.targets.kind
    doubt = "one of the two is doubtful, or they are no copies"
    return [f"In {amount(n, 'pair')} of near copies the {kind} differ: {doubt}."]


def _labels(found: Inspection) -> list[str]:
    if found.scores is None:
        return []
    agree, chance = f"{100 * found.agreement:.1f} %", f"{100 * found.chance:.1f} %"
    text = f"{agree} of the images have a nearest image of their own class ({chance} by chance)"
    if not pixels_tell(found):
        return [f"{text}: too few for pixels alone to cast doubt on a label."]
    return [f"{text}; {len(found.doubtful):,} do not, and are listed as doubtful, the worst first."]


def _names(found: Inspection) -> list[str]:
    families = alike(found.images.classes)
    return [f"Classes may be the same: {hardly_differ(families)}."] if families else []


def pixels_tell(found: Inspection) -> bool:
    """Whether most images are of the class of their nearest one, so that one that is not is worth a look."""
    return found.agreement >= 0.7


def _left_out(found: Inspection) -> list[str]:
    bad, unlisted = len(found.images.skipped), found.images.unlisted
    texts = [f"{amount(bad, 'image')} could not be read and {are(bad)} left out."] if bad else []
    return texts + (
        [f"{amount(unlisted, 'picture')} {are(unlisted)} not in the table and left out."] if unlisted else []
    )
