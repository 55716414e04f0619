"""Sends alerts by HTTP POST, one signed JSON object each.

Needs: httpx.
Guarantee: at-least-once by ``flush``. An alert that was delivered in this run is not sent again.
When slow: the pipeline does not wait. ``max_waiting`` alerts wait, and a bounded queue before it; then the oldest are
dropped and counted.
Secrets: the signing secret is in the environment variable that ``secret_env`` names.
"""

import hashlib
import hmac
import logging
import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from urllib.parse import quote

import httpx

from connectors.alerting.cloud_event import cloud_event, run_name
from connectors.alerting.details import AlertDetailReader
from connectors.alerting.incident_topics import alert_body, payload
from connectors.alerting.severities import severities_from
from connectors.redaction import redact_answer
from connectors.sinks.retry_pause import RetryPause
from pipeline.core import Alert, AlertState, Record
from pipeline.core.errors import ConfigError, SinkBusyError
from pipeline.core.records.sink_report import SinkReport
from pipeline.ledger.codec import to_dict

logger = logging.getLogger(__name__)

FIRST_RETRY_S = 1.0
MAX_RETRY_S = 60.0
"""Seconds before the next attempt after a failure; they double with every failure in a row up to the second."""

MAX_RETRY_AFTER_S = 3600.0
"""Seconds of pause that a receiver can ask for, at most. Higher values delay alerts for longer."""

FORMS = ("alert", "details", "pictures")
"""What the body holds: the alert as its schema says, with its details, or with pictures as well."""

MIN_TOKEN = 8
"""Characters of a part of a URL's path from which it may be a token. Fewer hide plain words of the answer."""

NUM_REMEMBERED = 10_000
"""Delivered alerts that are recognised when they are written again. More take more memory."""


@dataclass(frozen=True, slots=True)
class _Delivery:
    """One request to make."""

    name: str
    key: str
    revision: int
    body: bytes
    content_type: str = "application/json"
    headers: tuple[tuple[str, str], ...] = ()


