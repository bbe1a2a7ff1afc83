"""The driver of a study on a cluster: it claims runs, and gives each to a node that is like this machine.

A node that shares the study's folder trains there. Of another the files come after every epoch, and the driver writes
them under its claim. The run of a node that dies is free at once, and goes on elsewhere after the last epoch that came.
"""

import secrets
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from importlib import metadata
from pathlib import Path
from threading import Event
from typing import Any

from assay.errors import AssayError, RunFailed, StudyStopped, size_text
from assay.runs.at_once import AtOnce, Jobs, distinct, keep_threads, kept_threads, memory_of
from assay.runs.display import Display
from assay.runs.essence import learning
from assay.runs.folder import Folder, Settings
from assay.runs.jobs import Job, record_failure, work
from assay.runs.likeness import Likeness, likeness, refuse_unlike, refuse_version
from assay.runs.place import Place
from assay.runs.ray.cluster import Node, connected, nodes
from assay.runs.ray.given import Gone, Halted, give, outcome
from assay.runs.ray.node import Files, Mailbox, Order, Seen, contents, look, train_apart, train_in_place
from assay.runs.ray.share import Share, share
from assay.system import files
from assay.system.claim import Claim

MANY = 4096
"""Threads, more than there are runs at once: each waits for a node."""


@dataclass(frozen=True)
class Crew:
    """What the nodes work on, and how."""

    jobs: list[Job]
    settings: Settings
    each: Share
    asked: Likeness
    token: tuple[Path, str]
    """A file in the study's folder and its content, by which a node knows the folder."""
    mailbox: Any
    warn: Callable[[str], None]
    stop: Event = field(default_factory=Event)

    @property
    def is_done(self) -> bool:
        """Whether nothing is left to train."""
        return all(job.is_done for job in self.jobs)


