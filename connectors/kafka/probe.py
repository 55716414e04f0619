"""Finds out why a broker cannot be reached or does not let a client in.

kafka-python says "unable to bootstrap" for a wrong password, an unknown certificate and a wrong port alike. This module
goes the same way once more, step by step, with sockets of its own: connect, TLS, a request, SASL.
"""

import re
import socket
import ssl
import struct
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed, wait
from typing import Any

from kafka.net.sasl import get_sasl_mechanism

TIMEOUT_S = 3.0
"""Seconds that one step may take. Larger values say more about a slow network, and say it later."""

OTHERS_S = 0.2
"""Seconds that further brokers have to answer after the first. Larger values delay each connection if one is down."""

METADATA, API_VERSIONS, SASL_HANDSHAKE, SASL_AUTHENTICATE = 3, 18, 17, 36
"""Keys of requests in Kafka's protocol."""

NO_ERROR, UNSUPPORTED_SASL_MECHANISM, ILLEGAL_SASL_STATE = 0, 33, 34
"""Codes of errors in Kafka's protocol."""

MAX_ANSWER_BYTES = 2**20
"""A longer answer is none of Kafka's."""


WRONG_PASSWORD = re.compile(
    r"invalid credentials|invalid username or password|^authentication failed\W*$", re.IGNORECASE
)
"""What brokers say of a wrong password, which the message says already."""

NO_ANSWER = f"no answer in {TIMEOUT_S:g} s; check that a Kafka broker listens there, and that it is up"


class _RefusedError(Exception):
    """The broker does not let the client in; the message says why."""


def why_unreachable(options: Mapping[str, Any]) -> str | None:
    """Return in words why no broker lets the client in; None if one does.

    Args:
        options: Options of the Kafka client, ``connectors.kafka.client.client_options``.
    """
    servers: list[str] = options["bootstrap_servers"]
    # At once, so that several that do not answer take no longer than one.
    pool = ThreadPoolExecutor(len(servers), thread_name_prefix="kafka probe")
    asked = {pool.submit(_refusal, server, options): server for server in servers}
    pool.shutdown(wait=False)
    reasons = {}
    for future in as_completed(asked):
        refusal = future.result()
        if refusal is None:
            return None
        reasons[asked[future]] = refusal
    return "; ".join(f"{server}: {reasons[server]}" for server in dict.fromkeys(servers))


def answering(options: Mapping[str, Any]) -> list[str]:
    """Return the brokers that answer now; all of them if none does, or there is only one.

    kafka-python begins with a random broker, and waits for it until its time is over: a machine that is cut off
    would keep a client from those that are not.

    Args:
        options: Options of the Kafka client.
    """
    servers = list(options["bootstrap_servers"])
    if len(servers) < 2:
        return servers
    pool = ThreadPoolExecutor(len(servers), thread_name_prefix="kafka probe")
    asked = {pool.submit(_answers, server, options): server for server in servers}
    pool.shutdown(wait=False)
    there = []
    for future in as_completed(asked):
        if future.result():
            there.append(asked[future])
            others, _ = wait(asked, OTHERS_S)
            there += [asked[each] for each in others if each is not future and each.result()]
            break
    return there or servers


def _answers(server: str, options: Mapping[str, Any]) -> bool:
    """Return whether a broker greets a client, whoever that is."""
    host, _, port = server.rpartition(":")
    try:
        with _connected(host.strip("[]"), int(port)) as plain:
            if "SSL" not in str(options.get("security_protocol", "")):
                _ask(plain, API_VERSIONS, 0, b"")
                return True
            with _unverified().wrap_socket(plain, server_hostname=host.strip("[]")):
                return True
    except (OSError, ValueError, _RefusedError):
        return False


