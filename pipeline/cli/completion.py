"""``passerby completion bash|zsh``: prints a script that completes commands, overrides and choices.

source <(passerby completion bash)
"""

import argparse
import sys
from collections.abc import Sequence

from pipeline.config.composition import CONFIGS

BASH = """\
_passerby() {{
    local word="${{COMP_WORDS[COMP_CWORD]}}" IFS=$' \\t\\n'
    COMP_WORDBREAKS="${{COMP_WORDBREAKS//=}}"
    if [ "$COMP_CWORD" -eq 1 ]; then
        COMPREPLY=($(compgen -W "{commands} --help --version" -- "$word"))
    else
        COMPREPLY=($(compgen -W "{overrides}" -- "$word") $(compgen -f -- "$word"))
    fi
}}
complete -o default -F _passerby passerby
"""
"""The script; zsh reads it after ``bashcompinit``."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the script for a shell, and return the exit code."""
    parser = argparse.ArgumentParser(prog="passerby completion", description=__doc__)
    parser.add_argument("shell", choices=("bash", "zsh"))
    shell = parser.parse_args(arguments).shell
    if shell == "zsh":
        print("autoload -U +X bashcompinit && bashcompinit")
    print(script(), end="")
    return 0


def script() -> str:
    """Return the script: every command, and every choice of every group of ``configs/``."""
    from pipeline.cli.main import COMMANDS

    choices = [f"{path.parent.name}={path.stem}" for path in sorted(CONFIGS.glob("*/*.yaml"))]
    return BASH.format(commands=" ".join(COMMANDS), overrides=" ".join(choices))


if __name__ == "__main__":
    sys.exit(main())
