"""The only place that maps a model's name to its builder. Importing it does not import torch."""

import inspect
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any, Literal, get_args, get_origin, get_type_hints

from pydantic import BaseModel, ConfigDict, ValidationError, create_model

from assay.errors import AssayError, nearest, unknown
from assay.recipe import Model, Recipe

if TYPE_CHECKING:
    import torch

MODELS: dict[str, tuple[str, str]] = {
    "mlp": ("assay.models.mlp:mlp", "dense layers on flattened images"),
    "elu_resnet": ("assay.models.elu_resnet:elu_resnet", "two residual stages with ELU, for 32×32 images"),
    "cnn": ("assay.models.cnn:cnn", "convolutions with or without pooling and norm, then dense layers"),
}
"""Name → (where the builder is, what it builds)."""


def build(model: Model, shape: tuple[int, int, int], outputs: int) -> "torch.nn.Module":
    """The network for images of ``shape`` (channels, height, width) with ``outputs`` logits.

    Weights are drawn from torch's global generator: seed it with ``assay.seeds.scoped``.
    Raises AssayError for an unknown name, wrong arguments, or a network that ``shape`` does not fit.
    """
    network: torch.nn.Module = _builder(model.name)(shape, outputs, **_validated(model))
    return network


def check(model: Model, shape: tuple[int, int, int] | None = None, outputs: int = 2) -> None:
    """Raise AssayError where ``build`` would; without a ``shape``, names and types of the arguments alone are checked.

    Nothing is allocated: the trial network lives on torch's meta device.
    """
    _validated(model)
    if shape is not None:
        import torch

        with torch.device("meta"):
            build(model, shape, outputs)


def complete(recipe: Recipe) -> Recipe:
    """The recipe with every argument of its model written out, so that it outlives a changed default."""
    model = recipe.model
    values = _arguments(_builder(model.name)).model_validate(_validated(model)).model_dump(mode="json")
    return recipe.model_copy(update={"model": Model(name=model.name, **values)})


def _builder(name: str) -> Callable[..., Any]:
    if name not in MODELS:
        raise unknown("model", name, MODELS)
    module, function = MODELS[name][0].split(":")
    return getattr(import_module(module), function)  # type: ignore[no-any-return]


def _validated(model: Model) -> dict[str, Any]:
    """The arguments that were given, converted to the types of the builder's signature."""
    kind = _arguments(_builder(model.name))
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
    return create_model("Arguments", __config__=ConfigDict(extra=extra, protected_namespaces=()), **fields)


def _sentence(model: Model, kind: type[BaseModel], error: ValidationError) -> str:
    """The first mistake in one sentence."""
    detail = error.errors()[0]
    name = str(detail["loc"][0])
    if detail["type"] == "extra_forbidden":
        return f"model '{model.name}' has no argument '{name}'; {nearest(name, kind.model_fields)}"
    if detail["type"] == "missing":
        return f"model '{model.name}' needs the argument '{name}'"
    field = kind.model_fields[name]
    found = f"model.{name}: found {_shown(model.arguments[name])}"
    if get_origin(field.annotation) is Literal:
        return f"{found}; {nearest(model.arguments[name], get_args(field.annotation))}"
    return f"{found}, expected {field.description or _message(detail['msg'])}"


def _message(message: str) -> str:
    return message.removeprefix("Input should be ").removeprefix("Input ")


def _shown(value: Any) -> str:
    if isinstance(value, Mapping):
        return "keys and values"
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "…"
