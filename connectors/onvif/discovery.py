"""Finds the ONVIF cameras of a network: WS-Discovery 1.1, a question by multicast that each camera answers."""

import socket
import struct
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit
from xml.etree import ElementTree

from pipeline.core.errors import ConfigError

GROUP = ("239.255.255.250", 3702)
"""Multicast address and port of WS-Discovery."""

NUM_ASKED = 2
"""How often the question is sent, because datagrams are lost. More find no more on a wired network."""

MAX_BYTES = 65_536
"""Of an answer."""

PROBE = """<?xml version="1.0" encoding="UTF-8"?>
<e:Envelope xmlns:e="http://www.w3.org/2003/05/soap-envelope" xmlns:w="http://schemas.xmlsoap.org/ws/2004/08/addressing"
 xmlns:d="http://schemas.xmlsoap.org/ws/2005/04/discovery" xmlns:dn="http://www.onvif.org/ver10/network/wsdl"><e:Header>
<w:MessageID>uuid:{message_id}</w:MessageID><w:To>urn:schemas-xmlsoap-org:ws:2005:04:discovery</w:To>
<w:Action>http://schemas.xmlsoap.org/ws/2005/04/discovery/Probe</w:Action></e:Header>
<e:Body><d:Probe><d:Types>dn:NetworkVideoTransmitter</d:Types></d:Probe></e:Body></e:Envelope>"""


@dataclass(frozen=True, slots=True)
class FoundCamera:
    """A camera that answered.

    Attributes:
        address: Of its device service, ``http://host/onvif/device_service``.
        name: As it calls itself; empty if it does not.
        hardware: Its model, likewise.
    """

    address: str
    name: str = ""
    hardware: str = ""


def find_cameras(*, timeout_s: float, interface: str | None = None) -> list[FoundCamera]:
    """Ask the network, wait for so many seconds, and return the cameras that answered, by address.

    Args:
        timeout_s: Seconds; cameras answer within one, at a moment of chance.
        interface: Address of this machine from which the question goes; None: as the system chooses.

    Raises:
        ConfigError: If the network cannot be asked.
    """
    found: dict[str, FoundCamera] = {}
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
            asking.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, struct.pack("b", 1))
            if interface is not None:
                asking.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(interface))
                asking.bind((interface, 0))
            question = PROBE.format(message_id=uuid.uuid4()).encode()
            for _ in range(NUM_ASKED):
                asking.sendto(question, GROUP)
            ends_at = time.monotonic() + timeout_s
            while (left_s := ends_at - time.monotonic()) > 0:
                asking.settimeout(left_s)
                try:
                    answer, sender = asking.recvfrom(MAX_BYTES)
                except TimeoutError:
                    break
                for camera in read_answer(answer, sender[0]):
                    found.setdefault(camera.address, camera)
    except OSError as error:
        raise ConfigError(
            f"expected a network that can be asked by multicast, got {error.strerror}; name an address of this machine "
            "with --interface, or a camera with --host"
        ) from error
    return [found[address] for address in sorted(found)]


def read_answer(answer: bytes, sender: str) -> list[FoundCamera]:
    """Return the cameras in an answer; none if it is no such answer.

    Args:
        answer: The datagram.
        sender: The address it came from: of several addresses of a camera, the one that is reached from here.
    """
    root = parse_xml(answer)
    if root is None:
        return []
    found = []
    for match in (each for each in root.iter() if local_name(each) == "ProbeMatch"):
        texts = {local_name(each): (each.text or "").split() for each in match}
        addresses = [each for each in texts.get("XAddrs", []) if urlsplit(each).scheme in ("http", "https")]
        if not addresses:
            continue
        here = [each for each in addresses if urlsplit(each).hostname == sender]
        scopes = texts.get("Scopes", [])
        found.append(FoundCamera((here or addresses)[0], _scope(scopes, "name"), _scope(scopes, "hardware")))
    return found


def parse_xml(text: bytes) -> ElementTree.Element | None:
    """Return the root of an answer; None if it is no XML, or has declarations, which cameras do not send."""
    if b"<!" in text.replace(b"<!--", b"").replace(b"<![CDATA[", b""):
        return None
    try:
        return ElementTree.fromstring(text)
    except ElementTree.ParseError:
        return None


def local_name(element: ElementTree.Element) -> str:
    """Return a tag without its namespace."""
    return element.tag.rsplit("}", 1)[-1]


def _scope(scopes: Sequence[str], kind: str) -> str:
    """Return the text of ``onvif://www.onvif.org/name/Front%20Door``; empty if there is none."""
    for scope in scopes:
        _, found, value = scope.partition(f"onvif://www.onvif.org/{kind}/")
        if found:
            return unquote(value)
    return ""
