"""A study: a base recipe, what is varied, and the seeds. One file asks the question."""

import itertools
from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal, NoReturn

from pydantic import Field, PositiveInt, PrivateAttr, field_validator, model_validator

from assay.errors import AssayError, unknown
from assay.language.speech import Language
from assay.recipe import Recipe, Section, overrides
from assay.recipe.design import (
    Design,
    Range,
    Search,
    Vary,
    as_tried,
    changed_keys,
    refuse_losses,
    refuse_no_levels,
    refuse_unsearchable,
    tried,
)
from assay.recipe.folder_names import RESERVED, folder_name
from assay.recipe.indifference import Indifferent
from assay.recipe.names import DEFAULT, Names, label, names, short_keys
from assay.recipe.validation import mistakes, validate
from assay.recipe.variant import Variant
from assay.recipe.yaml_files import dump_yaml, read_yaml

Seed = Annotated[int, Field(ge=0, lt=2**31)]


class Study(Section):
    """What a study file holds.

    ``vary`` maps dotted keys to their levels: a full grid, or with ``design: one_at_a_time`` the base and one change
    from it at a time. ``variants`` names combinations outright instead. The *base variant*, to which the others are
    compared, has the levels that the base recipe states, and of a factor it does not state the first level. A study
    whose design is a search has the base alone for a variant until it was searched, which gives it others.
    """

    title: str = Field(min_length=1)
    """The question, which heads the report."""
    name: str = Field(min_length=1)
    """Of the folder in which its runs lie; else that of the file."""
    base: dict[str, Any]
    """The recipe that all variants share."""
    vary: Vary = Field(default_factory=dict)
    """Dotted keys of the recipe and their levels, or the range that a search looks through."""
    variants: dict[str, dict[str, Any] | None] = Field(default_factory=dict)
    """Names, and what each changes in the base."""
    design: Design = "grid"
    """All combinations of levels, the base and one change from it at a time, or a search."""
    seeds: PositiveInt | list[Seed] = 3
    """How many, from 0 on, or which."""
    metric: str | None = Field(default=None, min_length=1)
    """What verdict and report are about; else the task's metric."""
    reference: str | None = Field(default=None, min_length=1)
    """The variant that the verdict compares the others with, by its name or its level alone; else the best."""
    indifferent: Indifferent | None = None
    """The largest difference in ``metric`` that is none for practical purposes, in the unit in which it is shown."""
    select_on: Literal["test", "validation"] = "test"
    """The images by which the best variant is chosen; what is told of it is of the test images either way."""
    notes: str = ""
    """The author's own, in Markdown, for the report."""
    language: Language = "en"
    """Of the report: English, or Persian from right to left."""
    _set: tuple[str, ...] = PrivateAttr(default=())
    _place: str = PrivateAttr(default="")

    @field_validator("name")
    @classmethod
    def _name_is_a_folder_name(cls, name: str) -> str:
        if name != folder_name(name):
            raise ValueError(f"{name!r} cannot name a folder; {folder_name(name)!r} could")
        return name

    @field_validator("vary", mode="before")
    @classmethod
    def _levels_are_lists(cls, vary: Any) -> Any:
        for key, levels in vary.items() if isinstance(vary, dict) else ():
            refuse_no_levels(key, levels)
        return vary or {}

    @model_validator(mode="after")
    def _consistent(self) -> "Study":
        if self.vary and self.variants:
            raise ValueError("'vary' and 'variants' exclude each other: one makes variants, the other names them")
        if isinstance(self.seeds, list) and (not self.seeds or len(set(self.seeds)) < len(self.seeds)):
            raise ValueError("seeds: expected a number of seeds, or a list of different ones")
        refuse_unsearchable(self.design, self.vary, self.seed_list)
        for key in [*self.vary, *(k for changes in self.variants.values() for k in changes or {})]:
            if key == "seed" or key == "task":
                raise ValueError(f"'{key}' cannot be varied" + ("; list the seeds under 'seeds'" * (key == "seed")))
        for keys in [list(self.vary), *(list(changes or {}) for changes in self.variants.values())]:
            for whole, part in itertools.permutations(keys, 2):
                if part.startswith(f"{whole}."):
                    raise ValueError(f"'{part}' is a part of '{whole}', and both are changed; give '{whole}' in full")
        return self

    @property
    def seed_list(self) -> list[int]:
        """The seeds, written out: ``3`` means 0, 1, 2."""
        return list(range(self.seeds)) if isinstance(self.seeds, int) else list(self.seeds)

    @property
    def search(self) -> Search | None:
        """How its variants are searched for; None where it says which they are."""
        return self.design if isinstance(self.design, Search) else None

    @property
    def compared(self) -> int:
        """How many variants the verdict is about: of a search the base and the best few."""
        return 1 + self.search.best if self.search else len(self.plan)

    @property
    def levels(self) -> dict[str, list[Any]]:
        """Dotted key → the levels of ``vary``; of a range its ends."""
        return {key: found.ends if isinstance(found, Range) else found for key, found in self.vary.items()}

    @property
    def epochs_are_set(self) -> bool:
        """Whether the command line has set how long the training lasts, for a trial."""
        return any(key in ("train", "train.epochs") or key.startswith("train.phases") for key in self._set)

    @property
    def factors(self) -> list[str]:
        """The dotted keys that the study changes, in the order of the file."""
        named = (key for changes in self.variants.values() for key in changes or {})
        return list(self.vary) or list(dict.fromkeys(named))

    @cached_property
    def plan(self) -> dict[str, Variant]:
        """Name → variant, in the order of the file. Raises AssayError where a variant is not a valid recipe."""
        plan: dict[str, Variant] = {}
        folders: dict[str, str] = {}
        for name, changes in self._combinations():
            tree = self.base
            for key, level in changes.items():
                overrides.refuse_forgetting(self.base, key, level, f"variant '{name}'")
                tree = overrides.put(tree, key, level)
            if "seed" in tree:
                raise AssayError("base: seed: a study lists its seeds under 'seeds', not in the base")
            if found := mistakes(Recipe, tree):
                in_base = mistakes(Recipe, self.base)
                places = ("base" if line in in_base else f"variant '{name}'" for line in found)
                raise AssayError("\n".join(f"{place}: {line}" for place, line in zip(places, found, strict=True)))
            recipe = Recipe.model_validate(tree)
            folder = folder_name(name)
            if name in plan:
                raise AssayError(f"two variants are called '{name}'; is a level listed twice?")
            if folder.casefold() in RESERVED:
                raise AssayError(f"a variant cannot be called '{name}': the study's folder has its own '{folder}'")
            if other := folders.get(folder.casefold()):
                raise AssayError(f"variants '{other}' and '{name}' would share the folder '{folder}'; rename one")
            if other := next((n for n, v in plan.items() if v.recipe == recipe), None):
                raise AssayError(f"variants '{other}' and '{name}' are the same recipe; leave one out")
            folders[folder.casefold()] = name
            written = recipe.dump()
            levels = {key: changes.get(key, stated_or_default(written, key)) for key in self.factors}
            plan[name] = Variant(name, folder, levels, recipe)
        return plan

    @property
    def task(self) -> str:
        """What every network of the study is trained to say."""
        return next(iter(self.plan.values())).recipe.task

    def _combinations(self) -> Iterable[tuple[str, dict[str, Any]]]:
        if self.variants:
            return [(str(name), changes or {}) for name, changes in self.variants.items()]
        if not self.vary or self.search:
            return [("base", {})]
        short = short_keys(list(self.vary))
        if self.design == "grid":
            grids = (dict(zip(self.vary, levels, strict=True)) for levels in itertools.product(*self.levels.values()))
            return [(", ".join(f"{short[k]}={label(v)}" for k, v in grid.items()), grid) for grid in grids]
        singles = [(k, level) for k, levels in self.levels.items() for level in levels]
        changes = [(k, level) for k, level in singles if not self._is_own(k, level)]
        return [("base", {}), *((f"{short[k]}={label(level)}", {k: level}) for k, level in changes)]

    def _is_own(self, key: str, level: Any) -> bool:
        """Whether the base has ``level`` at ``key`` already, in whatever words."""
        changed = overrides.put(self.base, key, level)
        if mistakes(Recipe, self.base) or mistakes(Recipe, changed):
            return bool(overrides.get(self.base, key) == level)
        return Recipe.model_validate(changed) == Recipe.model_validate(self.base)

    @cached_property
    def shown(self) -> Names:
        """What a reader calls the factors and the variants."""
        design = None if isinstance(self.design, Search) or not self.vary else self.design
        return names({name: one.levels for name, one in self.plan.items()}, design)

    @property
    def base_variant(self) -> str:
        """The name of the variant that the others are compared to."""
        if "base" in self.plan:
            return "base"
        wanted = {key: levels[0] for key, levels in self.levels.items()}
        for key in (key for key in self.vary if overrides.get(self.base, key) is not overrides.MISSING):
            wanted[key] = next((level for level in self.levels[key] if self._is_own(key, level)), wanted[key])
        for name, variant in self.plan.items():
            if self.vary and variant.levels == wanted:
                return name
        return next((name for name, changes in self.variants.items() if not changes), next(iter(self.plan)))

    @property
    def reference_variant(self) -> str | None:
        """The variant that is the reference by plan: the one named, or the base of ``one_at_a_time``; else None."""
        if self.reference is None:
            return self.base_variant if self.design == "one_at_a_time" else None
        shown = [*self.shown.in_tables.items(), *self.shown.in_sentences.items()]
        called = {called: name for name, called in shown} | {name: name for name in self.plan}
        if self.reference not in called:
            raise unknown("variant", self.reference, called)
        return called[self.reference]

    def varying(self, vary: dict[str, list[Any]], **others: Any) -> "Study":
        """The same study with other factors and levels, and with other fields."""
        study = Study.model_validate(self.model_dump(by_alias=True) | {"vary": vary} | others)
        study._set, study._place = self._set, self._place
        return study

    @property
    def at_ends(self) -> "Study":
        """Of a search, the study of the base and one change from it at a time, to every level and both ends of ranges:
        what must work for its trials to work."""
        return self.varying(self.levels, design="one_at_a_time")

    @property
    def tried(self) -> dict[str, str]:
        """Of a search, the variants of ``at_ends`` but the base → what each tries, in words."""
        changes = self.at_ends._combinations() if self.search else ()
        return {name: tried(key, level, self.vary[key]) for name, change in changes for key, level in change.items()}

    def mistake(self, found: str) -> AssayError:
        """The error for what was ``found`` in the study, every line with the file that it was read from, if any."""
        return AssayError("\n".join(f"{self._place}: {line}" if self._place else line for line in found.splitlines()))

    def dump(self) -> str:
        """The study as YAML, the way ``load_study`` reads it."""
        values = self.model_dump(mode="json", exclude_defaults=True, by_alias=True) | {"seeds": self.seeds}
        return dump_yaml(values, width=120)

    def run(self, *_: object, **__: object) -> NoReturn:
        """Raise AssayError: a study is run by ``assay.run``."""
        raise AssayError("study.run(…) is now assay.run(study, …), with the same arguments")