def _unverified() -> ssl.SSLContext:
    """Return a context for a connection that says nothing secret, and whose answer is not believed."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def _refusal(server: str, options: Mapping[str, Any]) -> str | None:
    """Return in words why a broker does not let the client in; None if it does."""
    host, _, port = server.rpartition(":")
    try:
        _enter(host.strip("[]"), int(port), options)
    except _RefusedError as error:
        return str(error)
    except ValueError:
        return "expected host:port; correct the address"
    return None


def _enter(host: str, port: int, options: Mapping[str, Any]) -> None:
    """Go the way of a client up to the point where it is let in.

    Raises:
        _RefusedError: If it is not.
    """
    protocol = str(options["security_protocol"])
    with _connected(host, port) as plain:
        if "SSL" not in protocol:
            _greet_in_plain_text(plain, host, port)
            return
        with _encrypted(plain, host, port, options) as encrypted:
            try:
                _ask(encrypted, API_VERSIONS, 0, b"")
                code, mechanisms = _handshake(encrypted, str(options.get("sasl_mechanism") or "?"))
            except OSError as error:
                raise _RefusedError(_refusal_of_certificate(error, options)) from error
            if protocol == "SSL":
                if code != ILLEGAL_SASL_STATE:
                    raise _RefusedError("the port asks for user and password; set security.protocol=sasl_ssl")
                return
            if code == ILLEGAL_SASL_STATE:
                raise _RefusedError("the port asks for no user and password; set security.protocol=ssl")
            if code == UNSUPPORTED_SASL_MECHANISM:
                raise _RefusedError(
                    f"the broker has no mechanism {options['sasl_mechanism']}; "
                    f"set security.mechanism to one of {', '.join(mechanisms)}"
                )
            _authenticate(encrypted, host, options)


def _connected(host: str, port: int) -> socket.socket:
    try:
        return socket.create_connection((host, port), timeout=TIMEOUT_S)
    except socket.gaierror as error:
        raise _RefusedError("there is no host of this name; correct the address") from error
    except ConnectionRefusedError as error:
        raise _RefusedError("nothing listens there; check the address, and that the broker is up") from error
    except OSError as error:
        raise _RefusedError(f"no connection ({error}); check the address and the network") from error


def _greet_in_plain_text(plain: socket.socket, host: str, port: int) -> None:
    try:
        _ask(plain, API_VERSIONS, 0, b"")
        code, mechanisms = _handshake(plain, "?")
    except TimeoutError as error:
        raise _RefusedError(NO_ANSWER) from error
    except OSError as error:
        if _speaks_tls(host, port):
            words = "the port speaks TLS, security.protocol says plaintext; set it to ssl or sasl_ssl"
        else:
            words = f"it closes the connection ({error}); check that it is a Kafka broker"
        raise _RefusedError(words) from error
    # Some brokers have mechanisms and ask nobody for them.
    if code == UNSUPPORTED_SASL_MECHANISM and mechanisms and not _answers_anybody(host, port):
        raise _RefusedError("the port asks for user and password in plain text; use a port with sasl_ssl")


def _encrypted(plain: socket.socket, host: str, port: int, options: Mapping[str, Any]) -> ssl.SSLSocket:
    ca_file = options.get("ssl_cafile")
    try:
        context = ssl.create_default_context(cafile=ca_file)
        if options.get("ssl_certfile"):
            context.load_cert_chain(
                options["ssl_certfile"], options.get("ssl_keyfile"), lambda: options.get("ssl_password") or ""
            )
    except (OSError, ssl.SSLError) as error:
        raise _RefusedError(f"the certificate files cannot be used ({error}); check security.*_file") from error
    try:
        return context.wrap_socket(plain, server_hostname=host)
    except ssl.SSLCertVerificationError as error:
        authority = ca_file or "an authority of this system; set security.ca_file"
        if "hostname" in error.verify_message.lower() or "ip address" in error.verify_message.lower():
            words = f"its certificate is not for {host} ({error.verify_message}); use the name in it"
        elif "expired" in error.verify_message:
            words = f"its certificate has expired; renew it ({error.verify_message})"
        else:
            words = f"certificate not signed by {authority} ({error.verify_message})"
        raise _RefusedError(words) from error
    except TimeoutError as error:
        raise _RefusedError(NO_ANSWER) from error
    except OSError as error:
        if _speaks_kafka(host, port):
            words = f"the port speaks plain text, security.protocol says {_word(options)}; set it to plaintext"
        else:
            words = f"no TLS ({error}); check the port"
        raise _RefusedError(words) from error


def _refusal_of_certificate(error: OSError, options: Mapping[str, Any]) -> str:
    if options.get("ssl_certfile"):
        return f"the broker refuses the certificate {options['ssl_certfile']} ({error}); use one that it trusts"
    return f"the broker asks for a certificate of the client ({error}); set security.cert_file and key_file"


def _handshake(connection: socket.socket, mechanism: str) -> tuple[int, list[str]]:
    """Return the code of the answer to a choice of mechanism, and the mechanisms that the broker has."""
    answer = _ask(connection, SASL_HANDSHAKE, 1, _string(mechanism))
    code, count = struct.unpack_from(">hi", answer)
    at, names = 6, []
    for _ in range(max(0, count)):
        (length,) = struct.unpack_from(">h", answer, at)
        names.append(answer[at + 2 : at + 2 + length].decode())
        at += 2 + length
    return int(code), names


def _authenticate(connection: socket.socket, host: str, options: Mapping[str, Any]) -> None:
    mechanism = get_sasl_mechanism(options["sasl_mechanism"])(host=host, **options)
    user = options["sasl_plain_username"]
    while not mechanism.is_done():
        token = mechanism.auth_bytes()
        try:
            answer = _ask(connection, SASL_AUTHENTICATE, 0, struct.pack(">i", len(token)) + token)
            code, length = struct.unpack_from(">hh", answer)
            said = answer[4 : 4 + max(0, length)].decode(errors="replace")
            if code != NO_ERROR:
                raise _RefusedError(f"authentication failed for user {user}{_detail(said)}; check name and password")
            (size,) = struct.unpack_from(">i", answer, 4 + max(0, length))
            start = 8 + max(0, length)
            mechanism.receive(answer[start : start + max(0, size)])
        except (OSError, ValueError, KeyError) as error:
            raise _RefusedError(f"authentication failed for user {user} ({error}); check name and password") from error


def _detail(said: str) -> str:
    """Return what a broker says beyond that name or password are wrong."""
    return "" if not said or WRONG_PASSWORD.search(said) else f" ({said})"


def _ask(connection: socket.socket, api: int, version: int, body: bytes) -> bytes:
    """Return the answer to a request, without its header.

    Raises:
        OSError: If there is none.
    """
    request = struct.pack(">hhi", api, version, 1) + _string("passerby") + body
    connection.settimeout(TIMEOUT_S)
    connection.sendall(struct.pack(">i", len(request)) + request)
    (length,) = struct.unpack(">i", _received(connection, 4))
    if not 4 <= length <= MAX_ANSWER_BYTES:
        raise ConnectionError("the answer is none of Kafka's")
    return _received(connection, length)[4:]


def _received(connection: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        more = connection.recv(count - len(data))
        if not more:
            raise ConnectionError("connection closed")
        data += more
    return data


def _string(text: str) -> bytes:
    return struct.pack(">h", len(text.encode())) + text.encode()


def _speaks_tls(host: str, port: int) -> bool:
    try:
        with _connected(host, port) as plain, _unverified().wrap_socket(plain, server_hostname=host):
            return True
    except (OSError, _RefusedError):
        return False


def _speaks_kafka(host: str, port: int) -> bool:
    try:
        with _connected(host, port) as plain:
            _ask(plain, API_VERSIONS, 0, b"")
    except (OSError, _RefusedError):
        return False
    return True


def _answers_anybody(host: str, port: int) -> bool:
    """Return whether a port answers a question that only those who were let in may ask: of no topic."""
    try:
        with _connected(host, port) as plain:
            _ask(plain, METADATA, 1, struct.pack(">i", 0))
    except (OSError, _RefusedError):
        return False
    return True


def _word(options: Mapping[str, Any]) -> str:
    return str(options["security_protocol"]).lower()
