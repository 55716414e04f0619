"""The operator's page after a run that was started at a terminal: it stays until Ctrl-C."""

import asyncio
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from connectors.console.sign_in.ways import arguments_of


def command_of(node: Mapping[str, Any], output_dir: Path) -> list[str]:
    """Return the command that serves the page of a run that has ended as the run served it, at the same address.

    Args:
        node: The configuration ``sink.console`` of the run.
        output_dir: Its output folder.
    """
    port = output_dir / "console/port"
    options = {
        "--output": output_dir,
        "--host": node.get("host"),
        "--port": port.read_text() if port.exists() else node.get("port"),
        "--session-hours": node.get("session_hours"),
        "--keep-pictures-hours": node.get("keep_pictures_hours"),
        "--max-pictures-gb": node.get("max_pictures_gb"),
        "--accounts": node.get("accounts"),
        "--certificate": node.get("certificate"),
        "--certificate-key": node.get("certificate_key"),
    }
    command = [sys.executable, "-m", "pipeline.cli.console"]
    command += [f"{name}={value}" for name, value in options.items() if value is not None]
    command += [f"--name={name}" for name in node.get("names") or ()]
    if not node.get("open", True):
        command.append("--login")
    return [*command, *_ways(node)[0]]


def _ways(node: Mapping[str, Any]) -> tuple[list[str], dict[str, str]]:
    """Return the arguments and the variables for the ways to sign in."""
    return arguments_of(local_accounts=node.get("local_accounts", True), oidc=node.get("oidc"), proxy=node.get("proxy"))


async def keep_page(node: Mapping[str, Any], output_dir: Path) -> None:
    """Serve the page until Ctrl-C, which the terminal sends to the page too."""
    print("The run has ended. Its page stays until you press Ctrl-C.", flush=True)
    page = await asyncio.create_subprocess_exec(
        *command_of(node, output_dir), cwd=Path(__file__).parents[2], env={**os.environ, **_ways(node)[1]}
    )
    await page.wait()