def load_study(path: str | Path, changes: Sequence[str] = (), seeds: int | list[int] | None = None) -> Study:
    """Read a study file, change its base by ``changes`` (``"train.epochs=3"``), and check all of it.

    Raises AssayError for a missing or malformed file, an unknown key or a variant that is not a valid recipe.
    """
    path = Path(path) / "study.yaml" if Path(path).is_dir() else Path(path)
    values = {"name": path.stem} | read_yaml(path)
    for text in changes:
        key, value = overrides.parse(text)
        for factor in sorted(changed_keys(values)):
            if f"{key}.".startswith(f"{factor}.") or f"{factor}.".startswith(f"{key}."):
                raise AssayError(f"--set {text}: the study varies '{factor}'; change its levels in {path.name} instead")
        base = values.get("base") or {}
        overrides.refuse_forgetting(base, key, value, f"--set {text}")
        values["base"] = overrides.put(base, key, value)
    if seeds is not None:
        values["seeds"] = seeds
    where = " ".join([str(path), *(f"--set {text}" for text in changes)])
    study = validate(Study, values, where)
    study._set, study._place = tuple(overrides.parse(text)[0] for text in changes), where
    try:
        with as_tried(study.tried):
            refuse_undecidable(study)
    except AssayError as error:
        raise study.mistake(str(error)) from None
    return study


def refuse_undecidable(study: Study) -> None:
    """Raise AssayError where a variant is no valid recipe, the reference no variant, or what is to choose not there."""
    plan = study.at_ends.plan if study.search else study.plan
    try:
        _ = study.reference_variant
    except AssayError as error:
        raise AssayError(f"reference: {error}") from None
    if study.search:
        refuse_losses(study.plan["base"].recipe.train.watch, (v.recipe.train.loss for v in plan.values()), study.task)
    without = [name for name, variant in plan.items() if variant.recipe.data.validation == 0]
    if without and (study.search or study.select_on == "validation"):
        asks = "design: a search goes by validation images" if study.search else "select_on: validation"
        raise AssayError(f"{asks}, but variant '{without[0]}' has no validation images (data.validation: 0)")


def stated_or_default(tree: dict[str, Any], key: str) -> Any:
    """The value at ``key``; the word where only the network's builder knows it."""
    return DEFAULT if (value := overrides.get(tree, key)) is overrides.MISSING else value
