"""Settings of an installation: what differs between a laptop, compose and a cluster."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from string import Formatter
from typing import Any, Literal

from pydantic import Field, SecretStr, ValidationError, ValidationInfo, field_validator

from liftgate.config.block import Block, purposes
from liftgate.errors import ConfigurationError


class Settings(Block):
    """Read from LIFTGATE_* variables by the command line, and from Airflow's connections by its tasks."""

    database_url: str
    """LIFTGATE_DATABASE_URL: the database of Liftgate itself, for example postgresql://liftgate@host/liftgate."""
    files_url: str
    """LIFTGATE_FILES_URL: where tuning sets, adapters and reports are kept: a folder that every worker sees."""
    models_dir: str = ".models"
    """LIFTGATE_MODELS_DIR: folder of converted local models."""
    trainer_dir: str | None = None
    """LIFTGATE_TRAINER_DIR: the folder trainer_image, for local training and answers."""
    cpu_threads: int = Field(2, ge=1)
    """LIFTGATE_CPU_THREADS: threads of a local model."""

    mlflow_tracking_uri: str | None = None
    """LIFTGATE_MLFLOW_TRACKING_URI: MLflow's address, if it shall show trainings and adapters."""

    weaviate_url: str | None = None
    """LIFTGATE_WEAVIATE_URL: the Weaviate server, like https://weaviate.example.com, if an index is there."""
    weaviate_grpc_url: str | None = None
    """LIFTGATE_WEAVIATE_GRPC_URL: its gRPC address, such as grpcs://host:443. Default: port 50051 of the same host."""
    weaviate_api_key: SecretStr | None = None
    """LIFTGATE_WEAVIATE_API_KEY: the key that it asks for."""
    weaviate_headers: dict[str, str] = {}
    """LIFTGATE_WEAVIATE_HEADERS: more headers for each request, as JSON."""
    weaviate_timeout_seconds: float = Field(60, gt=0)
    """LIFTGATE_WEAVIATE_TIMEOUT_SECONDS: how long a request may take."""

    openai_url: str | None = None
    """LIFTGATE_OPENAI_URL: an OpenAI-compatible server with its version, like https://api.openai.com/v1."""
    openai_api_key: SecretStr | None = None
    """LIFTGATE_OPENAI_API_KEY: the key that it asks for."""
    rerank_url: str | None = None
    """LIFTGATE_RERANK_URL: the whole address at which hits are reranked, like https://api.jina.ai/v1/rerank."""
    rerank_api_key: SecretStr | None = None
    """LIFTGATE_RERANK_API_KEY: the key that it asks for."""
    rerank_api: Literal["cohere", "tei"] = "cohere"
    """LIFTGATE_RERANK_API: whose form it speaks: cohere (Jina and vLLM too), or Hugging Face's tei."""
    generator_url: str | None = None
    """LIFTGATE_GENERATOR_URL: an OpenAI-compatible server that answers, with its version, like http://vllm:8000/v1."""
    generator_api_key: SecretStr | None = None
    """LIFTGATE_GENERATOR_API_KEY: the key that it asks for."""
    generator_base: str = "{model}"
    """LIFTGATE_GENERATOR_BASE: the name by which it serves a base model; {model} is the one in `answers`."""
    generator_adapter: str = "{name}-{digest}"
    """LIFTGATE_GENERATOR_ADAPTER: the name by which it serves an adapter. Its digest is part of it: a file's adapters
    all have one name, and answers of one must never be taken for another's."""
    generator_adapters_dir: str | None = None
    """LIFTGATE_GENERATOR_ADAPTERS_DIR: where that server finds adapters, as NAME/FOLDER, to load new ones while it runs
    (vLLM with VLLM_ALLOW_RUNTIME_LORA_UPDATING=True). Default: whoever runs it loads them."""
    model_server_timeout_seconds: float = Field(60, gt=0)
    """LIFTGATE_MODEL_SERVER_TIMEOUT_SECONDS: how long a request to one of these three may take."""

    @field_validator("weaviate_headers", mode="before")
    @classmethod
    def _from_json(cls, value: Any) -> Any:
        return json.loads(value) if isinstance(value, str) else value

    @field_validator("generator_base", "generator_adapter")
    @classmethod
    def _names_a_model(cls, value: str, info: ValidationInfo) -> str:
        known = {"model"} if info.field_name == "generator_base" else {"name", "digest"}
        used = {field for _, field, _, _ in Formatter().parse(value) if field is not None}
        if not value or used - known or (info.field_name == "generator_adapter" and "digest" not in used):
            wanted = "text, with {model} in it or not" if "model" in known else "{digest} in it, and perhaps {name}"
            raise ValueError(f"Expected {wanted}, and nothing else in braces")
        return value

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> Settings:
        """The settings of this process. Names every variable that is missing or wrong."""
        found = {
            name.removeprefix("LIFTGATE_").lower(): value
            for name, value in (os.environ if environment is None else environment).items()
            if name.startswith("LIFTGATE_")
        }
        missing = [name for name, field in cls.model_fields.items() if field.is_required() and name not in found]
        if missing:
            wanted = "\n".join(f"  {purposes(cls)[name]}" for name in missing)
            raise ConfigurationError(f"Expected {len(missing)} more setting(s) in the environment. Set:\n{wanted}")
        try:
            return cls.model_validate({name: found[name] for name in cls.model_fields if name in found})
        except ValidationError as error:
            raise ConfigurationError(_explain(error)) from error

    @property
    def files(self) -> Path:
        """The folder for files, where it is one on this machine."""
        return Path(self.files_url.removeprefix("file://"))


def _explain(error: ValidationError) -> str:
    lines = [f"  LIFTGATE_{str(e['loc'][0]).upper()}: {e['msg']}, found {e['input']!r}." for e in error.errors()]
    return "\n".join(["Expected valid settings in the environment. Correct:", *lines])
