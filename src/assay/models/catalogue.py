"""The only place that maps a model's name to its builder. Importing it does not import torch."""

import inspect
from collections.abc import Callable, Mapping
from contextlib import suppress
from importlib import import_module
from typing import TYPE_CHECKING, Any, Literal, get_args, get_origin, get_type_hints

from pydantic import BaseModel, ValidationError, create_model

from assay.errors import AssayError, amount, nearest, shown, unknown
from assay.recipe import Data, Model, Normalization, Recipe
from assay.recipe.section import Strict, expected
from assay.recipe.tasks import Answered
from assay.recipe.validation import mistakes

if TYPE_CHECKING:
    import torch

    from assay.models.inputs import Inputs

MODELS: dict[str, tuple[str, str]] = {
    "mlp": ("assay.models.mlp:mlp", "dense layers on flattened images"),
    "elu_resnet": ("assay.models.elu_resnet:elu_resnet", "two residual stages with ELU, for 32×32 images"),
    "resnet9": ("assay.models.resnet9:resnet9", "nine layers that learn CIFAR-10 in seconds on a card"),
    "inception": ("assay.models.inception:inception", "a module of parallel kernels between plain convolutions"),
    "sequence": ("assay.models.sequence:sequence", "your own layers, one after the other, without code"),
    "cnn": ("assay.models.cnn:cnn", "convolutions with or without pooling and norm, then dense layers"),
    "deeplab": ("assay.models.deeplab:deeplab", "a class a pixel: atrous convolutions, pyramid and decoder"),
    "detector": (
        "assay.models.backbone_detector:detector",
        "boxes, on a backbone of timm that gives maps at 8, 16 and 32 pixels, with a head of one stage or two",
    ),
    "yolo": ("assay.models.yolo:yolo", "boxes in one pass: a trunk in five sizes, a head with anchors or without"),
    "rcnn": ("assay.models.rcnn:rcnn", "boxes: regions of selective search, each put into a class by itself"),
}
"""Name → (where the builder is, what it builds)."""

LIBRARIES: dict[str, tuple[str, str]] = {
    "timm": ("assay.models.timm_classifiers", "any classifier of timm, such as timm/resnet18"),
    "torchvision": (
        "assay.models.torchvision_networks",
        "any classifier of torchvision, such as torchvision/vgg16, a class a pixel: torchvision/deeplabv3_resnet50, "
        "or boxes: torchvision/retinanet_resnet50_fpn",
    ),
    "smp": (
        "assay.models.smp_segmenters",
        "a class a pixel, on an encoder of timm: smp/deeplabv3plus, smp/unet, smp/fpn, smp/segformer, …",
    ),
}
"""Before the slash of a name → (the module with ``builder``, ``inputs``, ``pretrained``, ``installed``, what there
is)."""
SEGMENTERS = ("deeplab", "smp/…", "torchvision/deeplabv3_…", "torchvision/fcn_…", "torchvision/lraspp_…")
"""Names that give logits for every pixel."""
DETECTORS = (
    "detector", "yolo", "rcnn", "torchvision/fasterrcnn_…", "torchvision/fcos_…", "torchvision/retinanet_…",
    "torchvision/ssd…",
)  # fmt: skip
"""Names that give boxes."""
SEES_PIXELS = ("rcnn",)
"""Names of networks that must know how their images were normalised."""


def build(model: Model, shape: tuple[int, ...], outputs: int) -> "torch.nn.Module":
    """The network for images of ``shape`` (channels, height, width) with ``outputs`` logits, frozen where asked.

    Only ``sequence`` takes images of one or three dimensions.

    Weights are drawn from torch's global generator: seed it with ``assay.seeds.scoped``. Pretrained ones are loaded by
    ``assay.models.weights.load_pretrained``. Raises AssayError for an unknown name, wrong arguments, a network that
    ``shape`` does not fit, a head or a frozen backbone where there is none, or nothing left to train.
    """
    from assay.models.detector import Detector
    from assay.models.freezing import freeze
    from assay.models.head import replace_head
    from assay.models.segmenter import Segmenter

    if len(shape) != 3 and model.name != "sequence":
        raise AssayError(
            f"model '{model.name}' takes channels, height and width, found a shape of {amount(len(shape), 'number')}"
        )
    layers = model.head if isinstance(model.head, tuple) else None
    network: torch.nn.Module = _builder(model.name)(shape, outputs, **_validated(model))
    if not (model.is_off_the_shelf or isinstance(network, Segmenter | Detector)):
        for key, more, stated in (
            ("head", "", layers is not None),
            ("freeze: backbone", ", deeplab, detector, yolo or rcnn", model.freeze == "backbone"),
        ):
            if stated:
                raise AssayError(
                    f"model.{key} needs a network off the shelf (timm/…, torchvision/…){more}, not '{model.name}'"
                )
    if layers is not None:
        if isinstance(network, Segmenter | Detector):
            kept = "a decoder" if isinstance(network, Segmenter) else "a head for boxes"
            raise AssayError(
                f"model.head is made of layers for whole images, and '{model.name}' has {kept}; leave it out"
            )
        replace_head(network, (shape[0], shape[1], shape[2]), layers, outputs)
    freeze(network, model.freeze)
    return network


