"""What the rules of ``diagnosis`` are worth: healthy runs flagged, and planted faults called by their names.

On three sets of images: digits, which chose the thresholds, Fashion-MNIST, and CIFAR-10, which chose nothing; beside
the rules of UMLAUT and of AutoTrainer (``published_rules``). About ten minutes on one core.

Targets, on CIFAR-10: at most 3 of 60 healthy runs flagged; the right name for at least 80 % of each of six faults.

``--keep FILE`` writes what each run recorded as soon as it is there, and ``--read FILES`` reads that, without training;
``--ship`` writes the rates of false alarms into the package.
"""

import argparse
import json
import sys
import time
from collections.abc import Iterable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import torch
from benchmark import fashion_mnist, verdict
from diagnosis_recipes import SETS, Planted, Seen, faulty, healthy
from published_rules import autotrainer, umlaut

import assay.diagnosis
from assay.data import ImageData, load
from assay.data.targets import Labels
from assay.diagnosis.catalogue import RULES, diagnose, faults
from assay.diagnosis.course import Course, Facts, Units
from assay.errors import RunFailed
from assay.evaluate.diagnosis import course_of, facts_of
from assay.evaluate.measuring import Trained
from assay.models.catalogue import complete
from assay.models.weights import initial_network
from assay.recipe import Recipe
from assay.runs.learning import history_table
from assay.tasks import catalogue
from assay.tasks.predicting import predict_splits
from assay.train.checkpoint import State
from assay.train.phases import train

CPU = torch.device("cpu")
NAMED = ("exploded", "not learning", "rate too low", "unfinished", "inputs unscaled", "gradient fades")
"""The faults whose names must be right."""
MOST, LEAST = 3, 0.8
ALARMS = Path(assay.diagnosis.__file__).parent / "alarms.json"


def run(name: str, planted: Planted, root: Path) -> Seen:
    """Train a recipe and keep what it recorded."""
    recipe = complete(Recipe.model_validate(planted.recipe))
    data = with_random_labels(load(recipe.data, 0, root), planted.labels)
    network, _ = initial_network(recipe, data.shape, len(data.classes), data.classes)
    state = State()
    try:
        state, part, seen = train(network, data, recipe, CPU, state, lambda state: None, lambda line: None)
    except RunFailed:
        history = history_table(state)
        facts = facts_of(recipe, pl.DataFrame(), history, data.epoch_size, len(data.indices["validation"]))
        return Seen(name, planted.fault, recipe, Course.read(history, replace(facts, broke=state.epoch + 1)))
    predictions = predict_splits(catalogue.task(recipe.task), part, seen, recipe, CPU)
    trained = Trained(network, data, recipe, CPU, predictions, history_table(state), part, seen)
    return Seen(name, planted.fault, recipe, course_of(trained))


def with_random_labels(data: ImageData, share: float) -> ImageData:
    """So much of the labels drawn from all of them."""
    rng, labels = np.random.default_rng(0), data.images.labels_for("the benchmark").copy()
    chosen = np.flatnonzero(rng.random(len(labels)) < share)
    labels[chosen] = rng.permutation(labels[chosen])
    return replace(data, images=replace(data.images, targets=Labels(labels)))


def trained(root: Path, sets: Iterable[str], keep: Path | None) -> list[Seen]:
    """All of them; a line a set."""
    found = []
    for name in sets:
        began, count = time.process_time(), len(found)
        for planted in (*healthy(name), *faulty(name)):
            found.append(run(name, planted, root))
            if keep:
                with keep.open("a") as file:
                    file.write(json.dumps(kept(found[-1])) + "\n")
        seconds = time.process_time() - began
        print(f"{name}: {len(found) - count} runs in {seconds:.0f} s of processor time", file=sys.stderr)
    return found


def kept(seen: Seen) -> dict[str, Any]:
    """As JSON."""
    arrays = {key: value.tolist() for key, value in vars(seen.course).items() if isinstance(value, np.ndarray)}
    course = {"facts": asdict(seen.course.facts), "begins": seen.course.begins, **arrays}
    return {"data": seen.data, "fault": seen.fault, "recipe": seen.recipe.dump(), "course": course}


def read(line: str) -> Seen:
    """The inverse."""
    found = json.loads(line)
    course = found["course"]
    facts = course.pop("facts")
    facts["units"] = tuple(Units(**one) for one in facts["units"])
    begins = tuple(course.pop("begins"))
    arrays = {key: np.array(value, float) for key, value in course.items()}
    whole = Course(Facts(**facts), begins=begins, **arrays)
    return Seen(found["data"], found["fault"], Recipe.model_validate(found["recipe"]), whole)


def ours(seen: Seen) -> list[str]:
    """What assay says is wrong."""
    return faults(diagnose(seen.course, seen.recipe))


def flagged(runs: Iterable[Seen], rules: Any) -> tuple[int, int]:
    """How many of how many runs the rules speak of."""
    said = [bool(rules(one)) for one in runs]
    return sum(said), len(said)


def table(runs: list[Seen]) -> None:
    """Print, for each set and each fault, how many runs each of the three flags, and how many assay names right."""
    print(f"{'':16}{'':30}{'UMLAUT':>10}{'AutoTrainer':>13}{'assay':>10}{'right name':>12}  other names")
    for name in SETS:
        for fault in dict.fromkeys(one.fault for one in runs):
            own = [one for one in runs if (one.data, one.fault) == (name, fault)]
            cells = ["{}/{}".format(*flagged(own, rules)) for rules in (umlaut, autotrainer, ours)]
            names = [said for one in own for said in ours(one)]
            others = {said: names.count(said) for said in dict.fromkeys(names) if said != fault}
            right = f"{names.count(fault)}/{len(own)}" if fault else ""
            said = ", ".join(f"{other} {count}" for other, count in others.items())
            print(f"{name:16}{fault or 'healthy':30}{cells[0]:>10}{cells[1]:>13}{cells[2]:>10}{right:>12}  {said}")


def alarms(runs: list[Seen]) -> dict[str, dict[str, int]]:
    """Set → how many healthy runs there are, and how many each rule flags."""
    found = {}
    for name in SETS:
        said = [ours(one) for one in runs if one.data == name and not one.fault]
        rules = {rule.name: sum(rule.name in one for one in said) for rule in RULES if rule.kind == "fault"}
        found[name] = {"healthy": len(said), "flagged": sum(map(bool, said)), **rules}
    return found


def main() -> None:
    """Train or read, print the table, hold it against the targets."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--keep", type=Path, metavar="FILE")
    parser.add_argument("--read", type=Path, nargs="+", metavar="FILE")
    parser.add_argument("--ship", action="store_true", help="write the rates into the package")
    parser.add_argument("--sets", nargs="+", default=list(SETS), choices=list(SETS))
    asked = parser.parse_args()
    torch.set_num_threads(1)
    if asked.read:
        runs = [read(line) for path in asked.read for line in path.read_text().splitlines()]
    else:
        runs = trained(fashion_mnist(), asked.sets, asked.keep)
    table(runs)
    found, last = alarms(runs), list(SETS)[-1]
    verdict(f"healthy runs flagged on {last}", found[last]["flagged"], MOST + 1)
    for fault in NAMED:
        own = [one for one in runs if (one.data, one.fault) == (last, fault)]
        verdict(f"{fault} called so on {last}", sum(fault in ours(one) for one in own) / len(own), LEAST, at_least=True)
    if asked.ship:
        ALARMS.write_text(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main()
