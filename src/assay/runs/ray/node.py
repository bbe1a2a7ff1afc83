"""What a node does for the driver: it shows what it has, and trains a run in the study's folder or in one of its own.

These functions run in Ray's processes on the node; their arguments and answers travel.
"""

import os
import secrets
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from assay.data import data_root
from assay.recipe import Recipe
from assay.runs.folder import Folder, Settings
from assay.runs.likeness import Likeness, likeness
from assay.runs.run import execute
from assay.system.claim import Claim
from assay.system.machine import processor

Files = dict[str, bytes]
"""Name of a file, relative to a folder → what it holds."""


@dataclass(frozen=True)
class Seen:
    """What a node has."""

    likeness: Likeness
    root: Path
    """Where named data lie there."""
    processor: str
    shares: bool
    """Whether it reads and writes the study's folder."""


@dataclass(frozen=True)
class Order:
    """One run, as it is given to a node."""

    recipe: Recipe
    settings: Settings
    cwd: str
    """The driver's, from which paths in the recipe may be relative."""
    claim: Path
    """The driver's claim on the run's folder."""
    token: str
    files: Files
    """Of the run so far, and of one that trained the same, by paths in the study's folder; empty where it is shared."""


def look(recipes: list[Recipe], root: Path, cwd: str, token: Path, text: str) -> Seen:
    """What this node has: of the images, decoded, all; of the study's folder, whether ``token`` has that ``text``."""
    stand_in(cwd)
    here = root if root.is_dir() else data_root()
    return Seen(likeness(recipes, here), here, processor(), shares_folder(token, text))


def stand_in(folder: str) -> None:
    """Let relative paths mean what they mean to the driver, where its folder is here too."""
    with suppress(OSError):
        os.chdir(folder)


def shares_folder(token: Path, text: str) -> bool:
    """Whether this is the driver's file in the driver's folder, and one can write beside it."""
    try:
        if token.read_text(encoding="utf-8") != text:
            return False
        trace = token.with_name(f"{token.name}-{secrets.token_hex(4)}")
        trace.touch()
        trace.unlink()
    except OSError:
        return False
    return True


def train_in_place(order: Order) -> None:
    """Train a run in the study's folder, which this node shares, under the driver's claim."""
    stand_in(order.cwd)
    execute(order.recipe, Folder(order.claim.parent, Claim(order.claim, order.token).check), order.settings)


def train_apart(order: Order, mailbox: object) -> Files:
    """Train a run in a folder of this node's own; its files. After each epoch the changed go to the ``mailbox``."""
    stand_in(order.cwd)
    with TemporaryDirectory(prefix="assay-") as place:
        for name, content in order.files.items():
            (path := Path(place) / name).parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        run = Path(place) / order.claim.parent.parent.name / order.claim.parent.name
        sent = stamps(run)

        def send() -> None:
            now = stamps(run)
            changed = [name for name, stamp in now.items() if sent.get(name) != stamp]
            sent.update(now)
            mailbox.put.remote(order.token, {name: (run / name).read_bytes() for name in changed})  # type: ignore[attr-defined]

        execute(order.recipe, Folder(run), order.settings, send)
        return contents(run)


def stamps(folder: Path) -> dict[str, tuple[int, int, int]]:
    """Name of each file → what changes when it is written anew."""
    return {name: (s.st_ino, s.st_mtime_ns, s.st_size) for name in names(folder) for s in [(folder / name).stat()]}


def contents(folder: Path) -> Files:
    """Every file of a run."""
    return {name: (folder / name).read_bytes() for name in names(folder)}


def names(folder: Path) -> list[str]:
    """The files of a run, without claims and what is half written."""
    own = (path for path in folder.rglob("*") if path.is_file() and not path.name.startswith((".", "claim-")))
    return [path.relative_to(folder).as_posix() for path in own]


class Mailbox:
    """What nodes have sent and the driver has not yet fetched: of every file the last."""

    def __init__(self) -> None:
        self.waiting: dict[str, Files] = {}

    def put(self, token: str, files: Files) -> None:
        """Add files of the run that is claimed with ``token``."""
        self.waiting.setdefault(token, {}).update(files)

    def take(self, token: str) -> Files:
        """What has come since the last time."""
        return self.waiting.pop(token, {})
