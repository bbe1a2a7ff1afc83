"""A study on a Ray cluster of two real nodes on this machine: equal bytes, also where a node is killed."""

import os
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest

from assay import load_study
from assay.errors import AssayError
from assay.runs.engine import run
from assay.runs.folder import Settings
from assay.runs.place import place
from assay.runs.ray import cluster
from assay.runs.ray import driver as ray_driver
from assay.runs.ray.cluster import Node, connected
from assay.runs.ray.node import Mailbox, Order, contents, shares_folder, train_apart
from assay.runs.ray.share import Share, share
from command import outcome, start
from driving import count, descendants, differences, epochs, leftovers, log, run_folders, running, wait_for, write_study

needs_ray = pytest.mark.skipif(not find_spec("ray"), reason="the extra 'ray' is not installed")
STUDY: dict[str, Any] = {
    "base": {
        "data": {"source": "digits", "validation": 0.2},
        "model": {"name": "mlp", "hidden": [32], "dropout": 0.1},
        "train": {"epochs": 12, "batch_size": 8},
    },
    "vary": {"train.optimizer.lr": [0.001, 0.002]},
}
GB = 10**9


@pytest.fixture(scope="module")
def two_nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A cluster with a core on each of two nodes."""
    from ray.cluster_utils import Cluster

    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    made = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    try:
        made.doomed = made.add_node(num_cpus=1)
        yield made
    finally:
        made.shutdown()


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The study's file, and its folder as one process trained it with one thread."""
    folder = tmp_path_factory.mktemp("local")
    study = write_study(folder / "small.yaml", **STUDY)
    return study, on_one_thread(study, folder)


def on_one_thread(study: Path, out: Path, threads: int = 1, **options: Any) -> Path:
    folder = out / study.stem
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "machine.json").write_text(f'{{"threads": {threads}}}')
    run(load_study(study), out, quiet=True, **options)
    return folder


@contextmanager
def nobody_shares(folder: Path) -> Iterator[tuple[Path, str]]:
    """In place of the driver's token: one that no node finds, as if the folder were this machine's alone."""
    yield folder / "nowhere" / ".shared", "?"


def kill_in_the_middle(node: Any, folder: Path) -> None:
    """SIGKILL for all processes of a node, as when a machine dies, when both are some epochs into a run."""
    wait_for(lambda: sum(len(epochs(path)) >= 2 and running(path) for path in run_folders(folder)) == 2)
    raylet = node.all_processes["raylet"][0].process.pid
    for process in [psutil.Process(raylet), *descendants(raylet)]:
        with suppress(psutil.NoSuchProcess):
            process.kill()


# --------------------------------------------------------------------------------------------- real nodes


@needs_ray
def test_nodes_that_share_the_folder_end_with_what_one_process_does(two_nodes, local, tmp_path, capfd):
    study, alone = local
    folder = on_one_thread(study, tmp_path, on=f"ray:{two_nodes.address}", jobs="auto")
    assert differences(alone, folder) == []
    assert [count(folder, "started"), count(folder, "finished")] == [2, 2]
    assert leftovers(folder) == []
    assert not list(folder.glob(".*"))
    assert capfd.readouterr().out == ""


@needs_ray
def test_a_study_that_needs_more_cores_than_a_node_has_is_told(two_nodes, local, tmp_path):
    with pytest.raises(AssayError, match="no node of the cluster can train this study: none has 64 cores"):
        on_one_thread(local[0], tmp_path, threads=64, on=f"ray:{two_nodes.address}", jobs="auto")
    assert run_folders(tmp_path) == []


@needs_ray
def test_ctrl_c_stops_the_nodes_and_leaves_no_claim(two_nodes, local, tmp_path):
    study, alone = local
    folder = tmp_path / study.stem
    folder.mkdir()
    (folder / "machine.json").write_text('{"threads": 1}')
    driver = start("run", study, "--out", tmp_path, "--on", f"ray:{two_nodes.address}", "-q")
    wait_for(lambda: any(epochs(path) for path in run_folders(folder)))
    driver.send_signal(signal.SIGINT)
    ended = outcome(driver)
    assert [ended.status, ended.err] == [130, "assay: stopped; the same command goes on from the last finished epoch\n"]
    assert not list(folder.rglob("claim-*"))
    before = [len(epochs(path)) for path in run_folders(folder)]
    on_one_thread(study, tmp_path)
    assert differences(alone, folder) == []
    assert sum(before) < 24
    learned = [epochs(path) for path in run_folders(folder)]
    assert [len(set(each)) for each in learned] == [len(each) for each in learned], "an epoch was learned twice"


@needs_ray
def test_a_node_that_is_killed_costs_an_epoch_and_no_byte(two_nodes, local, tmp_path, monkeypatch, capfd):
    study, alone = local
    older = tmp_path / "older" / "assay_studies-0.0.1.dist-info"
    older.mkdir(parents=True)
    (older / "METADATA").write_text("Name: assay-studies\nVersion: 0.0.1\n")
    path = os.pathsep.join([str(older.parent), *filter(None, [os.environ.get("PYTHONPATH")])])
    stranger = two_nodes.add_node(num_cpus=1, env_vars={"PYTHONPATH": path})
    monkeypatch.setattr(ray_driver, "token_in", nobody_shares)
    killer = threading.Thread(target=kill_in_the_middle, args=(two_nodes.doomed, tmp_path / study.stem))
    killer.start()
    folder = on_one_thread(study, tmp_path, on=f"ray:{two_nodes.address}", jobs="auto")
    killer.join()
    two_nodes.remove_node(stranger)
    said = capfd.readouterr().err
    assert "has assay 0.0.1, and the study was prepared with" in said
    assert "is lost" in said
    assert differences(alone, folder) == []
    (cut,) = (path for path in run_folders(folder) if any("is lost" in line for line in log(path)))
    assert sum(line.startswith("continued after epoch") for line in log(cut)) == 1
    assert len(epochs(cut)) == 12, "what had come was trained again"


