"""Alerts for operators, from a terminal.

``passerby alerts tail`` shows alerts as they arrive. ``passerby alerts ack KEY --by ann`` says that Ann handles one.
``passerby alerts replay outputs/RUN --rules new.yaml`` tries rules on a past run, and ``passerby alerts rules
outputs/RUN`` prints its rules as such a file. ``passerby alerts score outputs/RUN`` compares its alerts with those of
the same rules over the site's ground truth.
"""

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from connectors.sinks.terminal import lines_of
from pipeline.cli.operator_name import operator_name
from pipeline.config.edits_of_run import checked_edits
from pipeline.config.rule_edits import templates, to_text
from pipeline.core import Alert
from pipeline.core.command_line import parse_with_overrides
from pipeline.core.errors import ConfigError, ReidError
from pipeline.ledger.codec import to_dict

DONE = 0


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return the exit code; print an error as one line."""
    parsed = parse_with_overrides(make_parser(), arguments)
    try:
        if parsed.command == "ack" and not parsed.by.strip():
            raise ConfigError("--by: expected who handles the alert, got no name; give one")
        if parsed.command == "replay":
            from pipeline.cli.scoring.alert_replay import replay  # here, because it takes a second

            for alert in replay(parsed.output_dir, parsed.rules, parsed.config_dirs):
                _show(alert, "", parsed.json)
            return DONE
        if parsed.command == "rules":
            _print_rules(parsed.output_dir, parsed.rules, parsed.config_dirs, as_json=parsed.json)
            return DONE
        if parsed.command == "score":
            _score(parsed.output_dir, parsed.rules, parsed.config_dirs)
            return DONE
        # Here, because the others need no Kafka.
        from connectors.kafka.alert_topic import AlertTopic
        from connectors.kafka.client import client_options
        from connectors.kafka.preflight import Needed, why_not
        from pipeline.config.composition import load_config

        config = load_config(["site=empty", *parsed.overrides])
        options = client_options(parsed.servers, config.source["kafka"]["security"], "source.kafka")
        operations = ("Read", "Write") if parsed.command == "ack" else ("Read",)
        refusal = why_not(options, [Needed("topic", parsed.topic, operations)])
        if refusal is not None:
            raise ConfigError(f"topic {parsed.topic}: expected alerts at {parsed.servers}, got {refusal}")
        topic = AlertTopic({**options, "bootstrap_timeout_ms": 5000}, parsed.topic)
        if parsed.command == "ack":
            posted = topic.acknowledge(parsed.key, parsed.by)
            _show(posted.alert, posted.by, parsed.json)
            if posted.by_before == posted.by:
                print(f"note: {posted.by} had acknowledged it before; nothing is written", file=sys.stderr)
            elif posted.by_before:
                print(f"note: {posted.by_before} had acknowledged it; {posted.by} takes over", file=sys.stderr)
        elif parsed.once:
            for posted in topic.standing().values():
                _show(posted.alert, posted.by, parsed.json)
        else:
            for posted in topic.posted(start=parsed.start, follow=True):
                _show(posted.alert, posted.by, parsed.json)
    except KeyboardInterrupt:
        return DONE
    except ModuleNotFoundError as error:
        print(f"error: passerby alerts: needs {error.name}; pip install 'passerby[kafka]'", file=sys.stderr)
        return 2
    except ReidError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    return DONE


def _show(alert: Alert, by: str, as_json: bool) -> None:
    if as_json:
        print(json.dumps({**to_dict(alert), "by": by}), flush=True)
        return
    print(lines_of([alert]), end="")
    print(f"    {alert.key!r}" + (f", acknowledged by {by!r}" if by else ""), flush=True)


def _print_rules(folder: Path, rules: Path | None, config_dirs: Sequence[Path], *, as_json: bool) -> None:
    """Print the rules of a run, with those of a file, as a file of edits that leaves nothing out."""
    edits = checked_edits(folder, rules, config_dirs)
    if as_json:
        print(json.dumps({"text": to_text(edits), "edits": edits, "templates": templates()}))
    else:
        print(to_text(edits), end="")


def _score(folder: Path, rules: Path | None, config_dirs: Sequence[Path]) -> None:
    """Print precision and recall of each rule."""
    from pipeline.cli.scoring.alert_replay import replay, replay_truth
    from pipeline.evaluation.alert_score import score_alerts

    scores = score_alerts(replay_truth(folder, rules, config_dirs), replay(folder, rules, config_dirs))
    print(f"{'rule':<20}{'true':>6}{'raised':>8}{'right':>7}{'precision':>11}{'recall':>8}")
    for score in scores:
        shares = ["-" if share is None else f"{share:.3f}" for share in (score.precision, score.recall)]
        print(
            f"{score.rule:<20}{score.num_true:>6}{score.num_raised:>8}{score.num_right:>7}{shares[0]:>11}{shares[1]:>8}"
        )


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of this command."""
    parser = argparse.ArgumentParser(prog="passerby alerts", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    tail = commands.add_parser("tail", help="show alerts as they arrive")
    tail.add_argument("--start", choices=["earliest", "latest"], default="earliest", help="default %(default)s")
    tail.add_argument("--once", action="store_true", help="show the newest state of each alert, then end")
    ack = commands.add_parser("ack", help="acknowledge an alert")
    ack.add_argument("key", help="key of the alert, as tail shows it")
    ack.add_argument("--by", default=operator_name(), help="the operator; default %(default)s")
    past = commands.add_parser("replay", help="show the alerts that rules raise over a past run")
    past.add_argument("output_dir", type=Path, help="folder of a run that has ended")
    past.add_argument("--rules", type=Path, help="YAML with site, alerts, alerting; default: the rules of the run")
    past.add_argument("--json", action="store_true", help="one JSON object per line")
    edit = commands.add_parser("rules", help="check a file of rules, and print it whole; the file edits=FILE takes")
    edit.add_argument("output_dir", type=Path, help="folder of a run")
    edit.add_argument("--rules", type=Path, help="as for replay; default: the rules of the run")
    edit.add_argument("--json", action="store_true", help="as JSON, with the options of every rule")
    score = commands.add_parser("score", help="precision and recall of each rule against the site's ground truth")
    score.add_argument("output_dir", type=Path, help="folder of a run that has ended")
    score.add_argument("--rules", type=Path, help="as for replay")
    for command in (past, edit, score):
        words = "also look for rules in DIR/alerts/NAME.yaml, as do the folders in PASSERBY_CONFIG_DIR"
        command.add_argument(
            "--config-dir", type=_folder, action="append", default=[], dest="config_dirs", metavar="DIR", help=words
        )
    for command in (tail, ack):
        servers = os.environ.get("KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:9092")
        command.add_argument("--servers", default=servers, help="default %(default)s")
        command.add_argument("--topic", default="passerby.alerts", help="default %(default)s")
        command.add_argument("--json", action="store_true", help="one JSON object per line")
        command.add_argument(
            "overrides", nargs="*", help="key=value of a run's configuration, for instance source.kafka.security.…"
        )
    return parser


def _folder(word: str) -> Path:
    folder = Path(word).expanduser().absolute()
    if not folder.is_dir():
        raise argparse.ArgumentTypeError(f"expected a folder with alerts/NAME.yaml, got {word}; correct it")
    return folder


if __name__ == "__main__":
    sys.exit(main())
