"""A server of models over HTTP, asked patiently: it embeds, reranks or answers for us."""

from __future__ import annotations

import random
import re
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

from pydantic import SecretStr

from liftgate.errors import ConfigurationError, ModelServerRefused, ModelServerUnavailable
from liftgate.settings import Settings

if TYPE_CHECKING:
    import httpx
    from tenacity import RetryCallState

TRIES = 6
FIRST_WAIT_SECONDS = 1.0
LONGEST_WAIT_SECONDS = 120.0
"""A server that asks for more is left to the task's own retry, so that no worker's slot only waits."""
_KEY_REFUSED = (401, 403)
_TRY_AGAIN = (408, 425, 429)
_NEVER_AGAIN = ("insufficient_quota", "billing_hard_limit_reached")
"""OpenAI says 429 for these too, and no waiting mends them."""
_LONGEST_REASON = 500


class ModelServer:
    """An address with its key. Nothing is asked before `post`, and no message of it holds the key."""

    def __init__(self, name: Literal["openai", "rerank", "generator"], settings: Settings | None):
        """The server that the settings `<name>_url` and `<name>_api_key` lead to."""
        self.setting, self._key_setting = f"LIFTGATE_{name.upper()}_URL", f"LIFTGATE_{name.upper()}_API_KEY"
        self._in_airflow = f"{name}_url"
        self._url: str | None = getattr(settings, f"{name}_url", None)
        key: SecretStr | None = getattr(settings, f"{name}_api_key", None)
        self._key = key.get_secret_value().strip() if key else ""
        self._timeout_seconds = settings.model_server_timeout_seconds if settings else None

    @property
    def url(self) -> str:
        """The address. Raises ConfigurationError if there is none."""
        if not self._url:
            raise ConfigurationError(
                f"Expected the address of a server in {self.setting}, found none. Set it, or in Airflow "
                f"`{self._in_airflow}` in the extras of liftgate_database."
            )
        return self._url

    @property
    def place(self) -> str:
        """The address for messages, which are no place for a login."""
        return re.sub(r"//[^/@]*@", "//", self.url)

    def get(self, path: str) -> Any:
        """The same as `post`, with nothing given."""
        return self._json(self._patiently("GET", path, None))

    def post(self, path: str, body: Mapping[str, Any]) -> Any:
        """The answer as JSON. What another try can help (429, 5xx, time-outs) is tried again, with longer waits.

        Raises ConfigurationError where the key is refused, ModelServerRefused where the request is, and
        ModelServerUnavailable after all tries, or where the server asks for a longer wait than a task should spend.
        """
        return self._json(self._patiently("POST", path, body))

    def tell(self, path: str, body: Mapping[str, Any]) -> None:
        """The same where the answer says nothing beside that it was taken."""
        self._patiently("POST", path, body)

    def _patiently(self, method: str, path: str, body: Mapping[str, Any] | None) -> httpx.Response:
        from tenacity import Retrying, retry_if_exception, stop_after_attempt

        address = self.url.rstrip("/") + path
        patiently = Retrying(
            stop=stop_after_attempt(TRIES),
            wait=_wait,
            retry=retry_if_exception(_is_worth_waiting),
            before_sleep=_say,
            reraise=True,
        )
        return patiently(self._once, method, address, body)

    def _once(self, method: str, address: str, body: Mapping[str, Any] | None) -> httpx.Response:
        import httpx

        try:
            answer = self._client.request(method, address, json=body)
        except (httpx.InvalidURL, httpx.UnsupportedProtocol) as error:
            raise ConfigurationError(
                f"Expected {self.setting} to be an address like https://models.example.com/v1, found {self.place}. "
                "Correct it."
            ) from error
        except httpx.TransportError as error:
            raise ModelServerUnavailable(self._unavailable(f"{type(error).__name__}: {error}")) from error
        if answer.is_success:
            return answer
        raise self._refusal(answer)

    @cached_property
    def _client(self) -> httpx.Client:
        import httpx

        return httpx.Client(timeout=self._timeout_seconds, headers=self._headers())

    def _headers(self) -> dict[str, str]:
        if not (self._key.isascii() and self._key.isprintable()):
            raise ConfigurationError(
                f"Expected plain letters and digits in {self._key_setting}, found other characters. Set it anew."
            )
        return {"Authorization": f"Bearer {self._key}"} if self._key else {}

    def _json(self, answer: httpx.Response) -> Any:
        try:
            return answer.json()
        except ValueError as error:
            raise ModelServerRefused(
                f"Expected JSON from {self.place}, found {answer.headers.get('content-type', 'something else')}. "
                f"Correct {self.setting}: it is the address of the interface, not of a page."
            ) from error

    def _refusal(self, answer: httpx.Response) -> Exception:
        reason, code = self._reason(answer), answer.status_code
        if code in _KEY_REFUSED:
            return ConfigurationError(
                f"Expected {self.place} to take the key, found {code}: {reason}. Correct {self._key_setting}."
            )
        if (code in _TRY_AGAIN or code >= 500) and not any(name in reason for name in _NEVER_AGAIN):
            return ModelServerUnavailable(self._unavailable(f"{code}: {reason}"), retry_after(answer.headers))
        return ModelServerRefused(
            f"Expected {self.place} to take the request, found {code}: {reason}. Correct {self.setting}, or what was "
            "asked for: the model's name, a smaller embeddings.batch_size or max_context_tokens.",
            status=code,
        )

    def _reason(self, answer: httpx.Response) -> str:
        """What the server says, without the key, which some repeat."""
        text = " ".join(answer.text.split())
        return (text.replace(self._key, "***") if self._key else text)[:_LONGEST_REASON]

    def _unavailable(self, found: str) -> str:
        return f"Expected {self.place} to answer, found {found}. Look after that server; the task can be cleared then."


def retry_after(headers: Mapping[str, str]) -> float | None:
    """The wait in seconds that a server asks for: a number, or a date.

    Example: {"retry-after": "7"} -> 7.0
    """
    value = headers.get("retry-after", "")
    try:
        return max(float(value), 0.0)
    except ValueError:
        pass
    try:
        return max(parsedate_to_datetime(value).timestamp() - time.time(), 0.0)
    except (TypeError, ValueError):
        return None


def _is_worth_waiting(error: BaseException) -> bool:
    return isinstance(error, ModelServerUnavailable) and (error.retry_after or 0) <= LONGEST_WAIT_SECONDS


def _wait(state: RetryCallState) -> float:
    """What the server asks for, or twice as long each time, less up to a quarter: many workers were refused at once."""
    error = state.outcome.exception() if state.outcome else None
    asked: float | None = getattr(error, "retry_after", None)
    if asked is not None:
        return asked
    return float(FIRST_WAIT_SECONDS * 2 ** (state.attempt_number - 1) * random.uniform(0.75, 1))


def _say(state: RetryCallState) -> None:
    print(state.outcome.exception() if state.outcome else "", flush=True)
