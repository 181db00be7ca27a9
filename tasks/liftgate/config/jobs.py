"""Where a job runs, with which resources, and how its data travels: part of `training:` and of `answers.job:`."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from liftgate.config.block import Block


class ResourcesBlock(Block):
    """What one replica of the job asks for and is limited to."""

    gpus: int = Field(default=1, ge=0)
    """GPUs; the local backend has none to give and says that it trains without."""
    cpus: int = Field(default=4, ge=1)
    """CPU cores."""
    memory: str = Field(default="16Gi", pattern=r"^\d+(Ki|Mi|Gi|Ti)$")
    """Memory, as Kubernetes writes it."""


class ClaimsBlock(Block):
    """The volume claims that the job mounts."""

    data: str = "llm-train-data-pvc"
    """Holds the tuning sets; mounted at /data."""
    artifacts: str = "llm-artifacts-pvc"
    """Receives the adapters; mounted at /artifacts."""


class JobBlock(Block):
    """A job's place. What only a cluster knows means nothing to the local backend."""

    backend: Literal["local", "pytorchjob", "trainjob"] = "local"
    """Where the job runs: on this machine, by Kubeflow's training operator, or by Kubeflow's Trainer v2."""
    kubernetes_conn_id: str = "kubernetes_default"
    """Airflow's connection to the cluster."""
    runtime: str = "torch-distributed"
    """The training runtime of the cluster that a TrainJob is made from."""
    image: str = "liftgate-trainer:0.1.0"
    """Image of trainer_image/; the local backend runs the same package without it."""
    namespace: str = "llm"
    """Kubernetes namespace of the job."""
    model_path: str | None = None
    """Where the job finds the base model: a folder of its image or of a claim. Default: the model's own name."""
    base_revision: str | None = None
    """What names the base model's weights, like a commit. Default: a hash of the weights, which workers then need."""
    store: str | None = None
    """An address of an object store that workers and jobs reach, like s3://bucket/llm. Default: the volume claims."""
    env: dict[str, str] = {}
    """Variables of the job, for example the address of a store. Secrets do not belong here."""
    env_secret: str | None = None
    """A secret of the namespace whose entries the job sees as variables, for example the store's keys."""
    queue: str | None = None
    """A local queue of Kueue, which then decides when the job starts."""
    labels: dict[str, str] = {}
    """Labels of the job and its pods, for example for the accounting of costs."""
    pod: dict[str, Any] = {}
    """More of the pods' spec, in Kubernetes' own words: nodeSelector, tolerations, imagePullSecrets, ..."""
    dashboard_url: str | None = None
    """Address of a job in your dashboard, with {namespace} and {name} in it, for the task's "Job" button."""
    resources: ResourcesBlock = ResourcesBlock()
    """Of each replica."""
    claims: ClaimsBlock = ClaimsBlock()
    """Volume claims."""
    deadline_seconds: int = Field(default=3600, ge=1)
    """A job that takes longer, its time in a queue included, is stopped and has failed."""
    retries: int = Field(default=1, ge=0)
    """Restarts of a broken replica within one job; it goes on from its last checkpoint."""
