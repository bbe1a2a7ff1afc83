"""The recipe: everything that determines one training run. Every default of assay is stated here, once."""

import hashlib
import json
from typing import Annotated, Any

from pydantic import Field, field_validator, model_validator

from assay.errors import nearest
from assay.recipe.data import COLUMNS, Data
from assay.recipe.measures import ClassificationMeasure, CostMeasure, Measure, SeparationMeasure, UncertaintyMeasure
from assay.recipe.model import Model
from assay.recipe.predict import Predict
from assay.recipe.section import Section, named
from assay.recipe.tasks import TASKS, WORDS, TaskName
from assay.recipe.train import Phase, Train


class Recipe(Section):
    """One training run, wholly determined (up to machine and number of threads)."""

    task: TaskName = "classification"
    data: Data
    model: Annotated[Model, named()]
    train: Train = Train()
    predict: Predict = Field(default=Predict(), exclude_if=lambda predict: not predict.asks)
    evaluate: tuple[Measure, ...] = (ClassificationMeasure(), CostMeasure())
    seed: Annotated[int, Field(ge=0)] = 0

    @model_validator(mode="before")
    @classmethod
    def _as_the_task_has_it(cls, values: Any) -> Any:
        """What another task than the usual one leaves out is what that task's facts say."""
        facts = TASKS.get(str(values.get("task"))) if isinstance(values, dict) else None
        if facts is None or values["task"] == cls.model_fields["task"].default:
            return values
        train = values.get("train", {})
        if isinstance(train, dict):
            values = values | {"train": {"loss": facts.losses[0], "watch": facts.metric, **train}}
        return {"evaluate": facts.evaluate, **values}

    @model_validator(mode="after")
    def _known_to_the_task(self) -> "Recipe":
        facts, train = TASKS[self.task], self.train
        asked: list[tuple[str, str, str, tuple[str, ...]]] = [("train.loss", "loss", train.loss.name, facts.losses)]
        asked += [("train.watch", "value to watch", train.watch, facts.watched)]
        asked += [("evaluate", "measure", measure.name, facts.measures) for measure in self.evaluate]
        for key, kind, name, known in asked:
            if name not in known:
                hint = f"it knows {', '.join(known)}" if kind == "measure" else nearest(name, known)
                raise ValueError(f"{key}: '{name}' is no {kind} of task {self.task}; {hint}")
        weights = getattr(train.loss, "class_weights", None)
        if weights == "median_frequency" and facts.target != "masks":
            raise ValueError(
                f"train.loss.class_weights: median_frequency is of pixels, and task {self.task} has "
                f"{WORDS[facts.target]}; expected inverse, or a number for each class"
            )
        if found := self.predict.unknown_to(facts.target):
            key, of, knows = found
            has = f"task {self.task} has {WORDS[facts.target]}"
            raise ValueError(f"predict.{key} is of {of}; {has}, and knows {', '.join(knows)} only")
        if not facts.has_loss and any(stage.train.schedule.name == "plateau" for stage in self.stages):
            raise ValueError(
                "train.schedule: plateau waits for the loss of the validation images to fall, and task "
                f"{self.task} has none; expected another schedule"
            )
        if facts.target != "masks" and self.data.crop:
            raise ValueError(
                f"data.crop shows parts of images and needs one class a pixel; task {self.task} has "
                f"{WORDS[facts.target]} (data.augment: [crop] shifts whole images)"
            )
        if self.data.mosaic and facts.target not in ("boxes", "masks"):
            raise ValueError(
                f"data.mosaic puts four images into one, and needs boxes or one class a pixel; task {self.task} has "
                f"{WORDS[facts.target]} (data.augment: [mixup] mixes whole images)"
            )
        if facts.target != "labels":
            for key, stated in (("imbalance", self.data.imbalance), ("balance", self.data.balance != "none")):
                if stated:
                    raise ValueError(f"data.{key} needs one label an image; task {self.task} has {WORDS[facts.target]}")
        return self

    @model_validator(mode="after")
    def _told_what_the_task_learns(self) -> "Recipe":
        target, told = TASKS[self.task].target, self.data.told
        if told is not None and told != target:
            raise ValueError(
                f"data.{COLUMNS[told]} gives {WORDS[told]}, and task {self.task} needs {WORDS[target]}"
                + (f" (data.{COLUMNS[target]})" if target in COLUMNS else "")
            )
        return self

    @model_validator(mode="after")
    def _read_what_the_task_learns(self) -> "Recipe":
        target = TASKS[self.task].target
        if target == "boxes":
            object.__setattr__(self, "data", self.data.model_copy(update={"truth": target}))
        elif self.data.truth is not None:
            raise ValueError(f"data.truth: {self.data.truth}, and task {self.task} needs {WORDS[target]}; leave it out")
        return self

    @model_validator(mode="after")
    def _layers_are_measured_by_what_is_true(self) -> "Recipe":
        target = TASKS[self.task].target
        if target == "values":
            measures = (m.of_values if isinstance(m, SeparationMeasure) else m for m in self.evaluate)
            object.__setattr__(self, "evaluate", tuple(measures))
        for index in (i for m in self.evaluate if isinstance(m, SeparationMeasure) for i in m.indices):
            if (index == "smoothness") != (target == "values"):
                needs = WORDS["values" if index == "smoothness" else "labels"]
                raise ValueError(
                    f"evaluate: separation: index '{index}' needs {needs}; task {self.task} has {WORDS[target]}"
                )
        return self

    @field_validator("evaluate")
    @classmethod
    def _measures_differ(cls, evaluate: tuple[Measure, ...]) -> tuple[Measure, ...]:
        if not evaluate:
            raise ValueError("expected at least one measure, such as classification")
        names = [measure.name for measure in evaluate]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"'{name}' is listed twice")
        return evaluate

    @model_validator(mode="after")
    def _normalized_as_the_network_expects(self) -> "Recipe":
        if self.model.is_off_the_shelf and "normalize" not in self.data.model_fields_set:
            object.__setattr__(self, "data", self.data.model_copy(update={"normalize": "model"}))
        return self

    @model_validator(mode="after")
    def _views_are_of_something_frozen(self) -> "Recipe":
        if self.data.augment_views and not self.data.augment:
            raise ValueError("data.augment_views needs data.augment: without it every view is the same")
        if self.data.augment_views and all(stage.model.freeze != "backbone" for stage in self.stages):
            raise ValueError("data.augment_views needs model.freeze: backbone; otherwise no features are kept")
        return self

    @model_validator(mode="after")
    def _warms_up_once_and_upwards(self) -> "Recipe":
        for train in (stage.train for stage in self.stages if stage.train.warmup):
            assert train.warmup is not None
            if train.schedule.warmup:
                raise ValueError("train.warmup counts steps, and train.schedule.warmup epochs; leave one out")
            own = getattr(train.optimizer, "momentum", 0.0)
            if own and train.warmup.momentum is not None and train.warmup.momentum > own:
                raise ValueError(
                    f"train.warmup.momentum rises to that of the optimizer, {own:g}; expected at most that"
                )
        return self

    @model_validator(mode="after")
    def _validation_is_there_where_needed(self) -> "Recipe":
        watchers = {
            "train.keep: best": self.train.keep == "best",
            "train.early_stopping": any(stage.train.early_stopping is not None for stage in self.stages),
            "train.schedule: plateau": any(stage.train.schedule.name == "plateau" for stage in self.stages),
            "predict.crf: tune": self.predict.crf == "tune",
            "evaluate: uncertainty": any(measure.name == "uncertainty" for measure in self.evaluate),
            "evaluate: separation of the validation split alone": any(
                isinstance(measure, SeparationMeasure) and set(measure.splits) == {"validation"}
                for measure in self.evaluate
            ),
        }
        for key, needs_validation in watchers.items():
            if needs_validation and self.data.validation == 0:
                raise ValueError(f"{key} needs validation images, and data.validation is 0")
        return self

    @model_validator(mode="after")
    def _dropout_is_where_the_answers_come_from(self) -> "Recipe":
        for measure in self.evaluate:
            if self.predict.asks and isinstance(measure, UncertaintyMeasure) and measure.layers != "head":
                raise ValueError(
                    "evaluate: uncertainty: layers are named inside the network, and predict puts more around it; "
                    "expected layers: head"
                )
        return self

    @property
    def stages(self) -> "tuple[Recipe, ...]":
        """A recipe for each phase of the training, without phases of its own; else the recipe itself."""
        return tuple(self._stage(phase) for phase in self.train.phases) or (self,)

    def _stage(self, phase: Phase) -> "Recipe":
        given = phase.given
        model = self.model.model_copy(update={"freeze": given.pop("freeze", self.model.freeze)})
        train = self.train.model_copy(update={"phases": (), **given})
        return self.model_copy(update={"train": train, "model": model})

    def dump(self) -> dict[str, Any]:
        """The recipe as plain values, every default written out."""
        return self.model_dump(mode="json")

    @property
    def hash(self) -> str:
        """Equal for equal recipes, whatever the order or shorthand of their file. Arguments that only the network's
        builder knows count as they are written: a default that is spelled out changes the hash, not the run."""
        canonical = json.dumps(self.dump(), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()[:16]
