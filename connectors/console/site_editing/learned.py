"""What the run has learned of its site: which of it is proposed now, and what accepting a proposal comes to."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from connectors.console.site_editing.versions import RuleStore
from pipeline.association.proposals import Proposal, accepted, proposals
from pipeline.core.camera_uri import parse_camera
from pipeline.core.errors import DataError
from pipeline.core.records.clock_offset import ClockOffset
from pipeline.core.records.pair_evidence import PairEvidence

LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""Reads YAML as plain values; in C where that was built."""

OFFSETS = "offset_s"
"""Key of the offsets under ``site`` in a file of edits; ``pipeline.config.kept_cameras``."""


@dataclass(frozen=True, slots=True)
class Stated:
    """What is said of the site now.

    Attributes:
        site: The configuration of the run, under what was edited.
        offsets: ``site.offset_s`` of the file of edits.
        used_s: Seconds that the run adds to the times of each camera.
        live_ahead_s: See ``pipeline.association.proposals.proposals``.
    """

    site: Mapping[str, Any]
    offsets: Mapping[str, float]
    used_s: Mapping[str, float]
    live_ahead_s: Mapping[str, float]


class LearnedSite:
    """What a run has learned of its site.

    Args:
        output_dir: Output folder of the run.
        rules: Opens the file of edits.
    """

    def __init__(self, output_dir: Path, rules: Callable[[], RuleStore]) -> None:
        self._output_dir = output_dir
        self._rules = rules

    def proposals(self) -> list[Proposal]:
        """Return what is worth accepting, without what was rejected on the same evidence.

        Raises:
            DataError: If the run left no configuration.
        """
        cameras, report = self._report()
        stated = self._stated(cameras)
        rejected = {each.key: each for each in self._rules().rejected()}
        found = proposals(
            [ClockOffset(**each) for each in report.get("clock_offsets", ())],
            [_pair(each) for each in report.get("pairs", ())],
            stated.site,
            used_s=stated.used_s,
            stated_s={**stated.used_s, **stated.offsets},
            live_ahead_s=stated.live_ahead_s,
        )
        return [
            each
            for each in found
            if each.key not in rejected or each.is_new_since(rejected[each.key].num_people, rejected[each.key].value)
        ]

    def proposal(self, key: str) -> Proposal:
        """Return the proposal of this key; raises ``DataError`` if there is none now."""
        for each in self.proposals():
            if each.key == key:
                return each
        raise DataError("this is not proposed any more: the evidence or the site has changed; look again")

    def with_accepted(self, proposal: Proposal, edits: Mapping[str, Any]) -> str:
        """Return a file of edits with a proposal accepted.

        Args:
            proposal: What is accepted.
            edits: What holds now, whole.
        """
        stated = self._stated({})
        site = {**edits.get("site", {}), **accepted(proposal, stated.site, stated.offsets)}
        return yaml.safe_dump({**edits, "site": site}, sort_keys=False, allow_unicode=True)

    def reject(self, proposal: Proposal, *, by: str) -> None:
        """Propose this no more until the evidence is another."""
        self._rules().reject(proposal.key, proposal.num_people, proposal.value, by=by)

    def _report(self) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
        """Return what the run says of each of its cameras, and of all of them together, now or at its end."""
        for name, part in (("summary.json", None), ("status.json", "match")):
            try:
                report = json.loads((self._output_dir / name).read_text())
                return report["cameras"], report if part is None else report[part]
            except (OSError, ValueError, KeyError):
                continue
        return {}, {}

    def _stated(self, cameras: Mapping[str, Any]) -> Stated:
        try:
            run = yaml.load((self._output_dir / "config.yaml").read_text(encoding="utf-8"), LOADER)
            site = dict(run["site"])
            parsed = {str(name): parse_camera(entry) for name, entry in site["cameras"].items()}
        except (OSError, ValueError, KeyError, TypeError, yaml.YAMLError) as error:
            raise DataError("this run left no configuration, so its site is not known") from error
        text = self._rules().text()
        edits = (yaml.load(text, LOADER) or {}).get("site") or {}
        live = [name for name, camera in parsed.items() if not camera.is_recording and name in cameras]
        return Stated(
            {**site, **edits},
            offsets_of(text),
            {name: camera.offset_s for name, camera in parsed.items()},
            {name: float(cameras[name].get("clock_ahead_s", 0.0)) for name in live},
        )


def offsets_of(text: str) -> dict[str, float]:
    """Return the offsets of a file of edits, seconds by camera; none of one that is no such file."""
    try:
        return dict(yaml.load(text, LOADER)["site"][OFFSETS])
    except (yaml.YAMLError, KeyError, TypeError, ValueError):
        return {}


def _pair(values: Mapping[str, Any]) -> PairEvidence:
    first, second = values["camera_ids"]
    return PairEvidence(**{**values, "camera_ids": (first, second), "quantiles_s": tuple(values["quantiles_s"])})