def try_out(model: Model, shape: tuple[int, int, int], outputs: int, each: Answered = "image") -> "torch.nn.Module":
    """The network built for trial and shown two black images.

    Raises AssayError where it cannot be built, or does not give ``outputs`` logits for ``each`` image or pixel, or
    boxes of each image.
    """
    import torch

    from assay.seeds import scoped

    try:
        with torch.no_grad(), scoped(0, "trial"):
            network = build(model, shape, outputs).eval()
            answers = network(torch.zeros(2, *shape))
    except (RuntimeError, AssertionError, ValueError) as error:
        raise AssayError(f"the network does not fit images of {shape}: {error}") from None
    found = tuple(answers.shape[1:]) if isinstance(answers, torch.Tensor) else _kind(answers)
    if each == "image" and found != (outputs,):
        raise AssayError(f"model '{model.name}' gives {found} for an image, expected {amount(outputs, 'number')}")
    if each == "boxes" and found != "boxes":
        raise AssayError(
            f"model '{model.name}' gives {found} for an image, expected boxes; networks for detection: "
            f"{', '.join(DETECTORS)}"
        )
    if each == "pixel" and found != (outputs, *shape[1:]):
        raise AssayError(
            f"model '{model.name}' gives {found} for an image, expected {amount(outputs, 'number')} for each of its "
            f"{shape[1]}×{shape[2]} pixels; networks for segmentation: {', '.join(SEGMENTERS)}"
        )
    return network


def _kind(answers: Any) -> str:
    """In a word what a network gives that is no tensor."""
    from assay.models.detector import Found

    is_boxes = isinstance(answers, list) and all(isinstance(each, Found) for each in answers)
    return "boxes" if is_boxes else type(answers).__name__


def shipped(model: Model, shape: tuple[int, int, int]) -> "tuple[dict[str, torch.Tensor], str]":
    """(what weights a library has for its network or its encoder, where they were). AssayError where it has none."""
    library, _, architecture = shelf(model).partition("/")
    if library not in LIBRARIES:
        raise AssayError(
            f"model.pretrained: nobody ships weights of '{model.name}'; expected a file's path, or run: and a finished "
            "run"
        )
    found = import_module(LIBRARIES[library][0]).pretrained(architecture, shape, **_validated(model))
    return found  # type: ignore[no-any-return]


def installed() -> list[str]:
    """The networks off the shelf whose pretrained weights are here, in a package or a cache: nothing is downloaded."""
    return [
        f"{library}/{name}" for library, (module, _) in LIBRARIES.items() for name in import_module(module).installed()
    ]


def complete(recipe: Recipe) -> Recipe:
    """The recipe with all that its model decides written out, so that it outlives a changed default.

    These are the model's arguments and, for a network off the shelf, the size, colour and normalisation of the images.
    """
    model = recipe.model
    values = _arguments(_builder(model.name)).model_validate(_validated(model)).model_dump(mode="json")
    data = _fitted(recipe.data, model)
    return recipe.model_copy(update={"model": Model.model_validate(model.model_dump() | values), "data": data})


def shelf(model: Model) -> str:
    """What a library has of the network: the whole, or the backbone that it stands on; else its own name."""
    known = inspect.signature(_builder(model.name)).parameters
    return str(model.arguments.get("backbone", known["backbone"].default)) if "backbone" in known else model.name


def inputs(model: Model) -> "Inputs | None":
    """The images that a network off the shelf, or its backbone, was made for; None for a network of assay's own."""
    library, _, architecture = shelf(model).partition("/")
    if library not in LIBRARIES:
        return None
    found: Inputs = import_module(LIBRARIES[library][0]).inputs(architecture, **_validated(model))
    return found


