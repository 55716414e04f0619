"""A real OpenID Connect provider in a process of its own: oidc-provider-mock, which here insists on PKCE.

``python oidc_provider.py PORT TOKEN_S`` serves it on loopback: users are made with ``PUT /users/SUB`` and their claims.
"""

import base64
import hashlib
import os
import subprocess
import sys
import time
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

import httpx

SECRET = "a client secret that nobody may read"


class OidcProvider:
    """Context manager that runs the provider.

    Args:
        port: Free port on loopback.
        token_s: Seconds for which an access token is valid; it can be refreshed.
    """

    def __init__(self, port: int, token_s: int = 3600) -> None:
        self.url = f"http://localhost:{port}"
        self._command = [sys.executable, __file__, str(port), str(token_s)]

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(self._command, stderr=subprocess.DEVNULL)
        while True:
            try:
                httpx.get(f"{self.url}/.well-known/openid-configuration")
            except httpx.TransportError:
                assert self._process.poll() is None, "the provider did not start"
                time.sleep(0.05)
            else:
                return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self.stop()

    def stop(self) -> None:
        """End the process; idempotent."""
        self._process.kill()
        self._process.wait()

    def put(self, subject: str, **claims: Any) -> None:
        """Add a user, or change the claims of one."""
        httpx.put(f"{self.url}/users/{subject}", json=claims).raise_for_status()

    def revoke(self, subject: str) -> None:
        """End the sessions of a user."""
        httpx.post(f"{self.url}/users/{subject}/revoke-tokens").raise_for_status()

    def sign_in(self, address: str, subject: str) -> str:
        """Do what a browser does at the provider; return the address to which it sends the browser back."""
        answer = httpx.post(address, data={"sub": subject})
        assert answer.status_code == 302, answer.text
        return answer.headers["location"]


class InsistsOnPkce:
    """Refuses codes without the verifier of RFC 7636, which oidc-provider-mock does not look at."""

    def __init__(self, app: Any) -> None:
        self._app = app
        self._challenges: dict[str, str] = {}

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        """Serve a request."""
        if environ["PATH_INFO"] == "/oauth2/authorize":
            query = parse_qs(environ["QUERY_STRING"])
            if query.get("code_challenge_method") != ["S256"]:
                return self._refused(start_response)

            def remember(status: str, headers: list[tuple[str, str]], *rest: Any) -> Any:
                location = dict(headers).get("Location", "")
                for code in parse_qs(urlsplit(location).query).get("code", []):
                    self._challenges[code] = query["code_challenge"][0]
                return start_response(status, headers, *rest)

            return self._app(environ, remember)
        if environ["PATH_INFO"] == "/oauth2/token":
            import io

            body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
            environ["wsgi.input"] = io.BytesIO(body)
            form = parse_qs(body.decode())
            if form.get("grant_type") == ["authorization_code"]:
                digest = hashlib.sha256(form.get("code_verifier", [""])[0].encode()).digest()
                challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
                if self._challenges.pop(form["code"][0], None) != challenge:
                    return self._refused(start_response)
        return self._app(environ, start_response)

    def _refused(self, start_response: Any) -> list[bytes]:
        start_response("400 Bad Request", [("Content-Type", "application/json")])
        return [b'{"error": "invalid_grant"}']


def main() -> None:
    """Serve the provider until the process is ended."""
    import warnings

    warnings.simplefilter("ignore")
    os.environ["AUTHLIB_INSECURE_TRANSPORT"] = "1"
    from datetime import timedelta

    import oidc_provider_mock
    from werkzeug.serving import make_server

    app = oidc_provider_mock.app(require_nonce=True, access_token_max_age=timedelta(seconds=int(sys.argv[2])))
    make_server("localhost", int(sys.argv[1]), InsistsOnPkce(app), threaded=True).serve_forever()


if __name__ == "__main__":
    main()
