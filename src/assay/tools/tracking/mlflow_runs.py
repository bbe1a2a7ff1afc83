"""Runs in MLflow: an experiment a study, at ``$MLFLOW_TRACKING_URI`` or where MLflow keeps them by itself."""

import logging
import os
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from assay.system.extras import need
from assay.tools.tracking.mirror import Epoch, Mirror

if TYPE_CHECKING:
    from mlflow import MlflowClient

IDENTITY = "assay.run"
"""The tag by which a run is found again."""
MOST_METRICS, MOST_PARAMETERS = 1000, 100
"""What MLflow takes at once."""
QUIETLY = {"MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2"}
"""Unless the environment says otherwise: nobody is told of the use, and an absent server is given up in seconds."""


def check() -> None:
    """Raise AssayError where MLflow, or what its database needs, is not installed."""
    need("mlflow", "sqlalchemy", "alembic", extra="mlflow")


def write(mirrors: Sequence[Mirror]) -> str:
    """Write each run that is not there, and the files of all; returns where they are."""
    for name, value in QUIETLY.items():
        os.environ.setdefault(name, value)
    from mlflow import MlflowClient

    for loud in ("mlflow", "alembic"):
        logging.getLogger(loud).setLevel(logging.WARNING)
    client = MlflowClient()
    experiment = experiment_of(client, mirrors[0].study)
    for mirror in mirrors:
        write_one(client, experiment, mirror)
    return f"experiment {mirrors[0].study} at {client.tracking_uri}"


def experiment_of(client: "MlflowClient", name: str) -> str:
    """The id of the experiment of this name, which is made where there is none."""
    found = client.get_experiment_by_name(name)
    return str(found.experiment_id if found else client.create_experiment(name))


def write_one(client: "MlflowClient", experiment: str, mirror: Mirror) -> None:
    """Write one run. One that was written whole gets its files again; one cut off is completed: what is there already
    has the same time, and MLflow keeps it once."""
    from mlflow.entities import Metric, Param

    found = client.search_runs([experiment], f"tags.`{IDENTITY}` = '{mirror.identity}'")
    tags = {IDENTITY: mirror.identity, "study": mirror.study, "variant": mirror.variant, "seed": str(mirror.seed)}
    run = found[0] if found else client.create_run(experiment, milliseconds(mirror.began), tags, mirror.name)
    number = run.info.run_id
    for file in mirror.files:
        client.log_artifact(number, str(file))
    if run.info.status == "FINISHED":
        return
    parameters = [Param(allowed(name), str(value)) for name, value in mirror.parameters.items()]
    for first in range(0, len(parameters), MOST_PARAMETERS):
        client.log_batch(number, params=parameters[first : first + MOST_PARAMETERS])
    whole = (*mirror.history, Epoch(mirror.history[-1].number, mirror.ended, mirror.final))
    metrics = [
        Metric(allowed(name), value, milliseconds(epoch.ended), epoch.number)
        for epoch in whole
        for name, value in epoch.values.items()
    ]
    for first in range(0, len(metrics), MOST_METRICS):
        client.log_batch(number, metrics=metrics[first : first + MOST_METRICS])
    client.set_terminated(number, "FINISHED", milliseconds(mirror.ended))


def milliseconds(seconds: float) -> int:
    """As MLflow counts time."""
    return round(1000 * seconds)


def allowed(name: str) -> str:
    """A name without the characters that MLflow refuses."""
    return re.sub(r"[^\w\-. /]", "_", name)
