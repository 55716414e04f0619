"""No request that the OpenAPI document allows, or does not allow, makes the server fail."""

import subprocess
import sys
from pathlib import Path

import pytest
from console_page import RunningPage

from connectors.console.store.accounts import Role


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
                *("--phases", "examples,coverage,fuzzing", "--max-examples", "6", "--seed", "1", "--no-color"),
                # These would remove the account or end the session that the test uses.
                *("--exclude-path", "/api/logout", "--exclude-path", "/api/users/{name}"),
                *("--exclude-path", "/api/tokens/{number}"),
            ],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-1000:]


def test_every_operation_has_a_summary_and_an_example(tmp_path: Path) -> None:
    with RunningPage(tmp_path / "run") as page, page.client() as client:
        document = client.get("/api/openapi.json").json()
        operations = [each for methods in document["paths"].values() for each in methods.values()]
        assert len(operations) > 25
        for operation in operations:
            assert operation["summary"]
            assert operation["x-codeSamples"][0]["source"].startswith("curl ")
