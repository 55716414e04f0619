"""``passerby completion bash|zsh``: prints a script that completes commands, their options, and choices.

Once, for every new shell: passerby completion bash > ~/.local/share/bash-completion/completions/passerby
In this shell: source <(passerby completion bash)
"""

import argparse
import sys
from collections.abc import Iterator, Sequence
from importlib import import_module

from pipeline.config.composition import CONFIGS

BASH = """\
_passerby() {{
    local word="${{COMP_WORDS[COMP_CWORD]}}" IFS=$' \\t\\n'
    COMP_WORDBREAKS="${{COMP_WORDBREAKS//=}}"
    if [ "$COMP_CWORD" -eq 1 ]; then
        COMPREPLY=($(compgen -W "{commands} --help --version" -- "$word"))
        return
    fi
    case "${{COMP_WORDS[1]}}" in
{cases}
    esac
}}
complete -o default -F _passerby passerby
"""
"""The script; zsh reads it after ``bashcompinit``. Bash itself completes files where nothing else fits."""

CASE = """\
    {command})
        if [ "$COMP_CWORD" -eq 2 ]; then
            COMPREPLY=($(compgen -W "{first}" -- "$word"))
        else
            COMPREPLY=($(compgen -W "{further}" -- "$word"))
        fi
        ;;"""

OVERRIDING = ("run", "evaluate", "bench")
"""Commands that take overrides of the configuration."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the script for a shell, and return the exit code."""
    shell = make_parser().parse_args(arguments).shell
    if shell == "zsh":
        print("autoload -U +X bashcompinit && bashcompinit")
    print(script(), end="")
    return 0


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of this command."""
    parser = argparse.ArgumentParser(
        prog="passerby completion", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("shell", choices=("bash", "zsh"))
    return parser


def script() -> str:
    """Return the script: every command with what it takes."""
    from pipeline.cli.main import COMMANDS

    choices = [f"{path.parent.name}={path.stem}" for path in sorted(CONFIGS.glob("*/*.yaml"))]
    cases = []
    for command, (module, _) in COMMANDS.items():
        if command in OVERRIDING:
            first = further = ["--help", "--config-dir", *(["--cfg"] if command == "run" else []), *choices]
        else:
            try:
                parser = import_module(module).make_parser()
            except ModuleNotFoundError:  # the extra is not installed, and the command says so itself
                continue
            first, further = list(_words(parser)), sorted({word for sub in _parsers(parser) for word in _words(sub)})
        cases.append(CASE.format(command=command, first=" ".join(first), further=" ".join(further)))
    return BASH.format(commands=" ".join(COMMANDS), cases="\n".join(cases))


def _words(parser: argparse.ArgumentParser) -> Iterator[str]:
    """Yield the options of a parser, its subcommands and its choices."""
    for action in parser._actions:  # argparse has no other list of them
        yield from action.option_strings
        if action.choices is not None and not action.option_strings:
            yield from map(str, action.choices)


def _parsers(parser: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    """Yield a parser and those of its subcommands."""
    yield parser
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            yield from action.choices.values()


if __name__ == "__main__":
    sys.exit(main())
