"""Whether a client may do at a broker what it is about to do; nothing is written."""

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from shlex import quote
from typing import Any, TypeVar

from kafka import KafkaAdminClient
from kafka.admin import ACLOperation
from kafka.errors import (
    CoordinatorLoadInProgressError,
    CoordinatorNotAvailableError,
    GroupAuthorizationFailedError,
    InvalidReplicationFactorError,
    InvalidTopicError,
    KafkaError,
    NoError,
    NotCoordinatorError,
    TopicAuthorizationFailedError,
    UnknownTopicOrPartitionError,
    for_code,
)
from kafka.protocol.admin import DescribeGroupsRequest

from connectors.kafka.client import ask, connect, reason
from connectors.kafka.probe import why_unreachable
from connectors.kafka.topics import TopicSpec, new_topic

Answer = TypeVar("Answer")

CONNECT_S = 5.0
"""Seconds to connect after the broker has let a probe in. Larger values delay the message about a broken cluster."""

_TIMEOUTS = {"bootstrap_timeout_ms": round(CONNECT_S * 1000), "request_timeout_ms": round(CONNECT_S * 1000)}

UNKNOWN_GROUP_VERSION = 5
"""Newest version of the request that describes a group which is not there yet, with what the client may do."""

STARTING = (CoordinatorLoadInProgressError, CoordinatorNotAvailableError, NotCoordinatorError)
"""What a broker answers about groups for a while after it began."""


@dataclass(frozen=True, slots=True)
class Needed:
    """What a client will do.

    Attributes:
        kind: ``topic`` or ``group``.
        name: Its name.
        operations: As Kafka's ACLs name them.
        spec: How the topic will be created if it does not exist; None: it must exist.
    """

    kind: str
    name: str
    operations: Sequence[str]
    spec: TopicSpec | None = None


@dataclass(frozen=True, slots=True)
class Client:
    """Who asks.

    Attributes:
        name: Whom the broker knows the client as, in words.
        grant: How the command begins that gives it a right, for a shell.
    """

    name: str
    grant: str

    @classmethod
    def of(cls, options: Mapping[str, Any]) -> "Client":
        """Return the client of these options."""
        config = "" if options["security_protocol"] == "PLAINTEXT" else " --command-config admin.properties"
        command = f"kafka-acls.sh --bootstrap-server {options['bootstrap_servers'][0]}{config} --add --allow-principal"
        if user := options.get("sasl_plain_username"):
            return cls(f"user {user}", f"{command} {quote(f'User:{user}')}")
        if file := options.get("ssl_certfile"):
            subject = f"$(openssl x509 -in {quote(file)} -noout -subject -nameopt RFC2253 | cut -d= -f2-)"
            return cls(f"the certificate {file}", f'{command} "User:{subject}"')
        return cls("a client without a name", f"{command} User:ANONYMOUS")

    def needs(self, needed: Needed, *more: str) -> str:
        """Return the command that gives the client what it needs."""
        flags = " ".join(f"--operation {each}" for each in (*needed.operations, *more))
        return f"{self.grant} {flags} --{needed.kind} {needed.name} grants it"


def writing(specs: Sequence[TopicSpec]) -> list[Needed]:
    """Return what it takes to write to topics, and to create those that do not exist."""
    return [Needed("topic", spec.name, ("Write", "Describe"), spec) for spec in specs]


def why_not(options: Mapping[str, Any], needed: Sequence[Needed], *, partition: int | None = None) -> str | None:
    """Return in words what stands against it; None if nothing does.

    Args:
        options: Options of the Kafka client, ``connectors.kafka.client.client_options``.
        needed: What the client will do.
        partition: The partition that the first topic must have.
    """

    def refusal(admin: KafkaAdminClient) -> str | None:
        for each in needed:
            check = _topic_refusal if each.kind == "topic" else _group_refusal
            chosen = partition if each is needed[0] else None
            found: str | None = ask(partial(check, admin, each, Client.of(options), chosen))
            if found is not None:
                return found
        return None

    return _answer(options, refusal)


def why_failed(error: Exception, options: Mapping[str, Any], needed: Sequence[Needed]) -> str | None:
    """Return in words why a client failed at what it needs, as far as a look at the broker tells; else None."""
    is_refused = "AuthorizationFailed" in f"{type(error).__name__} {error}"
    return why_not(options, needed) if is_refused else why_unreachable(options)


def topics_or_refusal(options: Mapping[str, Any]) -> list[str] | str:
    """Return the topics that a client sees, or in words why it is not let in."""
    return _answer(options, lambda admin: list(ask(admin.list_topics)))


