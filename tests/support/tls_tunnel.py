"""Speaks TLS on a port of loopback, and passes everything on to another port."""

import asyncio
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from certificates import Pair
from rtsp_server import free_port


@contextmanager
def tls_tunnel(pair: Pair, to_port: int) -> Iterator[int]:
    """Yield a port that shows the certificate of ``pair``, and leads to ``to_port``."""
    port, loop, is_up = free_port(), asyncio.new_event_loop(), threading.Event()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.cert, pair.key)

    async def serve() -> None:
        server = await asyncio.start_server(_connect, "127.0.0.1", port, ssl=context)
        is_up.set()
        with suppress(asyncio.CancelledError):
            await server.serve_forever()

    async def _connect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.CancelledError):
            inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", to_port)
            await asyncio.gather(_pump(reader, inner_writer), _pump(inner_reader, writer))

    def run() -> None:
        asyncio.set_event_loop(loop)
        loop.run_until_complete(serve())
        for task in asyncio.all_tasks(loop):
            task.cancel()
        loop.run_until_complete(asyncio.sleep(0.05))
        loop.close()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    assert is_up.wait(10.0)
    try:
        yield port
    finally:
        loop.call_soon_threadsafe(lambda: [task.cancel() for task in asyncio.all_tasks(loop)])
        thread.join(10.0)


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        with suppress(OSError, ssl.SSLError):
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
    finally:
        writer.close()
