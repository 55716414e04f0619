"""No request that the OpenAPI document allows, or does not allow, makes the server fail.

For more requests to each route: ``PASSERBY_SCHEMA_EXAMPLES=30 pytest -n 0 -m '' --timeout=3600`` and this file.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from console_page import RunningPage

from connectors.console.store.accounts import Role

EXAMPLES = int(os.environ.get("PASSERBY_SCHEMA_EXAMPLES", "1"))
"""Random requests to each route. With one, the values at the edges of every parameter are left out: they are most."""

EXCLUDED = ("/api/logout", "/api/users/{name}", "/api/tokens/{number}")
"""Would remove the account or end the session that the test uses."""

PHASES = "examples,fuzzing" if EXAMPLES == 1 else "examples,coverage,fuzzing"


@pytest.mark.slow
def test_no_request_makes_the_server_fail(tmp_path: Path) -> None:
    with RunningPage(tmp_path / "run") as page:
        page.add_pictures()
        page.accounts.put("ann", "correct horse", Role.ADMINISTRATOR, None)
        token = page.accounts.make_token("ann", "schemathesis", Role.ADMINISTRATOR, 0.0, expires_at=4e9)
        done = subprocess.run(
            [
                *(Path(sys.executable).with_name("st"), "run", f"{page.url}/api/openapi.json"),
                *("--header", f"Authorization: Bearer {token}", "--checks", "not_a_server_error"),
                *("--phases", PHASES, "--max-examples", str(EXAMPLES), "--seed", "1", "--no-color"),
                *(word for path in EXCLUDED for word in ("--exclude-path", path)),
            ],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-1000:]
        with page.client() as client:
            paths = client.get("/api/openapi.json").json()["paths"]
        num_routes = sum(len(methods) for path, methods in paths.items() if path not in EXCLUDED)
        assert f"Tested: {num_routes}\n" in done.stdout, "each route is asked"


def test_every_operation_has_a_summary_and_an_example(tmp_path: Path) -> None:
    with RunningPage(tmp_path / "run") as page, page.client() as client:
        document = client.get("/api/openapi.json").json()
        operations = [each for methods in document["paths"].values() for each in methods.values()]
        assert len(operations) > 25
        for operation in operations:
            assert operation["summary"]
            assert operation["x-codeSamples"][0]["source"].startswith("curl ")
