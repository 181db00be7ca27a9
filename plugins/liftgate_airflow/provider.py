"""What Airflow reads of an installed provider: our connection type, with the fields of its form."""

from __future__ import annotations

from typing import Any

_TEXT = {"type": ["string", "null"]}
FIELDS: dict[str, tuple[str, str]] = {
    "files_url": ("Files", "A folder that every worker sees: tuning sets, adapters and reports are kept there."),
    "models_dir": ("Models folder", "Where models and tokenizers lie on the workers."),
    "trainer_dir": ("Trainer folder", "The folder trainer_image, to train and answer on the workers themselves."),
    "weaviate_conn_id": ("Weaviate connection", "The id of a connection of the type weaviate, if rows are there."),
    "mlflow_tracking_uri": ("MLflow", "The address of an MLflow that shall show trainings and adapters."),
    "openai_conn_id": ("Model server connection", "The id of a connection whose host is an OpenAI-compatible address."),
    "generator_conn_id": ("Answering connection", "The id of a connection whose host is a server that answers."),
    "rerank_conn_id": ("Rerank connection", "The id of a connection whose host is the address that reranks."),
}
"""Extras of the connection by their names, with label and description. Whatever else is a setting goes into Extra."""


def get_provider_info() -> dict[str, Any]:
    """The entry point `apache_airflow_provider`. It must import nothing heavy: every process of Airflow calls it."""
    fields = {name: {"label": label, "description": says, "schema": _TEXT} for name, (label, says) in FIELDS.items()}
    return {
        "package-name": "liftgate",
        "name": "Liftgate",
        "description": "Re-index, train adapters, and let only measured lift go live.",
        "connection-types": [
            {
                "connection-type": "liftgate",
                "hook-class-name": "liftgate_airflow.hooks.liftgate.LiftgateHook",
                "hook-name": "Liftgate",
                "conn-fields": fields,
                "ui-field-behaviour": {
                    "relabeling": {"schema": "Database"},
                    "placeholders": {"host": "db.example.com", "port": "5432", "schema": "liftgate"},
                },
            }
        ],
        "asset-uris": [
            {
                "schemes": ["liftgate"],
                "handler": None,
                "to_openlineage_converter": "liftgate_airflow.lineage.data_set_of_asset",
            }
        ],
        "notifications": ["liftgate_airflow.notifiers.webhook.WebhookNotifier"],
    }