def _answer(options: Mapping[str, Any], question: Callable[[KafkaAdminClient], Answer]) -> Answer | str:
    """Return what a broker answers, or in words why it cannot be asked."""
    unreachable = why_unreachable(options)
    if unreachable is not None:
        return unreachable
    try:
        with closing(connect(KafkaAdminClient, {**options, **_TIMEOUTS})) as admin:
            return question(admin)
    except KafkaError as error:
        return f"{reason(error)}; check the broker"


def _topic_refusal(admin: KafkaAdminClient, needed: Needed, client: Client, partition: int | None) -> str | None:
    (topic,) = admin.describe_topics([needed.name])
    error = for_code(topic["error_code"])
    if error is InvalidTopicError:
        return f"{needed.name!r}, which is no name of a topic; use letters, digits, dots, - and _"
    if error is UnknownTopicOrPartitionError:
        return f"no topic {needed.name}; create it" if needed.spec is None else _creation_refusal(admin, needed, client)
    if error is TopicAuthorizationFailedError:
        return f"{client.name} may not Describe {needed.name}; {client.needs(needed)}"
    if error is not NoError:
        return f"topic {needed.name}: {reason(error())}; check the broker"
    refused = _refused(topic.get("authorized_operations"), needed)
    if refused is not None:
        preposition = "to" if refused == "Write" else "from"
        return f"{client.name} may not {refused} {preposition} {needed.name}; {client.needs(needed)}"
    there = {each["partition_index"] for each in topic["partitions"]}
    if partition is not None and partition not in there:
        return f"no partition {partition} in topic {needed.name}, which has {len(there)}; correct the address"
    return None


def _creation_refusal(admin: KafkaAdminClient, needed: Needed, client: Client) -> str | None:
    """Return why the topic could not be created; asks the broker without creating it."""
    spec = needed.spec
    assert spec is not None
    try:
        admin.create_topics([new_topic(spec)], validate_only=True)
    except TopicAuthorizationFailedError:
        return (
            f"no topic {spec.name}, and {client.name} may not Create it; create it, or {client.needs(needed, 'Create')}"
        )
    except InvalidReplicationFactorError:
        count = len(admin.describe_cluster()["brokers"])
        return (
            f"replication {spec.replication} for {spec.name}, but {count} brokers; set replication to {count} or null"
        )
    except KafkaError as error:
        return f"topic {spec.name} cannot be created: {reason(error)}; create it by hand"
    return None


def _group_refusal(admin: KafkaAdminClient, needed: Needed, client: Client, _: int | None) -> str | None:
    deadline = time.monotonic() + CONNECT_S
    while True:  # for the first group of a cluster the broker makes a topic, which takes a while
        try:
            group = admin._manager.run(_described_group, admin, needed.name)
        except (CoordinatorNotAvailableError, GroupAuthorizationFailedError) as refusal:
            group = {"error_code": refusal.errno}
        if for_code(group["error_code"]) not in STARTING or time.monotonic() > deadline:
            break
        time.sleep(0.2)
    error = for_code(group["error_code"])
    if error is GroupAuthorizationFailedError:
        return f"{client.name} may not Read group {needed.name}; {client.needs(needed)}"
    if error is not NoError:
        return f"group {needed.name}: {reason(error())}; check the broker"
    if _refused(group.get("authorized_operations"), needed) is not None:
        return f"{client.name} may not Read group {needed.name}; {client.needs(needed)}"
    if group["members"]:
        return (
            f"group {needed.name} has {len(group['members'])} members that subscribed, so that nobody else may commit "
            "for it; choose another source.kafka.group"
        )
    return None


async def _described_group(admin: KafkaAdminClient, name: str) -> dict[str, Any]:
    """Describe a group. The public method uses a version that says nothing of a group which is not there yet."""
    coordinators = await admin._find_coordinator_ids([name])
    request = DescribeGroupsRequest(
        groups=[name], include_authorized_operations=True, max_version=UNKNOWN_GROUP_VERSION
    )
    response = await admin._manager.send(request, node_id=coordinators[name])
    (group,) = response.groups
    found: dict[str, Any] = group.to_dict()
    # Not by kafka-python's method, which fails at an operation that is newer than itself.
    known = {each.value: each.name for each in ACLOperation}
    numbers = found.get("authorized_operations")
    found["authorized_operations"] = None if numbers is None else [known[each] for each in numbers if each in known]
    return found


def _refused(allowed: Sequence[str] | None, needed: Needed) -> str | None:
    """Return the first operation that is not allowed; None too where the broker does not say what is."""
    if not allowed:
        return None
    missing = [each for each in needed.operations if each.upper() not in allowed and "ALL" not in allowed]
    return missing[0] if missing else None
