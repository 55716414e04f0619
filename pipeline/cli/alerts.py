"""Alerts for operators, from a terminal.

``passerby alerts tail`` shows them as they come; ``… ack KEY --by ann`` says that somebody takes care.
"""

import argparse
import getpass
import json
import os
import sys
from collections.abc import Sequence

from connectors.kafka.alert_topic import AlertTopic, PostedAlert
from connectors.kafka.client import client_options
from connectors.sinks.terminal import TerminalSink
from pipeline.config.composition import load_config
from pipeline.core.errors import ReidError
from pipeline.ledger.codec import to_dict

DONE = 0


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line asks for; return the exit code, errors in one line."""
    parsed = _parser().parse_args(arguments)
    try:
        config = load_config(["site=empty", *parsed.overrides])
        options = client_options(parsed.servers, config.source["kafka"]["security"], "source.kafka")
        topic = AlertTopic({**options, "bootstrap_timeout_ms": 5000}, parsed.topic)
        if parsed.command == "ack":
            _show(topic.acknowledge(parsed.key, parsed.by), parsed.json)
        elif parsed.once:
            for posted in topic.standing().values():
                _show(posted, parsed.json)
        else:
            for posted in topic.posted(start=parsed.start, follow=True):
                _show(posted, parsed.json)
    except KeyboardInterrupt:
        return DONE
    except ReidError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    return DONE


def _show(posted: PostedAlert, as_json: bool) -> None:
    if as_json:
        print(json.dumps({**to_dict(posted.alert), "by": posted.by}), flush=True)
        return
    TerminalSink(show=["alerts"]).write([posted.alert])
    print(f"    {posted.alert.key!r}" + (f", {posted.by!r} knows" if posted.by else ""), flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="passerby alerts", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    tail = commands.add_parser("tail", help="show alerts as they come")
    tail.add_argument("--start", choices=["earliest", "latest"], default="earliest", help="default %(default)s")
    tail.add_argument("--once", action="store_true", help="how each alert stands now, and no more")
    ack = commands.add_parser("ack", help="acknowledge one")
    ack.add_argument("key", help="as tail shows it")
    ack.add_argument("--by", default=getpass.getuser(), help="who; default %(default)s")
    for command in (tail, ack):
        servers = os.environ.get("KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:9092")
        command.add_argument("--servers", default=servers, help="default %(default)s")
        command.add_argument("--topic", default="passerby.alerts", help="default %(default)s")
        command.add_argument("--json", action="store_true", help="one JSON object a line")
        command.add_argument("overrides", nargs="*", help="key=value as of a run, for instance source.kafka.security.…")
    return parser


if __name__ == "__main__":
    sys.exit(main())