class WebhookSink:
    """Sends every alert of at least ``min_severity`` to one URL.

    The body follows ``alert.schema.json``. ``X-Passerby-Signature: sha256=<hex>`` is the HMAC-SHA256 of the body.
    ``X-Passerby-Delivery`` is ``<key>/<revision>``, percent-encoded: the same for every attempt at the same state of
    an alert, and another for each state. ``X-Passerby-Run`` is the name of the output folder, percent-encoded: keys of
    alerts are those of one run. Redirects are not followed.

    A 2xx answer is a delivery. After 5xx, 429 or a broken connection the alert waits. Any other answer means that
    the receiver will never take the alert: it is dropped and counted.

    With ``form=details``, the body has one more key, ``details``: name, probability, runner-up, local time and a link
    to the page. With ``form=pictures`` it is ``multipart/form-data``: that JSON as ``alert``, and the JPEGs ``person``
    and ``scene`` where pictures are kept; then the signature is that of the whole body.

    Args:
        url: The URL, ``http`` or ``https``. May hold a user and a password.
        secret_env: Environment variable that holds the signing secret; None: no signature.
        timeout_s: Seconds to wait for the connection, and for each part of the answer.
        max_waiting: Alerts that wait for a receiver that is down, after which ``write`` refuses more.
        min_severity: ``info``, ``warning`` or ``critical``; less severe alerts are not sent.
        form: ``alert``, ``details`` or ``pictures``.
        cloudevents: Whether the attributes of CloudEvents are headers, ``ce-id`` and others.
        output_dir: Output folder of the run, for details and pictures.
        page: Address of the operator's page, for links; None: no links.
        time_zone: Of the local time in the details.
        picture_wait_s: Seconds to wait for a picture that is on its way.

    Attributes:
        num_delivered: Alerts that the receiver took.
        num_dropped: Alerts that the receiver refused for good.

    Raises:
        ConfigError: If the URL is not valid, the variable is not set, or the severity is unknown.
    """

    kinds = (Alert,)
    may_drop = True

    def __init__(
        self,
        *,
        url: str,
        secret_env: str | None,
        timeout_s: float,
        max_waiting: int,
        min_severity: str,
        form: str = "alert",
        cloudevents: bool = False,
        output_dir: str = "",
        page: str | None = None,
        time_zone: str = "UTC",
        picture_wait_s: float = 0.0,
    ) -> None:
        self._url = _checked_url(url)
        self._secret = _secret(secret_env)
        self._severities = severities_from(min_severity, "sink.webhook")
        self._form, self._cloudevents, self._picture_wait_s = _checked_form(form), cloudevents, picture_wait_s
        self._details = AlertDetailReader(output_dir=output_dir, page=page, time_zone=time_zone, key="sink.webhook")
        self._run = run_name(output_dir)
        self._max_waiting = max_waiting
        self._waiting: dict[str, _Delivery] = {}
        # The newest state of each alert that was taken.
        self._taken: dict[str, int] = {}
        self._pause = RetryPause(first_s=FIRST_RETRY_S, max_s=MAX_RETRY_S)
        self._refusals: dict[int, str] = {}  # the newest answer of each status that refused an alert for good
        self._last_refusal = "nothing was sent"
        self._is_closed = False
        self.num_delivered = 0
        self.num_dropped = 0
        # httpx logs every request with its whole URL, which may hold a token.
        logging.getLogger("httpx").addFilter(_is_no_request_line)
        self._client = httpx.Client(timeout=timeout_s, follow_redirects=False)

    @staticmethod
    def preflight(
        *,
        url: str,
        secret_env: str | None,
        min_severity: str,
        form: str = "alert",
        page: str | None = None,
        time_zone: str = "UTC",
        **_: object,
    ) -> None:
        """Raise ``ConfigError`` if the constructor would; sends nothing."""
        _checked_url(url)
        _secret(secret_env)
        severities_from(min_severity, "sink.webhook")
        _checked_form(form)
        AlertDetailReader(output_dir="", page=page, time_zone=time_zone, key="sink.webhook")

    def write(self, records: Sequence[Record]) -> None:
        """Send the alerts among the records. Alerts that cannot be sent now wait, if there is room.

        Raises:
            SinkBusyError: If more than ``max_waiting`` alerts would wait. None of the new alerts was taken.
        """
        new: dict[str, _Delivery] = {}
        for record in records:
            if not isinstance(record, Alert) or record.severity not in self._severities:
                continue
            if record.revision > self._taken.get(record.key, 0):
                delivery = self._delivery(record)
                new[delivery.name] = delivery
        if not new:
            return
        self._waiting = {name: each for name, each in self._waiting.items() if name not in new} | new
        try:
            self._deliver()
        except SinkBusyError:
            if len(self._waiting) <= self._max_waiting:
                for delivery in new.values():
                    self._remember(delivery)
                return
            for name in new:
                self._waiting.pop(name, None)
            raise

    def flush(self) -> None:
        """Return when every alert was delivered or refused for good.

        Raises:
            SinkBusyError: If the receiver cannot take one now.
        """
        self._deliver()

    def report(self) -> SinkReport:
        """Return what waits, and what the receiver refused for good; from any thread."""
        return SinkReport(len(self._waiting), self.num_dropped, why_given_up="; ".join(self._refusals.values()))

    def close(self) -> None:
        """Close the connection; idempotent. Alerts that still wait are lost, and their number is logged."""
        self._client.close()
        self._details.close()
        if self._waiting:
            logger.error("webhook: closed with %d alerts undelivered; %s", len(self._waiting), self._last_refusal)
            self._waiting.clear()
        if self.num_dropped and not self._is_closed:
            logger.warning("webhook: the receiver refused %d alerts in all", self.num_dropped)
        self._is_closed = True

    def _delivery(self, alert: Alert) -> _Delivery:
        """Return the request for a state of an alert; the same state gives requests of one name."""
        body = to_dict(alert)
        plain = payload(body)
        name = quote(f"{alert.key}/{alert.revision}", safe="/:@+,=")
        headers = tuple(cloud_event(body, name, prefix="ce-", run=self._run).items()) if self._cloudevents else ()
        if self._form == "alert":
            return _Delivery(name, alert.key, alert.revision, plain, headers=headers)
        wait_s = self._picture_wait_s if self._form == "pictures" and alert.state is AlertState.RAISED else 0.0
        details = self._details.of(alert, wait_s=wait_s)
        detailed = payload(alert_body(alert, details))
        if self._form == "details":
            return _Delivery(name, alert.key, alert.revision, detailed, headers=headers)
        files = {"alert": ("alert.json", detailed, "application/json")}
        if details.picture is not None:
            files["person"] = ("person.jpg", details.picture.crop, "image/jpeg")
            files["scene"] = ("scene.jpg", details.picture.scene, "image/jpeg")
        request = httpx.Request("POST", self._url, files=files)
        return _Delivery(name, alert.key, alert.revision, request.read(), request.headers["Content-Type"], headers)

    def _deliver(self) -> None:
        """Send the waiting alerts, in order, until one cannot be sent."""
        pause_s = self._pause.left_s
        if self._waiting and pause_s > 0:
            raise SinkBusyError("webhook: receiver is not available yet", retry_after_s=pause_s)
        while self._waiting:
            name, delivery = next(iter(self._waiting.items()))
            self._post(delivery)
            del self._waiting[name]
            self._remember(delivery)

    def _remember(self, delivery: _Delivery) -> None:
        """Note the newest state of an alert that was taken."""
        self._taken[delivery.key] = max(delivery.revision, self._taken.pop(delivery.key, 0))
        if len(self._taken) > NUM_REMEMBERED:
            del self._taken[next(iter(self._taken))]

    def _post(self, delivery: _Delivery) -> None:
        """Send one alert; return if it was delivered or refused for good."""
        headers = {
            "Content-Type": delivery.content_type,
            "User-Agent": "passerby",
            "X-Passerby-Delivery": delivery.name,
            **({"X-Passerby-Run": self._run} if self._run else {}),
            **dict(delivery.headers),
        }
        if self._secret is not None:
            digest = hmac.new(self._secret, delivery.body, hashlib.sha256).hexdigest()
            headers["X-Passerby-Signature"] = f"sha256={digest}"
        try:
            response = self._client.post(self._url, content=delivery.body, headers=headers)
        except httpx.HTTPError as error:
            raise self._busy(type(error).__name__, None) from error
        status = response.status_code
        if status == 429 or status >= 500:
            raise self._busy(f"status {status}", _retry_after_s(response.headers.get("Retry-After")))
        self._pause.accepted()
        if response.is_success:
            self.num_delivered += 1
            return
        self.num_dropped += 1
        is_new = status not in self._refusals
        self._refusals[status] = self._refusal(response)
        if is_new:
            logger.error("webhook: %s; such alerts are dropped", self._refusals[status])

    def _refusal(self, response: httpx.Response) -> str:
        """Return what an answer means that no later attempt would change, and what to do."""
        got = f"{self._url.host} answers {response.status_code} {response.reason_phrase}".rstrip()
        if response.is_redirect:
            return f"{got}, and another address is not followed; give the address it names in sink.webhook.url"
        said = redact_answer(response.text, [*_secrets_of(self._url), (self._secret or b"").decode(errors="replace")])
        words = f": {said!r}" if said else ""
        return f"{got}, it refuses the request{words}; correct what it asks for"

    def _busy(self, reason: str, asked_s: float | None) -> SinkBusyError:
        """Count a failure and return the error that says when to try again."""
        pause_s = self._pause.refused(None if asked_s is None else min(MAX_RETRY_AFTER_S, max(asked_s, 0.0)))
        self._last_refusal = f"expected a 2xx answer from {self._url.host}, got {reason}"
        return SinkBusyError(
            f"webhook: {self._last_refusal}; trying again in {pause_s:g} s",
            retry_after_s=pause_s,
        )


