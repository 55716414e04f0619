"""The command ``passerby``: the first word is the command, the rest are its arguments."""

import os
import sys
from difflib import get_close_matches
from importlib import import_module, metadata

from pipeline.cli.process import process_of

COMMANDS = {
    "run": ("pipeline.cli.run", "follow people across the cameras of a site"),
    "discover": ("pipeline.cli.discover", "list the ONVIF cameras of the network, and their streams"),
    "status": ("pipeline.cli.status", "tell how a run is, as an exit code too"),
    "cameras": ("pipeline.cli.cameras.command", "add cameras to a run that goes on, or remove them"),
    "job": ("pipeline.cli.job", "own a run on a Ray cluster, for a container"),
    "publish": ("pipeline.cli.publish", "send the frames of a camera to a Kafka topic"),
    "alerts": ("pipeline.cli.alerts", "read the topic of alerts, acknowledge them, try rules on a past run"),
    "learned": ("pipeline.cli.learned", "tell what a run has learned of its site, and proposes"),
    "counts": ("pipeline.cli.counts", "count people at lines, in zones, between places, and visitors"),
    "ledger": ("pipeline.cli.ledger", "explain and correct identities, erase people, export"),
    "console": ("pipeline.cli.console", "serve the operator's page over a run's output"),
    "re-export": ("pipeline.cli.re_export", "write MOT text and films again after corrections"),
    "evaluate": ("pipeline.cli.evaluate", "score a site with ground truth against baselines"),
    "bench": ("pipeline.cli.bench.stages", "measure the speed against the bare plug-ins"),
    "weights": ("pipeline.cli.installation.weights", "list checkpoints, and download what is missing"),
    "doctor": ("pipeline.cli.installation.doctor", "say what is installed, and what is missing"),
    "completion": ("pipeline.cli.installation.completion", "print a script that completes these words in bash or zsh"),
    "world": ("connectors.synthetic.__main__", "render synthetic cameras, benchmarks and data sets"),
}
"""By command: the module whose ``main`` runs it, and what it does."""


def main() -> None:
    """Run the command that ``sys.argv`` names, and exit with its code."""
    # OpenCV reads this when it is imported. It would print its own report of a missing camera beside ours.
    os.environ.setdefault("OPENCV_LOG_LEVEL", "ERROR")
    with process_of(" ".join(sys.argv[1:2])):
        sys.exit(_run(sys.argv[1:]))


def _run(words: list[str]) -> int:
    if not words or words[0] in ("-h", "--help"):
        print(_help())
        return 0
    if words[0] == "--version":
        print(f"passerby {metadata.version('passerby')}")
        return 0
    if words[0] not in COMMANDS:
        near = get_close_matches(words[0], COMMANDS, n=1)
        remedy = f"did you mean {near[0]}?" if near else "see passerby --help"
        print(f"error: {words[0]}: expected one of {', '.join(COMMANDS)}; {remedy}", file=sys.stderr)
        return 2
    sys.argv = [f"passerby {words[0]}", *words[1:]]
    try:
        module = import_module(COMMANDS[words[0]][0])
    except ModuleNotFoundError as error:
        from pipeline.config.plugins import OWN, install_command  # half a second, which --version need not wait for

        missing = (error.name or "").split(".")[0]
        if missing in OWN:
            raise
        print(f"error: passerby {words[0]}: needs {missing}; {install_command(missing)}", file=sys.stderr)
        return 2
    code: int = module.main()
    return code


def _help() -> str:
    rows = "\n".join(f"  {name:<11}{text}" for name, (_, text) in COMMANDS.items())
    return (
        f"passerby COMMAND …\n\n{rows}\n\npasserby COMMAND --help describes one; passerby --version prints the version."
    )


if __name__ == "__main__":
    main()
