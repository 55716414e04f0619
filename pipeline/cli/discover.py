"""Lists the ONVIF cameras of a network and their streams, with the configuration to paste."""

import argparse
import re
import shlex
import sys
from collections.abc import Sequence

import yaml

from connectors.onvif.device import CameraRefusedError, OnvifDevice, Stream
from connectors.onvif.discovery import FoundCamera, find_cameras
from connectors.sources.credentials import password_of
from pipeline.core.errors import ConfigError

FOUND, NONE, WRONG = 0, 1, 2

MIN_DETECT_PX = 360
"""Height of a picture, pixels, from which a small stream is enough to find people who fill a quarter of it.

Larger: more cameras are read from their large stream.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the cameras; return the exit code that ``make_parser`` describes."""
    options = make_parser().parse_args(arguments)
    try:
        password = password_of(options.password_env, options.password_file)
        if (options.username is None) != (password is None):
            raise ConfigError("expected --username, and --password-env or --password-file, got one of them; state both")
        named = [FoundCamera(host) for host in options.host]
        found = named or find_cameras(timeout_s=options.timeout, interface=options.interface)
    except ConfigError as error:
        print(f"error: {error}", file=sys.stderr)
        return WRONG
    user = None if options.username is None else (options.username, password or "")
    cameras: dict[str, dict[str, object]] = {}
    for camera in found:
        device = OnvifDevice(camera.address, user, timeout_s=options.timeout)
        print(" ".join(filter(None, (camera.name or "camera", camera.hardware, device.address))))
        try:
            streams = device.streams()
        except CameraRefusedError as error:
            print(f"  no streams: {error}")
            continue
        for stream in streams:
            size = "x".join(map(str, stream.size_wh))
            print(f"  {stream.name}: {stream.codec} {size} {stream.fps:g} frames/s {stream.uri}")
        cameras[_name(camera, device, cameras)] = _block(streams, options)
    if not found:
        print(
            "no camera answered; ONVIF may be switched off in it, or it is in another network: --host ADDRESS asks it"
        )
    if cameras:
        print("\nas a file site/mine.yaml, for passerby run --config-dir . site=mine:\n")
        print(yaml.safe_dump({"cameras": cameras}, sort_keys=False, width=1000), end="")
        in_a_line = yaml.safe_dump(cameras, sort_keys=False, default_flow_style=True, width=100_000).strip()
        print(f"\nor at once:\n\npasserby run {shlex.quote(f'site.cameras={in_a_line}')}")
    return FOUND if cameras else NONE


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of this command."""
    parser = argparse.ArgumentParser(
        prog="passerby discover",
        description="List the ONVIF cameras of the network and their streams, and print the configuration to paste. "
        "Exit code 0 if a camera gave streams, 1 if none did, 2 if nothing could be asked.",
    )
    parser.add_argument("--timeout", type=float, default=3.0, help="seconds to wait for answers (3)")
    parser.add_argument("--host", action="append", default=[], help="ask this camera only, by host or address; again")
    parser.add_argument("--interface", help="address of this machine from which the network is asked")
    parser.add_argument("--username", help="user of the cameras")
    parser.add_argument("--password-env", help="environment variable that holds the password")
    parser.add_argument("--password-file", help="file that holds the password")
    return parser


def _block(streams: Sequence[Stream], options: argparse.Namespace) -> dict[str, object]:
    """Return the camera's block: people are looked for in the smallest stream that shows them large enough."""
    given = {name: getattr(options, name) for name in ("username", "password_env", "password_file")}
    opener = {name: value for name, value in given.items() if value is not None}
    fit = [stream for stream in streams if stream.size_wh[1] >= MIN_DETECT_PX] or list(streams[:1])
    if fit[-1].uri == streams[0].uri:
        return {"uri": streams[0].uri, **({"opener": opener} if opener else {})}
    if not opener:
        return {"detect": fit[-1].uri, "record": streams[0].uri}
    return {"detect": fit[-1].uri, "opener": opener, "record": {"uri": streams[0].uri, "opener": dict(opener)}}


def _name(camera: FoundCamera, device: OnvifDevice, taken: dict[str, dict[str, object]]) -> str:
    """Return a name that is a file's and not taken: the camera's own, or its host."""
    host = device.address.split("://", 1)[1].split("/", 1)[0]
    name = re.sub(r"\W+", "_", (camera.name or host).lower()).strip("_") or "camera"
    numbers = (name if number == 1 else f"{name}_{number}" for number in range(1, len(taken) + 2))
    return next(each for each in numbers if each not in taken)
