"""Whose certificates are trusted, and what is wrong with one that is not."""

import socket
import ssl
from pathlib import Path

from pipeline.core.errors import ConfigError

USUAL = ("/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem")
"""Where Debian and Alpine, Red Hat, and macOS keep the authorities of the system."""


def authorities(ca_file: str | None) -> str:
    """Return the file of the authorities to trust: the one that is named, or the system's.

    Raises:
        ConfigError: If it is missing, or holds no certificate.
    """
    named = ca_file or next((path for path in (ssl.get_default_verify_paths().cafile, *USUAL) if _is_file(path)), None)
    if named is None:
        raise ConfigError(
            "ca_file: expected a file of authorities, got none, and this system has none in the usual places; name one"
        )
    try:
        ssl.create_default_context(cafile=named)
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(
            f"ca_file: expected certificates in PEM, got {named}: {error.strerror or error}; correct it"
        ) from error
    return named


def why_refused(host: str, port: int, ca_file: str, timeout_s: float) -> str | None:
    """Return what is wrong with the certificate of a host; None if nothing is, or the host does not answer."""
    context = ssl.create_default_context(cafile=ca_file)
    try:
        with (
            socket.create_connection((host, port), timeout_s) as plain,
            context.wrap_socket(plain, server_hostname=host),
        ):
            return None
    except ssl.SSLCertVerificationError as error:
        return f"a certificate that is not trusted ({error.verify_message.rstrip('.')})"
    except OSError:
        return None


def _is_file(path: str | None) -> bool:
    return path is not None and Path(path).is_file()
