"""What a receiver wants to know beside the alert: name, confidence, runner-up, local time, pictures and a link.

It is read from what the run keeps anyway: the ledger and the pictures for alerts. An alert itself stays small, and a
correction changes the answer.
"""

import logging
import time
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from urllib.parse import quote, urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from connectors.alerting.picture_store import FILE, AlertPicture, AlertPictureStore
from pipeline.core import Alert
from pipeline.core.errors import ConfigError, ConnectorError
from pipeline.core.records.alert import NOBODY_IN_PARTICULAR
from pipeline.core.records.moves import names_after
from pipeline.ledger import LedgerReader

logger = logging.getLogger(__name__)

FIRST_DATE_S = 1e8
"""Unix seconds. Earlier times are of a recording that does not say when it began."""

POLL_S = 0.02
"""Seconds between two looks for a picture that is on its way."""


@dataclass(frozen=True, slots=True)
class AlertDetails:
    """What is known about an alert.

    Attributes:
        name: Of the person; empty if nobody named them.
        probability: That the person is right, in [0, 1]; None if that is not known, or it is about a place.
        runner_up: Number of the person it would be otherwise; None if there was no other candidate.
        when: Local time with its zone; of a recording without a date, seconds since its beginning.
        link: Address of the alert on the operator's page; None where no page is configured.
        picture: The person and the scene; None where no pictures are kept.
        clip: Address of the clip on the operator's page, where it is some seconds after the alert; None where no page
            is configured or no clips are kept.
    """

    name: str
    probability: float | None
    runner_up: int | None
    when: str
    link: str | None
    picture: AlertPicture | None
    clip: str | None = None

    def body(self) -> dict[str, object]:
        """Return what goes beside the alert's own JSON."""
        return {
            "name": self.name,
            "probability": self.probability,
            "runner_up": self.runner_up,
            "when": self.when,
            "link": self.link,
            "clip": self.clip,
        }


class AlertDetailReader:
    """Finds the details of alerts.

    Args:
        output_dir: Output folder of the run.
        page: Address of the operator's page, for instance ``https://host:8400``; None: no links.
        time_zone: ``UTC``, or a name like ``Europe/Vienna``.
        key: Of the sink in the configuration, for messages.

    Raises:
        ConfigError: If the address or the time zone is none.
    """

    def __init__(self, *, output_dir: str, page: str | None, time_zone: str, key: str) -> None:
        self._folder = Path(output_dir)
        self._page = checked_page(page, key)
        self._zone = checked_zone(time_zone, key)
        self._ledger: LedgerReader | None = None
        self._pictures: AlertPictureStore | None = None
        # For some time after a picture that did not come, none is waited for: a flood must not wait for each.
        self._waits_from = float("-inf")
        self._names: dict[int, str] = {}
        self._last_correction = 0

    def of(self, alert: Alert, *, wait_s: float = 0.0) -> AlertDetails:
        """Return the details of an alert.

        Args:
            alert: The alert.
            wait_s: Seconds to wait for a picture that is on its way.
        """
        probability, runner_up = self._confidence(alert)
        return AlertDetails(
            name=self._name(alert.person_id),
            probability=probability,
            runner_up=runner_up,
            when=local_time(alert.raised_at, self._zone),
            link=None if self._page is None else f"{self._page}/#/alerts?key={quote(alert.key, safe='')}",
            picture=self._picture(alert, wait_s),
            clip=f"{self._page}/api/alerts/clip?key={quote(alert.key, safe='')}" if self._page and alert.clip else None,
        )

    def known(self) -> list[Alert]:
        """Return the newest form of each alert of the run so far, in the order of raising."""
        ledger = self._reader()
        return [] if ledger is None else ledger.alerts()

    def close(self) -> None:
        """Close the files; idempotent."""
        if self._ledger is not None:
            self._ledger.close()
        if self._pictures is not None:
            self._pictures.close()
        self._ledger = self._pictures = None

    def _confidence(self, alert: Alert) -> tuple[float | None, int | None]:
        ledger = self._reader()
        if ledger is None or alert.person_id == NOBODY_IN_PARTICULAR:
            return None, None
        for track_id in reversed(alert.evidence):
            event = ledger.sighting_near(track_id, alert.raised_at)
            if event is not None and event.person_id is not None:
                runner_up, probability = event.body.get("runner_up"), event.body.get("probability")
                number = runner_up[0] if isinstance(runner_up, list) else None
                return float(str(probability)), number
        return None, None

    def _name(self, person_id: int) -> str:
        ledger = self._reader()
        if ledger is None:
            return ""
        for number, correction in ledger.corrections(after=self._last_correction):
            self._names = names_after(self._names, correction)
            self._last_correction = number
        return self._names.get(person_id, "")

    def _picture(self, alert: Alert, wait_s: float) -> AlertPicture | None:
        if self._pictures is None and (self._folder / FILE).is_file():
            self._pictures = AlertPictureStore(self._folder / FILE)
        if self._pictures is None:
            return None
        began = time.monotonic()
        is_waited_for = bool(alert.evidence) and began >= self._waits_from
        give_up_at = began + (wait_s if is_waited_for else 0.0)
        while (found := self._pictures.nearest(alert.evidence, alert.raised_at)) is None:
            if time.monotonic() >= give_up_at:
                if is_waited_for:
                    self._waits_from = time.monotonic() + wait_s
                return None
            time.sleep(POLL_S)
        return found

    def _reader(self) -> LedgerReader | None:
        if self._ledger is None and (self._folder / "ledger.sqlite").is_file():
            try:
                self._ledger = LedgerReader(self._folder / "ledger.sqlite")
            except ConnectorError as error:
                logger.debug("details of alerts: %s", error)  # a run that is starting
        return self._ledger


def local_time(at: float, zone: tzinfo) -> str:
    """Return a moment, Unix seconds, in words.

    Example:
        >>> local_time(1720224000.0, UTC), local_time(12.3, UTC)
        ('2024-07-06 00:00:00 UTC', '12.3 s')
    """
    if at < FIRST_DATE_S:
        return f"{at:.1f} s"
    return datetime.fromtimestamp(at, zone).strftime("%Y-%m-%d %H:%M:%S %Z")


def checked_page(page: str | None, key: str) -> str | None:
    """Return the address of a page without a slash at its end.

    Raises:
        ConfigError: If it is none.
    """
    if page is None:
        return None
    parts = urlsplit(page)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.query:
        raise ConfigError(f"{key}.page: expected an address like https://host:8400, got {page!r}; correct it")
    return page.rstrip("/")


def checked_zone(name: str, key: str) -> tzinfo:
    """Return a time zone by its name.

    Raises:
        ConfigError: If there is none.
    """
    if name == "UTC":
        return UTC  # works even where no time zone database is installed
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ConfigError(f"{key}.time_zone: expected UTC or a name like Europe/Vienna, got {name!r}") from error
