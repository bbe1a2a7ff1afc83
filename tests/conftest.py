"""What every test may ask for: the real data where they are, and a cache of its own."""

import os
from pathlib import Path

import pytest
from hypothesis import settings

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
settings.register_profile("repeatable", derandomize=True, deadline=None)
settings.load_profile("repeatable")


@pytest.fixture(scope="session", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One decode-once cache for the whole session, away from the user's."""
    folder = tmp_path_factory.mktemp("cache")
    os.environ["ASSAY_CACHE"] = str(folder)
    return folder


@pytest.fixture(scope="session")
def data_root() -> Path:
    """The folder with the real data sets; the test is skipped where there is none."""
    root = os.environ.get("ASSAY_DATA")
    if not root or not Path(root).is_dir():
        pytest.skip("no real data here: ASSAY_DATA names no folder")
    return Path(root)