# ------------------------------------------------------------------------------------- without a cluster


def test_a_run_in_a_folder_of_its_own_sends_its_files_after_each_epoch(local, tmp_path):
    study, alone = local
    (seed,) = [variant.with_seed(0) for name, variant in load_study(study).plan.items() if name == "lr=0.001"]
    mailbox, arrived = Mailbox(), list[set[str]]()

    def put(token: str, files: dict[str, bytes]) -> None:
        mailbox.put(token, files)
        arrived.append(set(files))

    claimed = tmp_path / "small" / "lr=0.001" / "seed-0" / "claim-000001.json"
    order = Order(seed, Settings(Path("data"), 1), str(tmp_path), claimed, "t", {})
    ended = train_apart(order, SimpleNamespace(put=SimpleNamespace(remote=put)))
    there = alone / "lr=0.001" / "seed-0"
    assert {name for name in contents(there) if ended[name] != (there / name).read_bytes()} <= {
        "history.parquet",
        "status.json",
        "log.txt",
        "timing.json",
        "environment.json",
    }
    assert len(arrived) == 12
    assert all({"checkpoint.safetensors", "history.parquet", "status.json", "log.txt"} <= names for names in arrived)
    assert "recipe.yaml" in arrived[0]
    assert not any("recipe.yaml" in names for names in arrived[1:]), "sent again though it had not changed"
    cut = mailbox.take("t")
    assert mailbox.take("t") == {}
    again = train_apart(
        Order(
            seed,
            Settings(Path("data"), 1),
            str(tmp_path),
            claimed,
            "t",
            {f"lr=0.001/seed-0/{n}": c for n, c in cut.items()},
        ),
        SimpleNamespace(put=SimpleNamespace(remote=put)),
    )
    assert b"continued after epoch 12" in again["log.txt"]
    assert again["model.safetensors"] == ended["model.safetensors"]


def test_a_folder_is_shared_where_the_drivers_file_is_and_can_be_written_beside(tmp_path):
    token = tmp_path / ".shared-1"
    assert not shares_folder(token, "text")
    token.write_text("text")
    assert shares_folder(token, "text")
    assert not shares_folder(token, "another driver's")
    assert [path.name for path in tmp_path.iterdir()] == [".shared-1"]


def node(cores: int, cards: int = 0, memory: int = 100 * GB) -> Node:
    return Node("0" * 8, "10.0.0.1", cores, cards, memory)


@pytest.mark.parametrize(
    ("jobs", "left", "nodes", "kept", "threads", "slots"),
    [
        ("auto", 8, [node(1), node(1)], None, 1, [1, 1]),
        ("auto", 2, [node(16), node(4)], None, 4, [4, 1]),
        ("auto", 2, [node(16), node(16)], None, 16, [1, 1]),
        (4, 100, [node(16), node(16)], None, 8, [2, 2]),
        ("auto", 100, [node(16), node(2)], 4, 4, [4, 0]),
        ("auto", 100, [node(16, memory=5 * GB)], None, 1, [2]),
    ],
)
def test_runs_take_a_core_each_and_more_where_few_are_left(jobs, left, nodes, kept, threads, slots):
    each = share(jobs, left, nodes, kept, 2 * GB, on_cards=False)
    assert each.threads == threads
    assert each.cards == 0
    assert [each.slots(one) for one in nodes] == slots


def test_runs_share_cards_as_many_as_are_asked_for():
    nodes = [node(16, cards=2), node(8, cards=1), node(64)]
    alone, three = (share(jobs, 20, nodes, None, 2 * GB, on_cards=True) for jobs in ("auto", 9))
    assert alone == Share(threads=8, memory=0, per_card=1)
    assert [alone.slots(one) for one in nodes] == [2, 1, 0]
    assert [three.per_card, three.cards, three.threads] == [3, 0.3333, 2]
    assert [three.slots(one) for one in nodes] == [6, 3, 0]


def test_without_ray_one_sentence_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with (
        pytest.raises(AssayError, match=r"Ray is not installed: pip install 'assay-studies\[ray\]'"),
        connected(place("ray")),
    ):
        pass


@needs_ray
@pytest.mark.parametrize("name", ["ray:127.0.0.1:{}", "ray://127.0.0.1:{}"])
def test_an_address_at_which_no_cluster_answers_is_told_within_seconds(name, monkeypatch):
    monkeypatch.setattr(cluster, "PATIENCE", 1.0)
    with socket.socket() as mute:
        mute.bind(("127.0.0.1", 0))
        mute.listen()
        there = name.format(mute.getsockname()[1])
        with (
            pytest.raises(AssayError, match=f"--on {there}: no cluster has answered within 1 s"),
            connected(place(there)),
        ):
            pass