def run_on_ray(
    place: Place, jobs: list[Job], folder: Path, settings: Settings, most: Jobs, data: object, display: Display
) -> None:
    """Train ``jobs``, at most so many at once, on the cluster at ``place``.

    The threads of ``settings`` are set anew, as the cluster has room for. Raises AssayError where no node suits, and
    StudyStopped where none is left or the disk is full.
    """
    left = [job.recipe for job in jobs if not job.is_done]
    with connected(place), token_in(folder) as token:
        there, memory = nodes(), max(memory_of(recipe, settings.root) for recipe in distinct(left))
        on_cards = any(recipe.train.device != "cpu" for recipe in left)
        each = share(most, len(left), there, kept_threads(folder), memory, on_cards)
        alone = max(1, max(node.cores for node in there) // each.threads)
        threads = keep_threads(folder, AtOnce(alone, each.threads), None if data is None else str(data))
        settings = replace(settings, threads=threads, workers=each.per_card or 1)
        asked = likeness((job.recipe for job in jobs), settings.root)
        crew = Crew(jobs, settings, replace(each, threads=threads), asked, token, new_mailbox(), display.warn)
        at_once = len(left) if most == "auto" else min(most, len(left))
        display.watch(jobs, at_once)
        with ThreadPoolExecutor(MANY) as pool:
            try:
                attend(crew, at_once, pool, display)
            finally:
                crew.stop.set()


@contextmanager
def token_in(folder: Path) -> Iterator[tuple[Path, str]]:
    """A file in the study's folder while the block runs, and its content."""
    path, text = folder.absolute() / f".shared-{secrets.token_hex(8)}", secrets.token_hex(16)
    files.write(path, text)
    try:
        yield path, text
    finally:
        path.unlink(missing_ok=True)


def new_mailbox() -> Any:
    """One on the driver's own node, or, where it has none, on the node through which it asks."""
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    own = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
    return ray.remote(Mailbox).options(num_cpus=0, scheduling_strategy=own).remote()


@dataclass
class Hands:
    """The nodes that are looked at, those that work, each with what it has and its slots, and why others do not."""

    looks: dict["Future[Seen]", Node] = field(default_factory=dict)
    at_work: dict[Node, tuple[Seen, list["Future[None]"]]] = field(default_factory=dict)
    refused: list[str] = field(default_factory=list)

    @property
    def busy(self) -> int:
        """Slots that are taken."""
        return sum(not slot.done() for _, slots in self.at_work.values() for slot in slots)


def attend(crew: Crew, at_once: int, pool: ThreadPoolExecutor, display: Display) -> None:
    """Until no node works any more: each is looked at when it appears, and works where it suits."""
    hands, known, processors = Hands(), set[str](), dict[str, None]()
    while True:
        for node in nodes():
            if node.id not in known and crew.each.slots(node):
                hands.looks[pool.submit(look_at, node, crew)] = node
            known.add(node.id)
        admit(crew, hands)
        dismiss(crew, hands)
        processors |= {seen.processor: None for seen, _ in hands.at_work.values()}
        for node, (seen, slots) in hands.at_work.items():
            free = min(at_once - hands.busy, crew.each.slots(node) - sum(not slot.done() for slot in slots))
            if free > 0 and not crew.is_done:
                slots += [pool.submit(serve, node, seen, crew) for _ in range(free)]
        display.refresh()
        if not hands.looks and not hands.busy:
            break
        time.sleep(0.25)
    if not crew.is_done:
        raise none_left(crew, hands.refused, bool(processors))
    if len(processors) > 1:
        crew.warn(f"the nodes have unlike processors, whose rounding differs: {'; '.join(processors)}")


def admit(crew: Crew, hands: Hands) -> None:
    """Let the nodes work that were looked at and suit; say why others do not."""
    for looked in [looked for looked in hands.looks if looked.done()]:
        node = hands.looks.pop(looked)
        try:
            hands.at_work[node] = looked.result(), []
        except (AssayError, Gone) as error:
            hands.refused.append(str(error))
            crew.warn(f"left out: {error}")


def dismiss(crew: Crew, hands: Hands) -> None:
    """Forget the nodes that are gone; raise what ends the study."""
    for node, (_, slots) in list(hands.at_work.items()):
        try:
            for slot in slots:
                if slot.done():
                    slot.result()
        except Gone as reason:
            del hands.at_work[node]
            crew.warn(str(reason))


def none_left(crew: Crew, refused: list[str], has_begun: bool) -> AssayError:
    """Why the study is not done."""
    if has_begun:
        return StudyStopped("no node of the cluster is left; the same command goes on from the last finished epochs")
    each = crew.each
    wanted = f"{each.threads} cores" + (" and a card" if each.per_card else f" and {size_text(each.memory)} for tasks")
    return AssayError(f"no node of the cluster can train this study: {refused[0] if refused else f'none has {wanted}'}")


def look_at(node: Node, crew: Crew) -> Seen:
    """What a node has; AssayError where that is not what the study was prepared with."""
    halted = crew.stop.is_set
    try:  # asked by Python's own function: a node with another assay may not have ours
        version = outcome(give(node, metadata.version, "assay-studies"), node, halted)
    except metadata.PackageNotFoundError:
        version = None
    refuse_version(crew.asked.assay, version, str(node))
    recipes = [job.recipe for job in crew.jobs]
    asked = give(node, look, recipes, crew.settings.root.absolute(), str(Path.cwd()), *crew.token)
    try:
        seen: Seen = outcome(asked, node, halted)
    except AssayError as error:
        raise AssayError(f"{node}: {error}") from None
    refuse_unlike(crew.asked, seen.likeness, str(node))
    return seen


def serve(node: Node, seen: Seen, crew: Crew) -> None:
    """Give a node one run after the other, until all are done; Gone where it can do nothing more."""

    def refuse_halted(*_: object) -> None:
        if crew.stop.is_set():
            raise Halted

    def train(job: Job, claimed: Claim) -> None:
        train_on(node, seen, crew, job, claimed)

    with suppress(Halted):
        work(crew.jobs, train, refuse_halted, refuse_halted)


def train_on(node: Node, seen: Seen, crew: Crew, job: Job, claimed: Claim) -> None:
    """Let a node train a run that this process has claimed."""
    folder, each = Folder(job.folder, claimed.check), crew.each
    resources = {"num_cpus": each.threads, "num_gpus": each.cards, "memory": each.memory}
    settings = replace(crew.settings, root=seen.root)
    order = Order(job.recipe, settings, str(Path.cwd()), claimed.path.absolute(), claimed.token, {})
    try:
        if seen.shares:
            outcome(give(node, train_in_place, order, **resources), node, crew.stop.is_set)
            return
        order = replace(order, files=files_of(job, crew.jobs))
        given = give(node, train_apart, order, crew.mailbox, **resources)
        write_all(folder, outcome(given, node, crew.stop.is_set, lambda: write(folder, fetch(crew.mailbox, claimed))))
    except RunFailed as error:
        record_failure(job, str(error), claimed)
    except Gone:
        folder.log(f"{node} is lost; what it had trained since the last epoch is lost with it")
        raise


def fetch(mailbox: Any, claimed: Claim) -> Files:
    """What has come of a run since the last time."""
    import ray

    found: Files = ray.get(mailbox.take.remote(claimed.token))
    return found


def write(folder: Folder, found: Files) -> None:
    """Write what came of a run, its state last."""
    for name in sorted(found, key=lambda name: name == "status.json"):
        folder.write(name, found[name])


def write_all(folder: Folder, found: Files) -> None:
    """Write a run that has ended."""
    write(folder, found)
    if "checkpoint.safetensors" not in found:
        (folder.path / "checkpoint.safetensors").unlink(missing_ok=True)


def files_of(job: Job, jobs: list[Job]) -> Files:
    """What a node needs of a run that was begun, and of a finished one that trained the same, by paths in the study's
    folder."""
    asked = learning(job.recipe.dump())
    twins = (other for other in jobs if other is not job and other.seed == job.seed and other.state == "finished")
    twin = next((other for other in twins if learning(other.recipe.dump()) == asked), None)
    study = job.folder.parent.parent
    return {
        f"{one.folder.relative_to(study).as_posix()}/{name}": content
        for one in [job, *([twin] if twin else [])]
        for name, content in contents(one.folder).items()
    }