def _fitted(data: Data, model: Model) -> Data:
    """The data with what they leave to the network."""
    made_for = inputs(model)
    if made_for is None:
        if (backbone := shelf(model)) != model.name:
            such = next(iter(_in_libraries(backbone)), "timm/tf_efficientnet_lite0")
            raise AssayError(f"model.backbone: found {backbone!r}, expected a network of timm such as {such}")
        if data.normalize == "model":
            raise AssayError(
                f"data.normalize: model '{model.name}' has no normalisation of its own; expected another one"
            )
        return data
    changes: dict[str, Any] = {"size": data.size or made_for.size, "color": data.color or "rgb"}
    mean, std = (_each_channel(values, changes["color"]) for values in (made_for.mean, made_for.std))
    own = Normalization(mean=mean, std=std)
    if data.normalize == "model":
        changes["normalize"] = own
    elif model.name in SEES_PIXELS and data.normalize != own:
        raise AssayError(
            f"data.normalize: model '{model.name}' turns images back into pixels, as those of its backbone are "
            "normalised; leave the key out"
        )
    return data.model_copy(update=changes)


def _each_channel(values: tuple[float, ...], color: str) -> tuple[float, ...]:
    """One value a channel; for gray images the mean over the colours."""
    return values if color == "rgb" else (sum(values) / len(values),)


def _builder(name: str) -> Callable[..., Any]:
    library, _, architecture = name.partition("/")
    if library in LIBRARIES:
        return import_module(LIBRARIES[library][0]).builder(architecture)  # type: ignore[no-any-return]
    if name not in MODELS:
        raise unknown("model", name, [*MODELS, *_in_libraries(architecture or name)])
    module, function = MODELS[name][0].split(":")
    return getattr(import_module(module), function)  # type: ignore[no-any-return]


def _in_libraries(architecture: str) -> list[str]:
    """The networks off the shelf of that name."""
    found = []
    for library, (module, _) in LIBRARIES.items():
        with suppress(AssayError):
            import_module(module).builder(architecture)
            found.append(f"{library}/{architecture}")
    return found


def _validated(model: Model) -> dict[str, Any]:
    """The arguments that were given, converted to the types of the builder's signature."""
    kind = _arguments(_builder(model.name))
    if isinstance(model.head, str) and "head" not in kind.model_fields:
        raise AssayError(
            f"model.head: found {model.head!r}, expected a list of layers; only detectors have heads by name"
        )
    try:
        values = kind.model_validate(model.arguments)
    except ValidationError as error:
        raise AssayError(_sentence(model, kind, error)) from None
    return {name: getattr(values, name) for name in model.arguments}


def _arguments(builder: Callable[..., Any]) -> type[BaseModel]:
    """The keyword arguments of ``builder`` as a pydantic model."""
    hints = get_type_hints(builder, include_extras=True)
    parameters = list(inspect.signature(builder).parameters.values())[2:]
    fields: dict[str, Any] = {
        p.name: (hints[p.name], ... if p.default is p.empty else p.default)
        for p in parameters
        if p.kind is not p.VAR_KEYWORD
    }
    extra: Literal["allow", "forbid"] = "forbid" if len(fields) == len(parameters) else "allow"
    options = {"extra": extra, "protected_namespaces": (), "use_attribute_docstrings": False}  # no source to look for
    return create_model("Arguments", __base__=Strict, __cls_kwargs__=options, **fields)


def _sentence(model: Model, kind: type[BaseModel], error: ValidationError) -> str:
    """The first mistake in one sentence."""
    detail = error.errors()[0]
    name = str(detail["loc"][0])
    annotation = kind.model_fields[name].annotation if name in kind.model_fields else None
    kinds = [one for one in (annotation, *get_args(annotation)) if isinstance(one, type)]
    if any(issubclass(one, BaseModel) for one in kinds) and name in model.arguments:
        return mistakes(create_model("Keys", model=(kind, ...)), {"model": dict(model.arguments)})[0]
    if detail["type"] == "extra_forbidden":
        return f"model '{model.name}' has no argument '{name}'; {nearest(name, kind.model_fields)}"
    if detail["type"] == "missing" and len(detail["loc"]) == 1:
        return f"model '{model.name}' needs the argument '{name}'"
    field = kind.model_fields[name]
    value = model.arguments[name]
    found = f"model.{name}: found {'keys and values' if isinstance(value, Mapping) else shown(value)}"
    if get_origin(field.annotation) is Literal and isinstance(get_args(field.annotation)[0], str):
        return f"{found}; {nearest(value, get_args(field.annotation))}"
    return f"{found}, expected {expected(field) or _message(detail['msg'])}"


def _message(message: str) -> str:
    return message.removeprefix("Input should be ").removeprefix("Input ")
