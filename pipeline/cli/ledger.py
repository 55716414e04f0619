"""``passerby ledger``: reads and corrects the ledger of a run."""

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from pipeline.cli.operator_name import operator_name
from pipeline.cli.re_export import check_is_there, write_again
from pipeline.cli.state_at_rest import forget, forget_everybody
from pipeline.core import CommandKind, CorrectionCommand, TrackPart
from pipeline.core.errors import ConnectorError, ReidError
from pipeline.core.sqlite_files import is_read_only
from pipeline.ledger.audit import write_audit
from pipeline.ledger.corrections.apply import submit_command
from pipeline.ledger.corrections.commands import SubmittedCommand
from pipeline.ledger.erasure import STILL_FOUND
from pipeline.ledger.export import EXPORTED, export
from pipeline.ledger.reader import LedgerReader
from pipeline.ledger.verification import faults_of
from pipeline.ledger.why import why

DONE, FAILED = 0, 1


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line, and return the exit code."""
    parser = make_parser()
    options = parser.parse_args(arguments)
    try:
        check_is_there(options.ledger)
        code: int = options.do(options)
    except ReidError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    return code


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of this command."""
    parser = argparse.ArgumentParser(prog="passerby ledger", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="command")

    def command(name: str, words: str, do: object) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=words, description=words)
        added.add_argument("ledger", type=_ledger, help="ledger.sqlite of a run, or its output_dir")
        added.set_defaults(do=do)
        return added

    command("people", "list the people who were seen, after all corrections", _people)
    command("check", "check that the ledger is whole, in order and unchanged; exit code 1 if not", _check)
    explained = command("why", "print why a sighting was matched to its person", _why)
    explained.add_argument("part", type=_part, help="as in east/0/7:2")
    exported = command(
        "export", "write each event as a row of a .csv or .parquet file; a later erasure rewrites it", _export
    )
    exported.add_argument("target", type=Path)
    exported.add_argument("--by", default=operator_name(), help="your name, for the audit; default %(default)s")
    forgotten = command(
        "forget", "forget what people look like, so that a changed program can go on; numbers and events stay", _forget
    )
    forgotten.add_argument("--by", required=True, help="your name")
    forgotten.add_argument("--reason", default="", help="in words")
    command("audit", "list who asked for what, when and why, and the outcome", _audit)
    for kind, words in (
        (CommandKind.MERGE, "merge two people into one; the first number is kept"),
        (CommandKind.SPLIT, "move parts of tracks to a new person, with a new number"),
        (CommandKind.CONFIRM, "confirm that these parts, or all of them, show a person"),
        (CommandKind.REJECT, "state that these parts do not show this person; they get a new number"),
        (CommandKind.NAME, "name a person and put them on the watch-list; '' takes them off"),
        (CommandKind.UNLIST, "take a person off the watch-list, and forget the pictures by which they were enrolled"),
        (CommandKind.ERASE, "erase everything about a person"),
    ):
        parser_of_kind = command(str(kind), words, _command)
        parser_of_kind.add_argument(
            "person_ids", type=int, nargs=2 if kind is CommandKind.MERGE else 1, metavar="person"
        )
        if kind in (CommandKind.SPLIT, CommandKind.REJECT, CommandKind.CONFIRM):
            parser_of_kind.add_argument("parts", nargs="*", type=_part, help="as in east/0/7:2")
        if kind is CommandKind.NAME:
            parser_of_kind.add_argument("name")
        if kind is CommandKind.MERGE:
            parser_of_kind.add_argument(
                "--force", action="store_true", help="merge them although they were seen at the same time"
            )
        parser_of_kind.add_argument("--by", required=True, help="your name")
        parser_of_kind.add_argument("--reason", default="", help="in words")
        parser_of_kind.set_defaults(kind=kind, parts=[], name="", undoes=0, force=False)
    undo = command("undo", "make a correction as if it had never been given; audit lists their numbers", _command)
    undo.add_argument("undoes", type=int, metavar="number", help="the number that the correction printed")
    undo.add_argument("--by", required=True, help="your name")
    undo.add_argument("--reason", default="", help="in words")
    undo.set_defaults(kind=CommandKind.UNDO, parts=[], name="", person_ids=[], force=False)
    return parser


