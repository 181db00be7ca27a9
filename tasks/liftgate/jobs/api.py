"""A Kubernetes API server, asked patiently: time-outs on every request, back-off where another try can help."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from liftgate.errors import ClusterUnavailable, ConfigurationError
from liftgate.jobs.api_errors import explained, is_an_answer, status_of

if TYPE_CHECKING:
    from kubernetes.client import ApiClient
    from tenacity import RetryCallState

TRIES = 5
LONGEST_WAIT_SECONDS = 15.0
REQUEST_SECONDS = (10.0, 60.0)
"""To connect, and between two bytes. A pair, since the client ignores a single number that is no int."""


def api_client(kubeconfig: str | None = None) -> ApiClient:
    """A client for a kubeconfig file, by default that of KUBECONFIG, or for the cluster of this pod.

    Raises ConfigurationError.
    """
    from kubernetes import client, config

    class PatientClient(client.ApiClient):
        """The SDK gives no time-out to its requests: a lost connection would be waited for without end."""

        def call_api(self, *args: Any, **options: Any) -> Any:
            if options.get("_request_timeout") is None:
                options["_request_timeout"] = REQUEST_SECONDS
            return super().call_api(*args, **options)

    configuration = client.Configuration()
    configuration.retries = 0  # `ask` repeats what is worth it, and says so
    try:
        config.load_config(config_file=kubeconfig, client_configuration=configuration)
    except config.ConfigException as error:
        raise ConfigurationError(
            f"Expected a Kubernetes cluster to run jobs on, found none ({error}). Set KUBECONFIG, or run in a pod with "
            "a service account; to train on this machine, set training.backend to local."
        ) from error
    return PatientClient(configuration)


Clusters = Callable[[str], "ApiClient"]
"""From the id of an Airflow connection to a client of its cluster."""


def cluster_of_kubeconfig(conn_id: str) -> ApiClient:
    """Outside Airflow there are no connections: the cluster of KUBECONFIG, or of this pod."""
    return api_client()


def ask(
    verb: str, what: str, call: Callable[[], Any], or_else: Mapping[int, Any] | None = None, tries: int = TRIES
) -> Any:
    """What a call of an API client returns. `or_else` maps HTTP statuses that are answers too to what they mean.

    Raises ClusterUnavailable when the server did not answer after all tries, JobRefused when it said no.
    """
    from tenacity import Retrying, retry_if_exception_type, stop_after_attempt

    def once() -> Any:
        try:
            return call()
        except Exception as error:
            if or_else and status_of(error) in or_else:
                return or_else[status_of(error) or 0]
            if not is_an_answer(error):
                raise
            raise explained(error, verb, what) from error

    patiently = Retrying(
        stop=stop_after_attempt(tries),
        wait=_wait,
        retry=retry_if_exception_type(ClusterUnavailable),
        before_sleep=_say,
        reraise=True,
    )
    return patiently(once)


def wait_seconds(tries: int, retry_after: float | None) -> float:
    """How long to wait after so many tries that failed: what the server asks for, or twice as long each time.

    Example: 1, 2, 3 tries -> 1, 2, 4 seconds; "Retry-After: 7" -> 7
    """
    return retry_after if retry_after is not None else min(2.0 ** (tries - 1), LONGEST_WAIT_SECONDS)


def _wait(state: RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome else None
    return wait_seconds(state.attempt_number, getattr(error, "retry_after", None))


def _say(state: RetryCallState) -> None:
    print(state.outcome.exception() if state.outcome else "", flush=True)
