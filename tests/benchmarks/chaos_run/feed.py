"""Four live cameras that show a scene: two by RTSP, two by Kafka.

What is shown depends on the clock alone: a camera that was away goes on where it would be by now.
"""

import contextlib
import os
import threading
import time
from collections.abc import Iterator
from math import ceil
from pathlib import Path

import av
import confluent_kafka
import cv2
from kafka_broker import QUIET, Broker
from rtsp_server import RtspServer
from tcp_proxy import TcpProxy

from chaos_run.scene import BY_KAFKA, BY_RTSP, FPS, Scene
from connectors.kafka.frame_message import FrameHeader, to_headers
from connectors.pictures.encoded_image import Encoding
from pipeline.core import FrameStamp

TOPIC = "chaos.frames"
AWAY = "127.0.0.1:9"
"""Where nobody listens."""


class Feed:
    """The cameras, a broker, and proxies before both.

    Args:
        folder: For the server's files.
        scene: What they show.

    Attributes:
        scene: The same.
        began_at: Unix seconds at which the first turn began.
        clock_step_s: By camera, how far the sender's clock is ahead; cameras by Kafka only.
    """

    def __init__(self, folder: Path, scene: Scene) -> None:
        self.scene = scene
        self.began_at = 0.0
        self.clock_step_s = dict.fromkeys(BY_KAFKA, 0.0)
        self._shown, self._parts = folder / "shown", folder / "parts"
        self._shown.mkdir()
        self._parts.mkdir()
        for camera_id in BY_RTSP:
            self._write_parts(camera_id)
        self._pictures = {
            camera_id: [
                cv2.imencode(".jpg", image[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, 95])[1].tobytes()
                for image in scene.images(camera_id)
            ]
            for camera_id in BY_KAFKA
        }
        self._over = threading.Event()
        self._cut = contextlib.ExitStack()

    def __enter__(self) -> "Feed":
        self.broker = self._cut.enter_context(Broker())
        self.broker.make_topic(2, TOPIC)
        self._kafka = self._cut.enter_context(self.broker.behind_a_proxy())
        self._kafka_at = self._kafka.target
        self._rtsp = self._cut.enter_context(RtspServer(self._shown))
        self._proxies = {camera_id: self._cut.enter_context(TcpProxy()) for camera_id in BY_RTSP}
        for proxy in self._proxies.values():
            proxy.target = f"127.0.0.1:{self._rtsp.port}"
        self.began_at = time.time()
        for work in (self._turn, self._publish):
            threading.Thread(target=work, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._cut.close()

    @property
    def servers(self) -> str:
        """The address of the broker, through the proxy."""
        return self._kafka.address

    def addresses(self) -> dict[str, str]:
        """Return the address of each camera, through the proxies."""
        by_rtsp = {name: f"rtsp://{proxy.address}/{name}.mp4/play_count_0/" for name, proxy in self._proxies.items()}
        return by_rtsp | dict.fromkeys(BY_KAFKA, f"kafka://{self.servers}/{TOPIC}")

    def wait_for_turn(self) -> int:
        """Return when a turn begins, and when that is, seconds since the feed began.

        Whom a run sees first, and how, decides for long how it tells people apart.
        """
        turn_s = self.scene.period_s
        begins_s = ceil((time.time() - self.began_at) / turn_s) * turn_s
        time.sleep(max(0.0, self.began_at + begins_s - time.time()))
        return begins_s

    @contextlib.contextmanager
    def cut_off(self, camera_id: str) -> Iterator[None]:
        """Cut the network to a camera by RTSP."""
        proxy = self._proxies[camera_id]
        at, proxy.target = proxy.target, AWAY
        proxy.cut()
        yield
        proxy.target = at

    @contextlib.contextmanager
    def broker_cut_off(self) -> Iterator[None]:
        """Cut the network between the run and the broker; cameras go on to publish."""
        self._kafka.target = AWAY
        self._kafka.cut()
        yield
        self._kafka.target = self._kafka_at

    def _write_parts(self, camera_id: str) -> None:
        """Write a file for each second of a turn: a whole turn that begins there."""
        whole = self._parts / f"{camera_id}.mp4"
        options = {"crf": "18", "preset": "veryfast", "g": str(FPS), "keyint_min": str(FPS), "bf": "0"}
        with av.open(str(whole), "w") as target:
            stream = target.add_stream("libx264", rate=FPS, options={**options, "sc_threshold": "0"})
            stream.width, stream.height, stream.pix_fmt = 640, 360, "yuv420p"
            for image in self.scene.images(camera_id):
                target.mux(stream.encode(av.VideoFrame.from_ndarray(image)))
            target.mux(stream.encode(None))
        for second in range(self.scene.period_s):
            with (
                av.open(str(whole)) as source,
                av.open(str(self._parts / f"{camera_id}_{second}.mp4"), "w") as target,
            ):
                stream = source.streams.video[0]
                copied = target.add_stream_from_template(stream)
                packets = [packet for packet in source.demux(stream) if packet.size]
                step = packets[1].dts - packets[0].dts
                for number, packet in enumerate(packets[second * FPS :] + packets[: second * FPS]):
                    packet.pts = packet.dts = number * step
                    packet.stream = copied
                    target.mux(packet)
        self._show(camera_id, 0)

    def _show(self, camera_id: str, second: int) -> None:
        link = self._shown / f".{camera_id}"
        link.hardlink_to(self._parts / f"{camera_id}_{second}.mp4")
        os.replace(link, self._shown / f"{camera_id}.mp4")

    def _turn(self) -> None:
        """Show clients that connect the present second."""
        for second in range(1, 10**9):
            if self._over.wait(max(0.0, self.began_at + second - time.time())):
                return
            for camera_id in BY_RTSP:
                self._show(camera_id, second % self.scene.period_s)

    def _publish(self) -> None:
        """Publish the present picture; what the broker does not take within a second is dropped, as cameras do."""
        settings = {"bootstrap.servers": self.broker.servers, "message.timeout.ms": 1000}
        producer = confluent_kafka.Producer(settings, logger=QUIET)
        number = -1
        while not self._over.wait(max(0.0, self.began_at + (number + 1) / FPS - time.time())):
            number = max(number + 1, int((time.time() - self.began_at) * FPS))
            for camera_id in BY_KAFKA:
                at = self.began_at + number / FPS + self.clock_step_s[camera_id]
                header = FrameHeader(FrameStamp(camera_id, number, at), (360, 640), Encoding.JPEG)
                picture = self._pictures[camera_id][number % self.scene.num_frames]
                with contextlib.suppress(BufferError):
                    producer.produce(TOPIC, picture, camera_id.encode(), headers=to_headers(header))
            producer.poll(0)