def _ledger(text: str) -> Path:
    path = Path(text)
    return path / "ledger.sqlite" if path.is_dir() else path


def _part(text: str) -> TrackPart:
    try:
        return TrackPart.parse(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"expected camera/session/number:part, got {text!r}") from error


def _people(options: argparse.Namespace) -> int:
    reader = LedgerReader(options.ledger)
    for person in reader.persons():
        seconds = person.last_seen_at - person.first_seen_at
        print(
            f"{person.person_id:>6}  {person.num_sightings:>5} sightings  from {person.first_seen_at:.1f} "
            f"for {seconds:.1f} s  {', '.join(person.camera_ids)}  {person.name}".rstrip()
        )
    reader.close()
    return DONE


def _check(options: argparse.Namespace) -> int:
    faults = faults_of(options.ledger)
    for fault in faults:
        print(f"error: {options.ledger}: {fault}", file=sys.stderr)
    if not faults:
        print(f"{options.ledger}: whole, in order, unchanged")
    return FAILED if faults else DONE


def _why(options: argparse.Namespace) -> int:
    reader = LedgerReader(options.ledger)
    print("\n".join(why(reader, options.part)))
    reader.close()
    return DONE


def _export(options: argparse.Namespace) -> int:
    reader = LedgerReader(options.ledger)
    count = export(reader, options.target)
    reader.close()
    target = str(options.target.resolve())
    try:
        write_audit(
            options.ledger, at=time.time(), by=options.by, action=EXPORTED, subject=target, reason=f"{count} events"
        )
    except ConnectorError as error:
        if not is_read_only(error.__cause__):
            raise
        print(
            f"warning: {options.ledger}: may only be read, so its audit does not name {options.target}, and an erasure "
            "will not reach that file",
            file=sys.stderr,
        )
    print(f"{options.target}: {count} events")
    return DONE


def _audit(options: argparse.Namespace) -> int:
    reader = LedgerReader(options.ledger)
    for entry in reader.audit():
        at = time.strftime("%Y-%m-%d %H:%M:%SZ", time.gmtime(entry.at))
        print(f"{entry.number:>5}  {at}  {entry.by}  {entry.action}  {entry.subject}  {entry.reason}".rstrip())
    reader.close()
    return DONE


def _forget(options: argparse.Namespace) -> int:
    upcoming = forget_everybody(options.ledger)
    write_audit(
        options.ledger, at=time.time(), by=options.by, action="forget", subject="everybody", reason=options.reason
    )
    print(f"{options.ledger}: a run that goes on knows nobody by sight, and gives numbers from {upcoming}")
    return DONE


def _command(options: argparse.Namespace) -> int:
    """Submit a correction command, and print its outcome."""
    command = CorrectionCommand(
        kind=options.kind,
        person_ids=tuple(options.person_ids),
        by=options.by,
        at=time.time(),
        parts=tuple(options.parts),
        name=options.name,
        reason=options.reason,
        undoes=options.undoes,
        force=options.force,
    )
    folder = options.ledger.parent
    films = sorted(folder.glob("annotated/*.mp4")) if command.kind is CommandKind.ERASE else []
    number = submit_command(options.ledger, command, forget)
    submitted = _submitted(options.ledger, number)
    if submitted.state == "pending":
        print(f"command {number} waits for the run that writes this ledger")
        return DONE
    print(f"command {number} {submitted.state}: {submitted.outcome}")
    if submitted.state == "done" and films:
        print(write_again(folder, films))
    if STILL_FOUND in submitted.outcome:
        return FAILED
    if submitted.state == "done" and command.kind is not CommandKind.ERASE and any(folder.glob("*/boxes.sqlite")):
        print(f"MOT text and annotated videos are unchanged; write them again with: passerby re-export {folder}")
    return DONE if submitted.state == "done" else FAILED


def _submitted(path: Path, number: int) -> SubmittedCommand:
    reader = LedgerReader(path)
    submitted = next(submitted for submitted in reader.commands() if submitted.number == number)
    reader.close()
    return submitted


if __name__ == "__main__":
    sys.exit(main())