def _checked_url(url: str) -> httpx.URL:
    """Return the URL. The message of the error does not repeat it, because it may hold a password."""
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL as error:
        raise ConfigError(f"sink.webhook.url: expected a URL, got something else ({error}); correct it") from error
    if parsed.scheme not in ("http", "https") or not parsed.host:
        got = f"scheme {parsed.scheme!r}" if parsed.host else "no host"
        raise ConfigError(f"sink.webhook.url: expected http(s)://host/…, got {got}; correct it")
    return parsed


def _secrets_of(url: httpx.URL) -> list[str]:
    """Return what a URL holds that must not be shown: user, password, values of the query, long parts of the path."""
    path = [part for part in url.path.split("/") if len(part) >= MIN_TOKEN]
    return [url.username, url.password, *(value for _, value in url.params.multi_items()), *path]


def _secret(secret_env: str | None) -> bytes | None:
    """Return the secret in an environment variable."""
    if secret_env is None:
        return None
    secret = os.environ.get(secret_env, "")
    if not secret:
        raise ConfigError(
            f"sink.webhook.secret_env: expected a secret in the environment variable {secret_env}, got nothing; set it"
        )
    return secret.encode()


def _checked_form(form: str) -> str:
    """Return the form of the body. Raises ``ConfigError`` if there is no such form."""
    if form not in FORMS:
        raise ConfigError(f"sink.webhook.form: expected one of {', '.join(FORMS)}, got {form!r}; correct it")
    return form


def _retry_after_s(header: str | None) -> float | None:
    """Return the seconds that a Retry-After header asks for, as a number or as a date; None if it is not valid."""
    if header is None:
        return None
    if header.strip().isdigit():
        return float(header)
    try:
        at = parsedate_to_datetime(header)
    except ValueError:
        return None
    if at.tzinfo is None:
        at = at.replace(tzinfo=UTC)
    return (at - datetime.now(UTC)).total_seconds()


def _is_no_request_line(record: logging.LogRecord) -> bool:
    """Keep only warnings and errors."""
    return record.levelno > logging.INFO
