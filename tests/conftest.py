"""What every test may ask for: the real data where they are, and a cache of its own."""

import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import jaxtyping
import pytest
from beartype import BeartypeConf
from beartype.claw import beartype_package
from hypothesis import settings

if TYPE_CHECKING:
    import torch

    from driving import Driver
    from persian import Asked

SOURCES = Path(__file__).parents[1] / "src"
SHAPES = re.compile(r"^([A-Z]\w*) = .*\w\[(?:np\.ndarray|Tensor), \"", re.MULTILINE)
"""Names of arrays and tensors of a shape, which other modules import."""


def check_types() -> None:
    """Every call in assay is checked against its types: by jaxtyping where shapes stand in them, else by beartype
    alone, which is faster."""
    texts = {path.relative_to(SOURCES): path.read_text() for path in SOURCES.rglob("*.py")}
    names = {name for text in texts.values() for name in SHAPES.findall(text)}
    shaped = re.compile(rf"import (?:\([^)]*|.*)\b(?:{'|'.join(names)})\b|from jaxtyping import|TYPE_CHECKING")
    modules = [".".join(path.with_suffix("").parts) for path, text in texts.items() if shaped.search(text)]
    modules.append("assay.runs.ray")  # beartype gives a class a method that Ray cannot wrap
    beartype_package("assay", conf=BeartypeConf(claw_is_pep526=False, warning_cls_on_decorator_exception=None))
    jaxtyping.install_import_hook(modules, "beartype.beartype")


def share_cores() -> None:
    """Each of pytest's workers, and what it starts, has cores of its own: threads that wait for another's take time."""
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    if hasattr(os, "sched_setaffinity") and 1 < workers <= len(cores := sorted(os.sched_getaffinity(0))):
        os.sched_setaffinity(0, cores[int(os.environ["PYTEST_XDIST_WORKER"].removeprefix("gw")) :: workers])


share_cores()
check_types()
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as in a script's background job; our commands would inherit it
    signal.signal(signal.SIGINT, signal.default_int_handler)
settings.register_profile("repeatable", derandomize=True, deadline=None)
settings.load_profile("repeatable")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What asks for a device is what `make test-gpu` runs on a card."""
    for item in items:
        if "device" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.card)


@pytest.fixture(scope="session", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One decode-once cache for the whole session, away from the user's."""
    folder = tmp_path_factory.mktemp("cache")
    os.environ["ASSAY_CACHE"] = str(folder)
    return folder


@pytest.fixture(scope="session", autouse=True)
def power() -> Iterator[None]:
    """Nobody waits for the disk: what it holds after the power has failed is seen in no test."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", os.fstat)
        yield


@pytest.fixture
def unchecked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shapes and their types are not checked, as in a user's process, so that assay itself must say what is wrong."""
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)


@pytest.fixture(scope="session")
def data_root() -> Path:
    """The folder with the real data sets; the test is skipped where there is none."""
    root = os.environ.get("ASSAY_DATA")
    if not root or not Path(root).is_dir():
        pytest.skip("no real data here: ASSAY_DATA names no folder")
    return Path(root)


@pytest.fixture(scope="session")
def device() -> "torch.device":
    """The card where there is one, else the processor: what is tested on it takes one way through the code."""
    import torch

    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


@pytest.fixture(scope="session")
def driver() -> "Driver":
    """A process that forks command lines, for studies that are killed, stopped or compete."""
    import driving  # not above: types are checked in what is imported after this file

    return driving.driver()


@pytest.fixture(scope="session")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of a study of some seconds."""
    import driving

    return driving.long_study(tmp_path_factory)[0]


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of that study after it has run undisturbed."""
    import driving

    return driving.long_study(tmp_path_factory)[1]


@pytest.fixture
def unsaid() -> Iterator["Asked"]:
    """Records what Persian pages ask for in vain."""
    from persian import asked_in_vain

    with asked_in_vain() as asked:
        yield asked
