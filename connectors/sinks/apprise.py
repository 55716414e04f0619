"""Alerts as messages to people: mail, Telegram, Slack, ntfy, Teams and whatever else Apprise knows.

Needs: apprise (extra ``apprise``).
Guarantee: at-most-once. A message that a service refuses is tried again, ``max_tries`` times; then it is dropped and
counted.
When slow: the pipeline does not wait. Each service has a thread and a queue of ``max_waiting`` messages; then its
oldest are dropped and counted. A slow service delays no other.
Secrets: the addresses are in an environment variable, because they hold passwords and tokens.
"""

import logging
import os
import re
import threading
from collections.abc import Callable, Sequence

import apprise
from apprise.attachment.memory import AttachMemory

from connectors.alerting.details import AlertDetailReader, AlertDetails
from connectors.alerting.message_queue import Message, MessageQueue
from connectors.alerting.severities import severities_from
from pipeline.core import Alert, AlertState, Record, Severity
from pipeline.core.errors import ConfigError
from pipeline.core.records.alert import NOBODY_IN_PARTICULAR
from pipeline.core.records.sink_report import SinkReport

logger = logging.getLogger(__name__)

KINDS = {Severity.INFO: "info", Severity.WARNING: "warning", Severity.CRITICAL: "failure"}
"""How Apprise calls severities; services show them as colours or signs."""

NUM_REMEMBERED = 10_000
"""Alerts that are recognised when they are written again. More take more memory."""


class AppriseSink:
    """Sends one message for each alert, and one more if it proves false, or true again after that.

    People cannot be sent an update in place, so amendments are not sent.

    Args:
        urls_env: Environment variable with the addresses of services, separated by white space; see
            https://appriseit.com/services.
        output_dir: Output folder of the run, for details and pictures.
        page: Address of the operator's page, for links; None: no links.
        time_zone: Of the local time in the message.
        pictures: Whether the pictures are attached, where ``sink=[…,alert_pictures]`` keeps them.
        picture_wait_s: Seconds to wait for a picture that is on its way.
        max_waiting: Messages that wait for each service, at most.
        max_tries: Times that a message is tried.
        min_severity: ``info``, ``warning`` or ``critical``; less severe alerts are not sent.

    Raises:
        ConfigError: If there is no address, or Apprise does not know one.
    """

    kinds = (Alert,)
    may_drop = True

    def __init__(
        self,
        *,
        urls_env: str,
        output_dir: str,
        page: str | None,
        time_zone: str,
        pictures: bool,
        picture_wait_s: float,
        max_waiting: int,
        max_tries: int,
        min_severity: str,
    ) -> None:
        services = _services(urls_env)
        self._severities = severities_from(min_severity, "sink.apprise")
        self._details = AlertDetailReader(output_dir=output_dir, page=page, time_zone=time_zone, key="sink.apprise")
        self._pictures, self._picture_wait_s = pictures, picture_wait_s
        # Of each alert that was told: the number of the state that was told last, and whether it stood then.
        self._newest: dict[str, tuple[int, bool]] = {}
        self._queues = [
            MessageQueue(_send(service), name=_shown(service), max_waiting=max_waiting, max_tries=max_tries)
            for service in services
        ]

    @staticmethod
    def preflight(
        *, urls_env: str, output_dir: str, page: str | None, time_zone: str, min_severity: str, **_: object
    ) -> None:
        """Raise ``ConfigError`` if the constructor would; sends nothing."""
        _services(urls_env)
        severities_from(min_severity, "sink.apprise")
        AlertDetailReader(output_dir=output_dir, page=page, time_zone=time_zone, key="sink.apprise")

    def report(self) -> SinkReport:
        """Return how many messages wait, and how many a service did not get; from any thread."""
        return SinkReport(
            sum(queue.num_waiting for queue in self._queues),
            sum(queue.num_dropped for queue in self._queues),
            why_given_up=next(filter(None, (queue.why_dropped for queue in self._queues)), ""),
        )

    def write(self, records: Sequence[Record]) -> None:
        """Queue the messages about the alerts among the records."""
        for record in records:
            if not isinstance(record, Alert) or record.severity not in self._severities:
                continue
            stands = record.state is not AlertState.RETRACTED
            newest, stood = self._newest.get(record.key, (0, False))
            if record.revision <= newest or stands == stood:
                continue
            if not newest and record.state is not AlertState.RAISED:  # nobody was told of it, or before a restart
                continue
            self._newest.pop(record.key, None)
            self._newest[record.key] = record.revision, stands
            if len(self._newest) > NUM_REMEMBERED:
                del self._newest[next(iter(self._newest))]
            wait_s = self._picture_wait_s if self._pictures and stands else 0.0
            message = _message(record, self._details.of(record, wait_s=wait_s), self._pictures)
            for queue in self._queues:
                queue.put(message)

    def flush(self) -> None:
        """Do nothing: the queues are emptied by their threads."""

    def close(self) -> None:
        """Send what waits, for a few seconds, and stop; idempotent. What is left is dropped, and its number logged."""
        for queue in self._queues:
            queue.stop()
        for queue in self._queues:
            queue.join()
        self._details.close()


