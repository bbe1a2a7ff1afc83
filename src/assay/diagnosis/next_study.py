"""The study to run after a finding: the run's own recipe, with the key varied that the finding is about."""

from collections.abc import Callable, Mapping
from typing import Any

import yaml

from assay.recipe import Recipe

Vary = dict[str, list[Any]]
"""Key of the recipe → levels; nothing where the recipe has no such key."""
LR = "train.optimizer.lr"


def rates(*factors: float) -> Callable[[Recipe], Vary]:
    """The run's learning rate times each of the factors."""

    def vary(recipe: Recipe) -> Vary:
        lr = recipe.train.optimizer.lr
        return {} if recipe.train.phases else {LR: [float(f"{lr * factor:.3g}") for factor in factors]}

    return vary


def longer(recipe: Recipe) -> Vary:
    """As many epochs, and more."""
    return {} if recipe.train.phases else {"train.epochs": [recipe.train.epochs * factor for factor in (1, 2, 4)]}


def scaled(recipe: Recipe) -> Vary:
    """Inputs as they were, and as numbers around 1."""
    return {"data.normalize": [recipe.dump()["data"]["normalize"], "standard"]}


def optimizers(recipe: Recipe) -> Vary:
    """With Adam every weight has steps of its own size, however small its gradient."""
    return (
        {}
        if recipe.train.optimizer.name == "adam"
        else {"train.optimizer": [recipe.dump()["train"]["optimizer"], "adam"]}
    )


def livelier(recipe: Recipe) -> Vary:
    """Without an activation that saturates, else ``optimizers``."""
    own = recipe.model.arguments.get("activation")
    return {"model.activation": [own, "relu"]} if own in ("sigmoid", "tanh") else optimizers(recipe)


def easier(recipe: Recipe) -> Vary:
    """Without augmentation, else without dropout where the recipe asks for some."""
    if recipe.data.augment:
        return {"data.augment": [recipe.dump()["data"]["augment"], []]}
    dropout = recipe.model.arguments.get("dropout")
    return {"model.dropout": [dropout, 0.0]} if dropout else {}


def kept(recipe: Recipe) -> Vary:
    """The weights of the least validation loss, of the best metric, or the last."""
    return (
        {"train.keep": ["best", "last"]}
        if recipe.train.keep == "last"
        else {"train.watch": ["loss", recipe.train.watch]}
        if recipe.train.watch != "loss"
        else {}
    )


AFTER: Mapping[str, Callable[[Recipe], Vary]] = {
    "exploded": rates(1.0, 0.1, 0.01, 0.001),
    "inputs unscaled": scaled,
    "unstable": rates(1.0, 0.3, 0.1, 0.03),
    "gradient fades": livelier,
    "rate too low": rates(1.0, 10.0, 100.0, 1000.0),
    "not learning": rates(1.0, 0.01, 0.1, 10.0, 100.0),
    "unfinished": longer,
    "training harder than testing": easier,
    "dead or saturated units": rates(1.0, 0.1, 0.01),
    "overfitting": kept,
    "single epoch": longer,
}
"""Finding → what to vary."""


def next_study(finding: str, recipe: Recipe) -> str:
    """As YAML: three seeds of each level, whose courses are diagnosed again; empty where nothing is to be varied."""
    vary = AFTER[finding](recipe) if finding in AFTER else {}
    if not vary:
        return ""
    measures = recipe.dump()["evaluate"]
    named = measures if any(one["name"] == "diagnosis" for one in measures) else [*measures, {"name": "diagnosis"}]
    study = {
        "title": f"What does {' or '.join(vary)} change, after '{finding}'?",
        "name": f"after-{finding.replace(' ', '-')}",
        "base": stated(recipe) | {"evaluate": named},
        "vary": vary,
        "seeds": 3,
    }
    return yaml.safe_dump(study, sort_keys=False, allow_unicode=True, width=100, default_flow_style=None)


def stated(recipe: Recipe) -> dict[str, Any]:
    """What the recipe has other than by default, as plain values, without measures and seed."""
    least = {"task": recipe.task, "data": {"source": recipe.data.source}, "model": {"name": recipe.model.name}}
    usual = Recipe.model_validate(least).dump()
    own = {key: value for key, value in recipe.dump().items() if key not in ("evaluate", "seed")}
    return least | {key: least.get(key, {}) | found for key, found in _differing(own, usual).items()}


def _differing(own: Mapping[str, Any], usual: Mapping[str, Any]) -> dict[str, Any]:
    """What differs, a section of another name whole."""
    found = {}
    for key, value in own.items():
        other = usual.get(key)
        if value == other:
            continue
        if isinstance(value, dict) and isinstance(other, dict) and value.get("name") == other.get("name"):
            named = {"name": value["name"]} if "name" in value else {}
            found[key] = named | _differing(value, other)
        else:
            found[key] = value
    return found
