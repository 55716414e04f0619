"""GStreamer's RTSP server, which real cameras are made of; it sends RTCP. Runs under the system's Python."""

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rtsp_server import free_port

PYTHON = "/usr/bin/python3"

SERVE = """
import sys
import gi
gi.require_version("Gst", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtspServer
Gst.init(None)
for name in ("x264enc", "rtph264pay", "videotestsrc"):
    assert Gst.ElementFactory.find(name), name
server = GstRtspServer.RTSPServer()
server.set_address("127.0.0.1")
server.set_service(sys.argv[1])
factory = GstRtspServer.RTSPMediaFactory()
factory.set_shared(True)
factory.set_launch(
    "( videotestsrc is-live=true ! video/x-raw,width=160,height=120,framerate=10/1 "
    "! x264enc tune=zerolatency key-int-max=10 ! rtph264pay name=pay0 )"
)
server.get_mount_points().add_factory("/cam", factory)
server.attach(None)
print("up", flush=True)
GLib.MainLoop().run()
"""


@contextmanager
def gst_rtsp_server() -> Iterator[str | None]:
    """Serve a camera of ten frames a second; yields its address, or None where GStreamer is not installed."""
    port = free_port()
    try:
        server = subprocess.Popen(
            [PYTHON, "-c", SERVE, str(port)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
    except OSError:
        yield None
        return
    assert server.stdout is not None
    try:
        is_up = server.stdout.readline() == "up\n"
        time.sleep(0.2)
        yield f"rtsp://127.0.0.1:{port}/cam" if is_up else None
    finally:
        server.kill()
        server.stdout.close()
        server.wait()
