"""Publishes a camera to Kafka: ``passerby publish --camera east --source /a/east.mp4``.

Everything that the pipeline can read can be published: a file, a folder of images, ``rtsp://…``, a device number,
``world://…``, or a block ``{uri: …, …}`` with options of the source. What is under the masks of ``site.masks``, as in
``site=mine``, is never sent.
"""

import argparse
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from math import inf

import yaml

from connectors.kafka.client import client_options, split_uri
from connectors.kafka.frame_publisher import FramePublisher
from connectors.kafka.preflight import why_not, writing
from connectors.kafka.topics import TopicSpec, ensure_topics
from connectors.pictures.encoded_image import Encoding
from pipeline.camera.privacy_mask import parse_masks
from pipeline.config.cameras import masked_source
from pipeline.config.composition import load_config
from pipeline.config.plugins import build_source
from pipeline.core import Frame, FrameStamp, Source
from pipeline.core.command_line import parse_with_overrides
from pipeline.core.errors import ConfigError, ReidError, SourceLostError

logger = logging.getLogger(__name__)

DONE, FAILED = 0, 1
MAX_LATE_S = 1.0
"""Seconds after which a frame of a recording that is sent as live is left out: the broker was away meanwhile.

A larger value sends more old frames at once when it is back.
"""
REOPEN_AFTER_S = 2.0
"""Seconds before a live camera that broke is opened again. Larger values lose more frames."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Publish until the source ends or a signal arrives; return the exit code; print an error as one line."""
    parser = make_parser()
    parsed = parse_with_overrides(parser, arguments)
    if parsed.repeat and not parsed.as_live:
        parser.error("--repeat: expected --as-live beside it, because the times of a recording would go back")
    try:
        config = load_config(["site=empty", *parsed.overrides])
        camera, masks = _camera(parsed.source), parse_masks(config.site.masks)
        make_source = build_source(parsed.camera, camera, config.source, key="--source")
        source = masked_source(parsed.camera, camera, make_source, masks.get(parsed.camera, ()))()
        source.check()
        servers, topic, query = split_uri(parsed.to, "--to")
        options = client_options(servers, config.source["kafka"]["security"], "source.kafka")
        partition = _partition(query)
        spec = TopicSpec(topic, parsed.partitions, parsed.replication)
        refusal = why_not(options, writing([spec]))
        if refusal is not None:
            raise ConfigError(f"--to: expected {parsed.to} to take frames, got {refusal}")
    except ReidError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    stopped = threading.Event()

    def stop(*_: object) -> None:
        stopped.set()
        source.close()

    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, stop)
    try:
        ensure_topics(options, [spec])
        publisher = FramePublisher(
            options,
            topic,
            camera_id=parsed.camera,
            partition=partition,
            encoding=Encoding(parsed.encoding),
            quality=parsed.quality,
            max_bytes=parsed.max_bytes,
        )
        try:
            began = time.perf_counter()
            _publish(source, publisher, parsed, stopped)
            _report(publisher, parsed, time.perf_counter() - began)
        finally:
            publisher.close()
    except ReidError as error:
        print(f"error: {error}", file=sys.stderr)
        return FAILED
    return DONE


def _publish(source: Source, publisher: FramePublisher, parsed: argparse.Namespace, stopped: threading.Event) -> None:
    last: FrameStamp | None = None
    max_late_s = MAX_LATE_S if parsed.as_live else inf
    is_again = True
    while is_again and not stopped.is_set():
        next_index = 0 if last is None else last.index + 1
        for frame in _paced(_frames(source, stopped), inf if source.live else parsed.speed, stopped, max_late_s):
            if frame.stamp.index % parsed.stride:
                continue
            at = time.time() if parsed.as_live else frame.stamp.captured_at
            last = FrameStamp(frame.stamp.camera_id, next_index + frame.stamp.index, at)
            publisher.publish(Frame(last, frame.image))
        is_again = parsed.repeat and last is not None
    if not (source.live or stopped.is_set()) and last is not None:
        publisher.end(last)
    publisher.flush()


