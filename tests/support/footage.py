"""Short pieces of real footage."""

from pathlib import Path

import av


def write_clip(source: Path, target: Path, num_frames: int) -> Path:
    with av.open(str(source)) as footage, av.open(str(target), "w") as film:
        stream = film.add_stream("libx264", rate=10, options={"crf": "18"})
        stream.width, stream.height, stream.pix_fmt = 768, 576, "yuv420p"
        for number, frame in enumerate(footage.decode(video=0)):
            if number == num_frames:
                break
            picture = av.VideoFrame.from_ndarray(frame.to_ndarray(format="rgb24"))
            film.mux(stream.encode(picture))
        film.mux(stream.encode())
    return target