def _services(urls_env: str) -> list[apprise.NotifyBase]:
    """Return the services at the addresses. The errors do not repeat an address, because it may hold a password."""
    urls = os.environ.get(urls_env, "").split()
    if not urls:
        raise ConfigError(
            f"sink.apprise.urls_env: expected addresses in the environment variable {urls_env}, got none; "
            f"export {urls_env}='mailto://… tgram://…'"
        )
    services = []
    for number, url in enumerate(urls, start=1):
        service = apprise.Apprise.instantiate(url)
        if service is None:
            raise ConfigError(
                f"sink.apprise.urls_env: expected addresses that Apprise knows in {urls_env}, got another one in "
                f"place {number}, {url.split(':', 1)[0]}://…; correct it"
            )
        services.append(service)
    return services


def _shown(service: apprise.NotifyBase) -> str:
    """Return the name of a service, without its address."""
    return str(service.service_name or type(service).__name__)


class _Status(logging.Handler):
    """Hears with which status a service refuses a message of this thread: Apprise says it in its log alone."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._thread_id = threading.get_ident()
        self.status = 0

    def emit(self, record: logging.LogRecord) -> None:
        """Take a record of the log."""
        found = re.search(r"error=(\d{3})\b", record.getMessage())
        if found and record.thread == self._thread_id:
            self.status = int(found[1])

    def why(self) -> str:
        """Return why a message was not taken, and what to do."""
        if 300 <= self.status < 400:
            return f"it answers {self.status}, another address is not followed; give that address"
        if 400 <= self.status < 500:
            return f"it answers {self.status}, it refuses the message; check the address and its rights"
        return "it was not taken" + (f", it answers {self.status}" if self.status else "")


def _send(service: apprise.NotifyBase) -> Callable[[Message], str]:
    """Return the function that sends one message and says why it was not taken; empty if it was."""

    def send(message: Message) -> str:
        attach = apprise.AppriseAttachment()
        for name, jpeg in message.files:
            attach.add(AttachMemory(content=jpeg, name=name, mimetype="image/jpeg"))
        kind = apprise.NotifyType(message.kind)
        heard, log = _Status(), logging.getLogger("apprise")
        log.addHandler(heard)
        try:
            is_taken = service.notify(
                body=message.text, title=message.title, notify_type=kind, attach=attach if message.files else None
            )
        finally:
            log.removeHandler(heard)
        return "" if is_taken else heard.why()

    return send


def _message(alert: Alert, details: AlertDetails, has_pictures: bool) -> Message:
    person = details.name or f"person {alert.person_id}"
    place = alert.place or alert.camera_id
    if alert.state is AlertState.RETRACTED:
        return Message(f"False alarm: {place}", f"It proved false: {alert.message}", "info", ())
    sure = "" if details.probability is None else f", {details.probability:.0%} sure"
    other = "" if details.runner_up is None else f", else person {details.runner_up}"
    is_about_place = alert.person_id == NOBODY_IN_PARTICULAR
    lines = [
        alert.message,
        *([] if is_about_place else [f"Who: {person}{sure}{other}"]),
        f"Where: {place} (camera {alert.camera_id})",
        f"When: {details.when}",
    ]
    lines += [details.link] if details.link else []
    files: tuple[tuple[str, bytes], ...] = ()
    if has_pictures and details.picture is not None:
        files = (("scene.jpg", details.picture.scene), ("person.jpg", details.picture.crop))
    return Message(f"{alert.severity.value.capitalize()}: {place}", "\n".join(lines), KINDS[alert.severity], files)
