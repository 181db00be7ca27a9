"""Tell by a POST of JSON, which chats, pagers and ticket systems take."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseNotifier

if TYPE_CHECKING:
    from airflow.sdk import Context
    from airflow.sdk.definitions.connection import Connection

TIMEOUT_SECONDS = 10
PAYLOAD = {
    "text": "{{ news.title }}\n{{ news.text }}",
    "occasion": "{{ news.occasion }}",
    "knowledge_base": "{{ news.kb }}",
    "run": "{{ news.run_id }}",
}
"""What is sent unless `options.payload` says otherwise. Slack, Mattermost and Teams show `text`."""


class WebhookNotifier(BaseNotifier):
    """Post to the address of an Airflow connection of the type http, whose extras are headers.

    A login and password there become basic authentication.
    """

    template_fields: Sequence[str] = ("payload",)

    def __init__(self, conn_id: str, payload: dict[str, Any] | None = None, **options: Any):
        super().__init__(**options)
        self.conn_id = conn_id
        self.payload = payload or PAYLOAD

    def notify(self, context: Context) -> None:
        """Post. Raises NewsRefused where the other side does not take it."""
        import httpx
        from airflow.sdk import Connection

        from liftgate.errors import NewsRefused

        to = Connection.get(self.conn_id)
        login = (to.login, to.password or "") if to.login else None
        try:
            answer = httpx.post(
                _address(to), json=self.payload, headers=to.extra_dejson, auth=login, timeout=TIMEOUT_SECONDS
            )
            found = "" if answer.is_success else f"status {answer.status_code}"
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            found = type(error).__name__
        if found:  # and no more than that: the address of a webhook is a secret, and httpx writes it into its messages
            raise NewsRefused(
                f"Expected the server of connection {self.conn_id} to take the news, found {found}. "
                "Check the connection's host, schema and login, or make the webhook anew."
            )


def _address(to: Connection) -> str:
    """Example: host hooks.example.com/T1/B2, schema https -> https://hooks.example.com/T1/B2"""
    host = to.host or ""
    scheme, found, rest = host.partition("://")
    if not found:
        scheme, rest = to.schema or "https", host
    name, slash, path = rest.partition("/")
    port = f":{to.port}" if to.port else ""
    return f"{scheme}://{name}{port}{slash}{path}"
