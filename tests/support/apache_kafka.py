"""Apache Kafka on loopback: one or several brokers in KRaft mode, with plain, TLS and SASL listeners and ACLs.

``KAFKA_HOME`` names a folder with ``libs/``, as a distribution of Apache Kafka has; the default is the one among the
development material. Java 17 must be there.
"""

import base64
import contextlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from certificates import Authority, Pair
from kafka import KafkaAdminClient
from kafka.admin import ACL, ACLOperation, ACLPermissionType, ResourcePattern, ResourceType
from rtsp_server import free_port

STARTS_WITHIN_S = 120.0
ROOT = Path(__file__).resolve().parents[2]
JAVA = ["java", "-Xmx384m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]
"""A small heap and the quick compiler: a broker of a test lives for a minute."""

USERS = {name: f"{name}-secret" for name in ("reader", "writer", "guest", "admin")}
"""Names and passwords of SASL users. ``admin`` may do everything, the others what an ACL allows."""

KEY_PASSWORD = "key-secret"
"""Of the client's key for mutual TLS."""


def kafka_home() -> Path | None:
    """Return the folder of Apache Kafka; None where it or Java is absent."""
    shared = Path(os.environ.get("PASSERBY_SHARED", ROOT.parent / "shared"))
    home = Path(os.environ.get("KAFKA_HOME") or shared / "kafka").resolve()
    return home if (home / "libs").is_dir() and shutil.which("java") else None


@dataclass(frozen=True)
class Node:
    """Ports of one broker. Clients of ``proxied`` are told to use ``proxy``, where a test may put a proxy."""

    number: int
    plain: int
    tls: int
    sasl: int
    controller: int
    proxied: int
    proxy: int


class ApacheKafka:
    """Brokers that begin with ``start`` and end with ``stop``, and with them all their data.

    Args:
        home: Folder with ``libs/``.
        num_brokers: Number of brokers.
        plain_port: Port of the plain listener of the first broker; None: a free one.
        advertised: Address of the plain listener that clients are told to use; None: the broker's own.
        is_guarded: True: with TLS and SASL listeners and ACLs.
        settings: Further settings of every broker.
    """

    def __init__(
        self,
        home: Path,
        *,
        num_brokers: int = 1,
        plain_port: int | None = None,
        advertised: str | None = None,
        is_guarded: bool = False,
        settings: Sequence[str] = (),
    ) -> None:
        self._home = home
        self._settings = settings
        self._advertised = advertised
        self._folder = Path(tempfile.mkdtemp(prefix="kafka-"))
        self.is_guarded = is_guarded
        self.nodes = [
            Node(number, plain_port if plain_port and number == 1 else free_port(), *(free_port() for _ in range(5)))
            for number in range(1, num_brokers + 1)
        ]
        self.servers = ",".join(f"127.0.0.1:{node.plain}" for node in self.nodes)
        self.tls_servers = ",".join(f"127.0.0.1:{node.tls}" for node in self.nodes)
        self.sasl_servers = ",".join(f"127.0.0.1:{node.sasl}" for node in self.nodes)
        self._processes: dict[int, subprocess.Popen[bytes]] = {}
        if is_guarded:
            self._authority = Authority(self._folder, "authority")
            self._client: Pair = self._authority.sign("client", KEY_PASSWORD)
            (self._folder / "key_password").write_text(KEY_PASSWORD)

    @property
    def ca_file(self) -> Path:
        """The certificate that clients verify the brokers with."""
        return self._authority.path

    def tls_security(self) -> dict[str, object]:
        """Return ``source.kafka.security`` for mutual TLS; CLIENT_KEY_PASSWORD must be ``KEY_PASSWORD``."""
        return {
            "protocol": "ssl",
            "ca_file": str(self.ca_file),
            "cert_file": str(self._client.cert),
            "key_file": str(self._client.key),
            "key_password_env": "CLIENT_KEY_PASSWORD",
        }

    def sasl_security(
        self, user: str, mechanism: str = "SCRAM-SHA-256", password: str | None = None
    ) -> dict[str, object]:
        """Return ``source.kafka.security`` for a user; None: with the user's right password."""
        file = self._folder / f"{user}.{uuid.uuid4().hex[:6]}.password"
        file.write_text(USERS[user] if password is None else password)
        return {
            "protocol": "sasl_ssl",
            "ca_file": str(self.ca_file),
            "mechanism": mechanism,
            "username": user,
            "password_file": str(file),
        }

    def start(self) -> None:
        """Start every broker; return when all listen."""
        cluster, directories = _uuid(), {node.number: _uuid() for node in self.nodes}
        voters = ",".join(f"{n.number}@127.0.0.1:{n.controller}:{directories[n.number]}" for n in self.nodes)
        scram = [f"SCRAM-SHA-256=[name={name},password={word}]" for name, word in USERS.items()]
        scram += [f"SCRAM-SHA-512=[name={name},password={word}]" for name, word in USERS.items()]
        users = [part for each in scram for part in ("--add-scram", each)] if self.is_guarded else []
        formatting: list[subprocess.Popen[str]] = []
        for node in self.nodes:
            file = self._folder / f"{node.number}.properties"
            file.write_text("\n".join([*self._properties(node), *self._settings]) + "\n")
            arguments = ["format", "-t", cluster, "-c", str(file), "--initial-controllers", voters, *users]
            formatting.append(
                subprocess.Popen(
                    [*JAVA, "-cp", f"{self._home}/libs/*", "kafka.tools.StorageTool", *arguments],
                    stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT,
                    text=True,
                )
            )
        for process in formatting:
            output, _ = process.communicate(timeout=STARTS_WITHIN_S)
            assert process.returncode == 0, output
        for node in self.nodes:
            self._launch(node)
        for node in self.nodes:
            self._await(node)

    def stop(self) -> None:
        """Kill every broker and delete its data."""
        for process in self._processes.values():
            process.kill()
            process.wait()
        shutil.rmtree(self._folder, ignore_errors=True)

    def signal(self, number: int, kind: signal.Signals) -> None:
        """Send a signal to a broker; SIGKILL and SIGTERM wait until it is gone."""
        self._processes[number].send_signal(kind)
        if kind in (signal.SIGKILL, signal.SIGTERM):
            self._processes[number].wait(60)

    def restart(self, number: int) -> None:
        """Start a broker that has ended, on its data."""
        (node,) = [node for node in self.nodes if node.number == number]
        self._launch(node)
        self._await(node)

    def running(self) -> set[int]:
        """Return the numbers of the brokers that run."""
        return {number for number, process in self._processes.items() if process.poll() is None}

    def ended(self) -> set[int]:
        """Return the numbers of the brokers that have ended."""
        return set(self._processes) - self.running()

    def allow(self, user: str, kind: ResourceType, name: str, *operations: ACLOperation) -> None:
        """Allow operations on a topic or a group."""
        with self.admin() as admin:
            admin.create_acls([_acl(user, kind, name, operation) for operation in operations])
        time.sleep(0.3)  # until the broker has applied them

    def forbid(self, user: str, kind: ResourceType, name: str, *operations: ACLOperation) -> None:
        """Take back what ``allow`` allowed."""
        with self.admin() as admin:
            admin.delete_acls([_acl(user, kind, name, operation) for operation in operations])
        time.sleep(0.3)

    def admin(self) -> contextlib.closing[KafkaAdminClient]:
        """Return a client that may do everything."""
        return contextlib.closing(KafkaAdminClient(bootstrap_servers=self.servers))

    def _launch(self, node: Node) -> None:
        with (self._folder / f"{node.number}.log").open("ab") as log:
            self._processes[node.number] = subprocess.Popen(
                [*JAVA, "-cp", f"{self._home}/libs/*", "kafka.Kafka", str(self._folder / f"{node.number}.properties")],
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                cwd=self._folder,
            )

    def _await(self, node: Node) -> None:
        deadline = time.monotonic() + STARTS_WITHIN_S
        while time.monotonic() < deadline:
            tail = (self._folder / f"{node.number}.log").read_bytes()[-3000:].decode(errors="replace")
            assert self._processes[node.number].poll() is None, f"the broker ended: {tail}"
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", node.plain), timeout=1):
                return
            time.sleep(0.05)
        raise AssertionError("the broker does not listen")

    def _properties(self, node: Node) -> list[str]:
        copies = min(3, len(self.nodes))
        listeners = {"PLAIN": node.plain, "PROXIED": node.proxied, "CONTROLLER": node.controller}
        protocols = {"PLAIN": "PLAINTEXT", "PROXIED": "PLAINTEXT", "CONTROLLER": "PLAINTEXT"}
        if self.is_guarded:
            listeners |= {"TLS": node.tls, "SASL": node.sasl}
            protocols |= {"TLS": "SSL", "SASL": "SASL_SSL"}
        advertised = {name: f"127.0.0.1:{port}" for name, port in listeners.items() if name != "CONTROLLER"}
        advertised["PROXIED"] = f"127.0.0.1:{node.proxy}"
        if self._advertised is not None:
            advertised["PLAIN"] = self._advertised
        settings = {
            "process.roles": "broker,controller",
            "node.id": node.number,
            "controller.quorum.bootstrap.servers": ",".join(f"127.0.0.1:{each.controller}" for each in self.nodes),
            "listeners": ",".join(f"{name}://127.0.0.1:{port}" for name, port in listeners.items()),
            "advertised.listeners": ",".join(f"{name}://{address}" for name, address in advertised.items()),
            "listener.security.protocol.map": ",".join(f"{name}:{kind}" for name, kind in protocols.items()),
            "inter.broker.listener.name": "PLAIN",
            "controller.listener.names": "CONTROLLER",
            "log.dirs": self._folder / str(node.number),
            "offsets.topic.replication.factor": copies,
            "offsets.topic.num.partitions": 4,
            "transaction.state.log.replication.factor": copies,
            "transaction.state.log.min.isr": max(1, copies - 1),
            "transaction.state.log.num.partitions": 2,
            "default.replication.factor": copies,
            "group.initial.rebalance.delay.ms": 0,
            "auto.create.topics.enable": "false",
            "num.network.threads": 1,
            "num.io.threads": 2,
        }
        if self.is_guarded:
            settings |= self._guards()
        return [f"{name}={value}" for name, value in settings.items()]

    def _guards(self) -> dict[str, object]:
        server = self._authority.sign(f"broker{uuid.uuid4().hex[:6]}")
        store = server.cert.with_suffix(".store.pem")
        store.write_bytes(server.key.read_bytes() + server.cert.read_bytes())
        modules = "org.apache.kafka.common.security"
        known = " ".join(f'user_{name}="{word}"' for name, word in USERS.items())
        return {
            "ssl.keystore.type": "PEM",
            "ssl.keystore.location": store,
            "ssl.truststore.type": "PEM",
            "ssl.truststore.location": self.ca_file,
            "listener.name.tls.ssl.client.auth": "required",
            "sasl.enabled.mechanisms": "SCRAM-SHA-256,SCRAM-SHA-512,PLAIN",
            "listener.name.sasl.scram-sha-256.sasl.jaas.config": f"{modules}.scram.ScramLoginModule required;",
            "listener.name.sasl.scram-sha-512.sasl.jaas.config": f"{modules}.scram.ScramLoginModule required;",
            "listener.name.sasl.plain.sasl.jaas.config": f"{modules}.plain.PlainLoginModule required {known};",
            # Those who came with SHA-512 must say their password again, so that a changed one is noticed in a test.
            "listener.name.sasl.scram-sha-512.connections.max.reauth.ms": 2500,
            "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            "super.users": "User:admin;User:ANONYMOUS;User:CN=client",  # ANONYMOUS: the plain listener
        }


def _acl(user: str, kind: ResourceType, name: str, operation: ACLOperation) -> ACL:
    return ACL(f"User:{user}", "*", operation, ACLPermissionType.ALLOW, ResourcePattern(kind, name))


def _uuid() -> str:
    return base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=").replace("-", "A")
