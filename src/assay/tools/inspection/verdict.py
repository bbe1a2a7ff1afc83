"""What was found, in sentences: leaks first."""

from assay.data.boxes import Boxes
from assay.data.remarks import remarks
from assay.data.sources.alike import alike, hardly_differ
from assay.data.splits import crossing
from assay.data.targets import Masks
from assay.language.script import as_name
from assay.language.speech import plural, say
from assay.tools.inspection import told
from assay.tools.inspection.in_words import images_text, pairs_text, share, tested_text
from assay.tools.inspection.inspecting import Grouping, Inspection
from assay.tools.inspection.leaks import Leak
from assay.tools.inspection.truth import another, kind, the_same


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
        why = as_name(str(found.not_split))
        return [say("It has no test split of its own and cannot be given one: {why}.", why=why)]
    return _random(found)


def _by_pixels(found: Inspection, leak: Leak) -> list[str]:
    n, equal, other = len(leak), int(leak.equal.sum()), int(leak.other_label.sum())
    if not n:
        return [say("None of {n:,} test images has a copy in the training images.", n=leak.held_out)]
    text = plural(
        "{n:,} of {images} ({share}) has a near copy in the training images",
        "{n:,} of {images} ({share}) have a near copy in the training images",
        n,
        images=tested_text(leak.held_out),
        share=share(n, leak.held_out),
    )
    text += (
        plural(
            "; {n:,} of these copies is equal in every pixel",
            "; {n:,} of these copies are equal in every pixel",
            equal,
        )
        if equal
        else say("; none of these copies is equal in every pixel")
    )
    if other:
        others = another(found.images)
        return [text + plural(", and {n:,} has {others}.", ", and {n:,} have {others}.", other, others=others)]
    if isinstance(found.images.targets, Masks | Boxes):
        return [f"{text}."]
    return [text + say(", and all have {the_same}.", the_same=the_same(found.images))]


def _own_names(found: Inspection) -> list[str]:
    assert found.own_split is not None
    if not found.own_split.named or found.grouping is None or crossing(found.data, found.images):
        return []
    n = found.own_split.held_out
    return [
        say(
            "By the file names ({pattern}), {named:,} of {images} ({share}) come from an original that is also trained "
            "on.",
            pattern=as_name(found.grouping.pattern),
            named=found.own_split.named,
            images=tested_text(n),
            share=share(found.own_split.named, n),
        )
    ]


def _random(found: Inspection) -> list[str]:
    leak, grouping, grouped = found.random_split, found.grouping, found.grouped_split
    assert leak is not None
    n = leak.held_out
    reasons = _reasons(leak)
    if not reasons:
        return [
            say(
                "The source has no test split of its own, and a random one leaks nothing: none of {n:,} images held "
                "out has a copy in the rest.",
                n=n,
            )
        ]
    text = say(
        "The source has no test split of its own, and a random one leaks: of {images} held out, {reasons}.",
        images=images_text(n),
        reasons=say(", and ").join(reasons),
    )
    if grouping is None or grouped is None:
        return [text]
    return [text, _with_groups(grouping, grouped)]


def _reasons(leak: Leak) -> list[str]:
    """Why images held out at random are known from training: by their names, by their pixels."""
    reasons = []
    if leak.named:
        reasons.append(
            say(
                "{n:,} ({share}) share their original, by the file name, with a training image",
                n=leak.named,
                share=share(leak.named, leak.held_out),
            )
        )
    if len(leak):
        reasons.append(
            plural(
                "{n:,} ({share}) has a near copy among the training images",
                "{n:,} ({share}) have a near copy among the training images",
                len(leak),
                share=share(len(leak), leak.held_out),
            )
        )
    return reasons


def _with_groups(grouping: Grouping, grouped: Leak) -> str:
    given = (
        say("the groups of {pattern}", pattern=as_name(f"'{grouping.pattern}'"))
        if grouping.given
        else say("{line} in the recipe", line=as_name(f"group: '{grouping.pattern}'"))
    )
    return plural(
        "With {given}, {n:,} of {all:,} images held out still has a near copy in training.",
        "With {given}, {n:,} of {all:,} images held out still have a near copy in training.",
        len(grouped),
        given=given,
        all=grouped.held_out,
    )


