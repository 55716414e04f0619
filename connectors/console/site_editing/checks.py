"""Checks edits and tries them on the run, each in a process of its own: the page neither waits nor fails with them.

These are the commands ``passerby alerts rules`` and ``passerby alerts replay``, so the page takes what a run takes.
"""

import json
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from connectors.console.site_editing.command_line import passerby
from pipeline.core.errors import ConfigError, DataError

CHECK_TIMEOUT_S = 120.0
"""Seconds that a check may take; it needs one or two. Longer: a page waits longer for a machine that is too busy."""

MAX_CHECKED = 8
"""Checked texts whose answer is remembered. More take more memory, 1 MB each at most."""

TRY_TIMEOUT_S = 300.0
"""Seconds that rules may take over the whole run. Longer: fewer trials are given up, and a core is busy longer."""


class RuleTools:
    """Asks the pipeline's command line about edits.

    Args:
        output_dir: Output folder of the run.
    """

    def __init__(self, output_dir: Path) -> None:
        self._output_dir = output_dir
        self._trying = threading.Lock()
        self._checked: dict[tuple[str, float], str] = {}

    def check(self, text: str) -> dict[str, Any]:
        """Return edits as the pipeline reads them: ``text``, whole, ``edits``, the same as values, and ``templates``.

        Args:
            text: YAML; empty: the configuration of the run alone.

        Raises:
            DataError: If the run left no configuration.
            ConfigError: If they cannot be used; names the key.
            ConnectorError: If they could not be checked.
        """
        written_at = self._written_at()
        answer = self._checked.get((text, written_at))
        if answer is None:
            answer = self._checked[text, written_at] = self._asked("rules", text, CHECK_TIMEOUT_S)
            while len(self._checked) > MAX_CHECKED:
                del self._checked[next(iter(self._checked))]
        found: dict[str, Any] = json.loads(answer)
        self._checked[found["text"], written_at] = answer  # whole edits are read as they are
        return found

    def replay(self, text: str) -> list[dict[str, Any]]:
        """Return the alerts that edits would have raised over the run.

        Raises:
            ConfigError: If they cannot be used, the run has stored no boxes, or another trial goes on.
            ConnectorError: If they could not be tried.
        """
        if not self._trying.acquire(blocking=False):
            raise ConfigError("another trial goes on; wait for its end")
        try:
            return [json.loads(line) for line in self._asked("replay", text, TRY_TIMEOUT_S).splitlines()]
        finally:
            self._trying.release()

    def _written_at(self) -> float:
        """Return when the configuration was written; the run may have begun anew."""
        path = self._output_dir / "config.yaml"
        try:
            written_at = path.stat().st_mtime
            has_rules = any(line.startswith("alerts:") for line in path.read_text(encoding="utf-8").splitlines())
        except (OSError, UnicodeDecodeError):
            has_rules = False
        if not has_rules:
            raise DataError("this run left no configuration, so its rules are not known")
        return written_at

    def _asked(self, command: str, text: str, timeout_s: float) -> str:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "edits.yaml"
            path.write_text(text, encoding="utf-8")
            rules: Sequence[str] = ("--rules", str(path)) if text else ()
            words = ("alerts", command, str(self._output_dir), *rules, "--json")
            return passerby(words, timeout_s=timeout_s, hidden=f"{path}: ")
