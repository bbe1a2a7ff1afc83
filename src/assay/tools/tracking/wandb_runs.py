"""Runs in Weights & Biases: a project a study, a group a variant; offline where ``$WANDB_MODE`` says so."""

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from assay.errors import AssayError
from assay.system.extras import need
from assay.tools.tracking.mirror import Mirror

QUIETLY = {"WANDB_ERROR_REPORTING": "false", "WANDB_SILENT": "true"}
"""Unless the environment says otherwise: errors are told here alone."""


def check() -> None:
    """Raise AssayError where wandb is not installed, or has nobody's key and is not told to stay offline.

    Nobody is asked for a key: the command may run where nobody answers. A server that does not answer now may do so
    when the runs have finished.
    """
    need("wandb", extra="wandb")
    for name, value in QUIETLY.items():
        os.environ.setdefault(name, value)
    import wandb

    if is_offline():
        return
    try:
        known = wandb.login(prompt=False)
    except wandb.Error:
        return
    if not known:
        raise AssayError("wandb has no key: 'wandb login' keeps one, WANDB_MODE=offline does without")


def write(mirrors: Sequence[Mirror]) -> str:
    """Write each run under its identity, over what is there; returns where they are."""
    places = [write_one(mirror) for mirror in mirrors]
    return f"project {mirrors[0].study} {'for wandb sync in' if is_offline() else 'at'} {places[0]}"


def is_offline() -> bool:
    """Whether nothing is to be sent."""
    return os.environ.get("WANDB_MODE", "online") != "online"


def write_one(mirror: Mirror) -> str:
    """Write one run; returns the folder of its kind's files, or the address of its project."""
    import wandb

    settings = wandb.Settings(
        console="off", disable_git=True, disable_code=True, x_disable_stats=True, x_disable_meta=True, init_timeout=30
    )
    run = wandb.init(
        project=mirror.study,
        group=mirror.variant,
        name=mirror.name,
        id=mirror.identity,
        tags=[f"seed {mirror.seed}"],
        config=mirror.parameters,
        resume="allow",
        reinit="finish_previous",
        settings=settings,
    )
    with run:
        for epoch in mirror.history:
            run.log(epoch.values, step=epoch.number)
        run.summary.update(mirror.final)
        report = wandb.Artifact(f"report-{mirror.identity}", "report")
        for file in mirror.files:
            report.add_file(str(file))
        run.log_artifact(report)
        own, project = Path(run.dir).parent, run.project_url
    if is_offline():
        for earlier in own.parent.glob(f"offline-run-*-{mirror.identity}"):
            if earlier.name != own.name:
                shutil.rmtree(earlier)
    return str(own.parent) if is_offline() else str(project)