def _frames(source: Source, stopped: threading.Event) -> Iterator[Frame]:
    """Yield frames; a live camera that breaks is opened again and again."""
    while not stopped.is_set():
        try:
            yield from source.frames()
        except SourceLostError as error:
            if not source.live:
                raise
            logger.warning("%s; opened again in %.0f s", error, REOPEN_AFTER_S)
            stopped.wait(REOPEN_AFTER_S)
        else:
            return


def _paced(frames: Iterator[Frame], speed: float, stopped: threading.Event, max_late_s: float) -> Iterator[Frame]:
    """Yield frames at ``speed`` times real time; leave out those that are later than ``max_late_s``."""
    origin: float | None = None
    for frame in frames:
        due_at = frame.stamp.captured_at / speed
        if origin is None:
            origin = time.monotonic() - due_at
        wait_s = origin + due_at - time.monotonic()
        if wait_s > 0 and stopped.wait(wait_s):
            return
        if wait_s < -max_late_s:
            continue
        yield frame


def _report(publisher: FramePublisher, parsed: argparse.Namespace, seconds: float) -> None:
    shrunk = f", {publisher.num_shrunk} at a lower quality to fit" if publisher.num_shrunk else ""
    print(
        f"{parsed.camera}: {publisher.num_frames} frames, {publisher.num_bytes / 1e6:.1f} MB, "
        f"{publisher.num_frames / seconds:.1f} frames/s{shrunk}"
    )


def _camera(text: str) -> object:
    """Return the camera as in ``site.cameras``: a URI, or a block with ``uri``."""
    if not text.startswith("{"):
        return text
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ConfigError(f"--source: expected {{uri: …, option: …}}, got {text!r}; correct it") from error


def _partition(query: dict[str, str]) -> int | None:
    text = query.pop("partition", None)
    if query or not (text is None or text.isdigit()):
        raise ConfigError(f"--to: expected nothing but partition=N after the ?, got {query or text}; correct it")
    return None if text is None else int(text)


def _speed(text: str) -> float:
    speed = inf if text == "max" else float(text)
    if not speed > 0:
        raise ValueError(text)
    return speed


def _natural(text: str) -> int:
    if int(text) < 1:
        raise ValueError(text)
    return int(text)


def _quality(text: str) -> int:
    if not 1 <= int(text) <= 100:
        raise ValueError(text)
    return int(text)


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of this command."""
    parser = argparse.ArgumentParser(prog="passerby publish", description=__doc__)
    servers = os.environ.get("KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:9092")
    parser.add_argument("--camera", required=True, help="name of the camera, the key of the messages")
    parser.add_argument("--source", required=True, help="anything the pipeline reads, or {uri: …, option: …}")
    parser.add_argument("--to", default=f"kafka://{servers}/passerby.frames", help="default %(default)s")
    parser.add_argument("--speed", type=_speed, default=1.0, help="of a recording: times real time, or max; default 1")
    parser.add_argument("--stride", type=_natural, default=1, help="every n-th frame")
    parser.add_argument("--as-live", action="store_true", help="stamp frames with the time at which they are sent")
    parser.add_argument("--repeat", action="store_true", help="a recording again and again; needs --as-live")
    parser.add_argument(
        "--encoding", choices=list(Encoding), default=Encoding.JPEG, help="png keeps every pixel, h264 is small"
    )
    parser.add_argument("--quality", type=_quality, default=90, help="quality of JPEG, 1 to 100; default 90")
    parser.add_argument(
        "--max-bytes", type=_natural, help="bytes of a message, at most; default: the limit of the topic"
    )
    parser.add_argument(
        "--partitions", type=_natural, default=16, help="of a topic that does not exist yet; default 16"
    )
    parser.add_argument(
        "--replication", type=_natural, help="of a topic that does not exist yet; default: the cluster's"
    )
    parser.add_argument(
        "overrides", nargs="*", help="key=value of a run's configuration, for instance source.kafka.security.…"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
