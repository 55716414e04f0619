"""What a run has learned of its site, and proposes: offsets of clocks, overlaps of cameras, transit times.

The operator's page, and POST /api/learned/accept, accept a proposal.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from connectors.console.site_editing.learned import LearnedSite
from connectors.console.site_editing.versions import EDITS, RuleStore
from connectors.console.store.site import SiteReader
from pipeline.association.proposals import Proposal, ProposalKind
from pipeline.core.errors import ReidError

DONE = 0


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the proposals; return the exit code; print an error as one line."""
    parsed = make_parser().parse_args(arguments)
    folder = parsed.output_dir
    store: RuleStore | None = None
    try:
        store = RuleStore(SiteReader(folder).site().edits or folder / EDITS)
        found = LearnedSite(folder, lambda: store).proposals()
    except ReidError as error:
        print(f"error: {folder}: {error}", file=sys.stderr)
        return error.exit_code
    finally:
        if store is not None:
            store.close()
    for each in found:
        print(json.dumps({**asdict(each), "key": each.key}) if parsed.json else in_words(each))
    if not found and not parsed.json:
        print("nothing is proposed: too few people have shown anything that the site does not say")
    return DONE


def in_words(proposal: Proposal) -> str:
    """Return a line for people: what is proposed, and on what evidence."""
    cameras, num = " and ".join(proposal.cameras), proposal.num_people
    if proposal.kind is ProposalKind.OFFSET:
        return (
            f"camera {cameras}: offset_s {proposal.value:+g}, now {proposal.now:+g}; error {proposal.error_s:.1f} s, "
            f"{num} links"
        )
    if proposal.kind is ProposalKind.OVERLAP:
        return f"{cameras} overlap: {proposal.num_at_once} of {num} people were seen by both at once"
    at_most = f"at most {proposal.at_most or 0:.1%} of people"
    if proposal.kind is ProposalKind.NO_OVERLAP:
        return f"{cameras} never see one person at once: none of {num} people; {at_most}"
    low, middle, high = proposal.quantiles_s
    return (
        f"{cameras}: transits take {proposal.value['typical_s']:g} s, and {proposal.value['min_s']:g} s at least; "
        f"{num} transits, 90 % took {low:g} to {high:g} s, half of them less than {middle:g} s; {at_most} are faster"
    )


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of this command."""
    parser = argparse.ArgumentParser(prog="passerby learned", description=__doc__)
    parser.add_argument("output_dir", type=Path, help="output folder of a run that goes on, or has ended")
    parser.add_argument("--json", action="store_true", help="one JSON object per line")
    return parser


if __name__ == "__main__":
    sys.exit(main())
