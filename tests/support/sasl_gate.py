"""A gate in front of a broker that demands SASL authentication (KIP-43, KIP-152; RFC 5802, RFC 4616)."""

import base64
import hashlib
import hmac
import secrets
import socket
import struct
from collections.abc import Generator
from dataclasses import dataclass

HANDSHAKE, API_VERSIONS, AUTHENTICATE = 17, 18, 36
MECHANISMS = ("SCRAM-SHA-256", "SCRAM-SHA-512", "PLAIN")
NO_ERROR, UNSUPPORTED_MECHANISM, AUTHENTICATION_FAILED = 0, 33, 58
FIRST_COMPACT_VERSION = 2
ROUNDS = 4096

Talk = Generator[bytes, bytes, bytes]
"""Receives the client's messages, yields the answers, and returns the last one; raises PermissionError."""


class SaslGate:
    """Authenticates one user, by any of ``MECHANISMS``.

    Args:
        user: The user.
        password: The password.

    Attributes:
        entered: The mechanism of each client that was accepted.
        num_refused: Clients that were refused.
    """

    def __init__(self, user: str, password: str) -> None:
        self._user, self._password = user, password
        self.entered: list[str] = []
        self.num_refused = 0

    def __call__(self, near: socket.socket, far: socket.socket) -> bool:
        """Pass nothing but the authentication; return whether the client was accepted."""
        mechanism, talk = "", None
        while (request := _Request.read(near)) is not None:
            if request.api == API_VERSIONS:
                far.sendall(_framed(request.frame))
                near.sendall(_framed(_read_frame(far) or b""))
            elif request.api == HANDSHAKE:
                mechanism = request.text()
                talk = self._talk(mechanism)
                answer = _array(MECHANISMS)
                request.answer(near, struct.pack(">h", UNSUPPORTED_MECHANISM if talk is None else NO_ERROR) + answer)
            elif request.api == AUTHENTICATE and talk is not None:
                try:
                    request.answer_authenticate(near, NO_ERROR, talk.send(request.blob()))
                except StopIteration as done:
                    request.answer_authenticate(near, NO_ERROR, done.value)
                    self.entered.append(mechanism)
                    return True
                except PermissionError:
                    request.answer_authenticate(near, AUTHENTICATION_FAILED, b"")
                    break
            else:
                break
        self.num_refused += 1
        return False

    def _talk(self, mechanism: str) -> Talk | None:
        if mechanism not in MECHANISMS:
            return None
        talk = self._plain() if mechanism == "PLAIN" else self._scram(mechanism.removeprefix("SCRAM-").lower())
        next(talk)
        return talk

    def _plain(self) -> Talk:
        acts_as, user, password = (yield b"").decode().split("\0")
        if (user, password) != (self._user, self._password) or acts_as not in ("", user):
            raise PermissionError
        return b""

    def _scram(self, digest: str) -> Talk:
        digest = digest.replace("-", "")
        header, _, first = (yield b"").decode().partition(",,")
        said = dict(part.split("=", 1) for part in first.split(","))
        salt = secrets.token_bytes(16)
        nonce = said["r"] + secrets.token_hex(8)
        server_first = f"r={nonce},s={base64.b64encode(salt).decode()},i={ROUNDS}"
        final = (yield server_first.encode()).decode()
        without_proof, _, proof = final.rpartition(",p=")
        salted = hashlib.pbkdf2_hmac(digest, self._password.encode(), salt, ROUNDS)
        client_key = hmac.digest(salted, b"Client Key", digest)
        message = f"{first},{server_first},{without_proof}".encode()
        signature = hmac.digest(hashlib.new(digest, client_key).digest(), message, digest)
        expected = bytes(a ^ b for a, b in zip(client_key, signature, strict=True))
        channel = base64.b64encode(f"{header},,".encode()).decode()
        is_right = without_proof == f"c={channel},r={nonce}" and base64.b64decode(proof) == expected
        if said["n"] != self._user or not is_right:
            raise PermissionError
        server_key = hmac.digest(salted, b"Server Key", digest)
        return b"v=" + base64.b64encode(hmac.digest(server_key, message, digest))


@dataclass(frozen=True)
class _Request:
    """The parts of a Kafka request that the gate reads."""

    frame: bytes
    api: int
    version: int
    correlation: bytes
    body: bytes

    @classmethod
    def read(cls, near: socket.socket) -> "_Request | None":
        frame = _read_frame(near)
        if frame is None:
            return None
        api, version = struct.unpack_from(">hh", frame)
        (length,) = struct.unpack_from(">h", frame, 8)
        return cls(frame, api, version, frame[4:8], frame[10 + max(length, 0) :])

    @property
    def is_compact(self) -> bool:
        return self.api == AUTHENTICATE and self.version >= FIRST_COMPACT_VERSION

    def text(self) -> str:
        (length,) = struct.unpack_from(">h", self.body)
        return self.body[2 : 2 + length].decode()

    def blob(self) -> bytes:
        if not self.is_compact:
            (length,) = struct.unpack_from(">i", self.body)
            return self.body[4 : 4 + length]
        # One byte of tagged fields (none), then the length plus one as a varint.
        length, at = 0, 1
        while True:
            byte = self.body[at]
            length |= (byte & 0x7F) << (7 * (at - 1))
            at += 1
            if byte < 0x80:
                return self.body[at : at + length - 1]

    def answer_authenticate(self, near: socket.socket, error: int, data: bytes) -> None:
        lifetime = struct.pack(">q", 0) if self.version >= 1 else b""
        if self.is_compact:
            assert len(data) < 0x7F * 0x80
            length = len(data) + 1
            size = bytes([length]) if length < 0x80 else bytes([length & 0x7F | 0x80, length >> 7])
            self.answer(near, b"\0" + struct.pack(">h", error) + b"\0" + size + data + lifetime + b"\0")
        else:
            self.answer(near, struct.pack(">hhi", error, -1, len(data)) + data + lifetime)

    def answer(self, near: socket.socket, body: bytes) -> None:
        near.sendall(_framed(self.correlation + body))


def _array(texts: tuple[str, ...]) -> bytes:
    return struct.pack(">i", len(texts)) + b"".join(struct.pack(">h", len(text)) + text.encode() for text in texts)


def _framed(frame: bytes) -> bytes:
    return struct.pack(">i", len(frame)) + frame


def _read_frame(side: socket.socket) -> bytes | None:
    head = _read(side, 4)
    return None if head is None else _read(side, struct.unpack(">i", head)[0])


def _read(side: socket.socket, size: int) -> bytes | None:
    data = b""
    while len(data) < size:
        more = side.recv(size - len(data))
        if not more:
            return None
        data += more
    return data