def _grouping(found: Inspection) -> list[str]:
    grouping = found.grouping
    if grouping is None:
        return []
    pairs, crossing = len(found.copies.pairs), len(found.crossing)
    told = _told(grouping, len(found.images))
    if not pairs:
        return [told]
    if not crossing:
        return [told, say("The groups account for all {pairs} of near copies.", pairs=pairs_text(pairs))]
    return [
        told,
        say(
            "The groups account for {known:,} of {pairs} of near copies; in {crossing:,} the two go by different "
            "names.",
            known=pairs - crossing,
            pairs=pairs_text(pairs),
            crossing=crossing,
        ),
    ]


def _told(grouping: Grouping, n: int) -> str:
    originals, numbers = len(grouping.sizes), {"images": n, "most": int(grouping.sizes.max())}
    if grouping.given:
        return plural(
            "By the pattern given, the {images:,} images come from {n:,} original, all {most:,} of them.",
            "By the pattern given, the {images:,} images come from {n:,} originals, at most {most:,} from one.",
            originals,
            **numbers,
        )
    return plural(
        "By their file names, the {images:,} images come from {n:,} original, all {most:,} of them.",
        "By their file names, the {images:,} images come from {n:,} originals, at most {most:,} from one.",
        originals,
        **numbers,
    )


def _copies(found: Inspection) -> str:
    n, copied = len(found.images), int(found.copies.copied.sum())
    if not copied:
        return say("No two of the {n:,} images are near copies of each other.", n=n)
    sizes = found.copies.family_sizes
    equal = n - int(found.copies.picture.max()) - 1
    text = plural(
        "In all, {copied:,} of {images:,} images ({share}) have a near copy, in {n:,} family of at most {most:,}",
        "In all, {copied:,} of {images:,} images ({share}) have a near copy, in {n:,} families of at most {most:,}",
        int((sizes > 1).sum()),
        copied=copied,
        images=n,
        share=share(copied, n),
        most=int(sizes.max()),
    )
    if not equal:
        return text + say("; none is equal in every pixel to an earlier one.")
    return text + plural(
        "; {n:,} is equal in every pixel to an earlier one.",
        "; {n:,} are equal in every pixel to an earlier one.",
        equal,
    )


def _conflicts(found: Inspection) -> list[str]:
    if not (n := len(found.conflicts)):
        return []
    return [
        say(
            "In {pairs} of near copies the {kind} differ: one of the two is doubtful, or they are no copies.",
            pairs=pairs_text(n),
            kind=kind(found.images),
        )
    ]


def _labels(found: Inspection) -> list[str]:
    if found.scores is None:
        return []
    shares = {"agree": f"{100 * found.agreement:.1f} %", "chance": f"{100 * found.chance:.1f} %"}
    text = say("{agree} of the images have a nearest image of their own class ({chance} by chance)", **shares)
    if not pixels_tell(found):
        return [text + say(": too few for pixels alone to cast doubt on a label.")]
    n = len(found.doubtful)
    return [text + say("; {n:,} do not, and are listed as doubtful, the worst first.", n=n)]


def _names(found: Inspection) -> list[str]:
    families = alike(found.images.classes)
    return [say("Classes may be the same: {alike}.", alike=hardly_differ(families))] if families else []


def pixels_tell(found: Inspection) -> bool:
    """Whether most images are of the class of their nearest one, so that one that is not is worth a look."""
    return found.agreement >= 0.7


def _left_out(found: Inspection) -> list[str]:
    skipped, unlisted = found.images.skipped, found.images.unlisted
    texts = []
    if skipped:
        name, reason = map(as_name, skipped[0])
        texts.append(
            plural(
                "{n:,} image is left out: {name} ({reason}).",
                "{n:,} images are left out, the first is {name} ({reason}).",
                len(skipped),
                name=name,
                reason=reason,
            )
            + say(" A run refuses such a source unless data.on_bad_image is skip.")
        )
    if unlisted:
        texts.append(
            plural(
                "{n:,} picture is not listed in the source and left out.",
                "{n:,} pictures are not listed in the source and left out.",
                unlisted,
            )
        )
    return texts
