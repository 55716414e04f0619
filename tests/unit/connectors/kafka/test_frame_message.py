import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.kafka.frame_message import Fault, FaultyMessageError, FrameHeader, from_headers, to_headers
from connectors.pictures.encoded_image import Encoding
from pipeline.core import FrameStamp

HEADER = FrameHeader(FrameStamp("east", 7, 1_700_000_000.123456), (576, 768), Encoding.JPEG)


def read(headers: list[tuple[str, bytes]]) -> FrameHeader:
    return from_headers(headers, camera_id="east", max_image_px=50_000_000)


def changed(**changes: bytes | None) -> list[tuple[str, bytes]]:
    headers = {**dict(to_headers(HEADER)), **changes}
    return [(name, value) for name, value in headers.items() if value is not None]


@given(
    index=st.integers(0, 2**53),
    captured_at=st.floats(-1e12, 1e12),
    size_hw=st.tuples(st.integers(1, 5000), st.integers(1, 5000)),
    encoding=st.sampled_from(Encoding),
)
def test_headers_are_read_as_they_were_written(
    index: int, captured_at: float, size_hw: tuple[int, int], encoding: Encoding
) -> None:
    header = FrameHeader(FrameStamp("east", index, captured_at), size_hw, encoding)
    assert read(to_headers(header)) == header


def test_an_end_mark_has_no_picture() -> None:
    end = FrameHeader(FrameStamp("east", 7, 0.7), (0, 0), None)
    assert read(to_headers(end)) == end


def test_headers_with_other_names_are_ignored() -> None:
    assert read([("note", b"00-1-2-01"), *to_headers(HEADER)]) == HEADER


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"schema": b"2"}, Fault.SCHEMA),
        ({"schema": None}, Fault.SCHEMA),
        ({"camera_id": b"west"}, Fault.HEADER),
        ({"camera_id": None}, Fault.HEADER),
        ({"frame_index": b"-1"}, Fault.HEADER),
        ({"frame_index": b"1.5"}, Fault.HEADER),
        ({"frame_index": b"9" * 200}, Fault.HEADER),
        ({"frame_index": None}, Fault.HEADER),
        ({"captured_at": b"nan"}, Fault.HEADER),
        ({"captured_at": b"inf"}, Fault.HEADER),
        ({"captured_at": b"yesterday"}, Fault.HEADER),
        ({"captured_at": b"\xff\xfe"}, Fault.HEADER),
        ({"captured_at": b"1" * 1000}, Fault.HEADER),
        ({"width": b"0"}, Fault.SIZE),
        ({"width": b"50000", "height": b"50000"}, Fault.SIZE),
        ({"height": None}, Fault.HEADER),
        ({"encoding": b"pickle"}, Fault.HEADER),
        ({"encoding": None}, Fault.HEADER),
    ],
    ids=str,
)
def test_a_wrong_header_is_named(changes: dict[str, bytes | None], fault: Fault) -> None:
    with pytest.raises(FaultyMessageError, match=r"expected .*, got ") as caught:
        read(changed(**changes))
    assert caught.value.fault is fault


def test_a_header_that_comes_twice_is_refused() -> None:
    with pytest.raises(FaultyMessageError, match="width"):
        read([*to_headers(HEADER), ("width", b"768")])


@given(headers=st.lists(st.tuples(st.text(max_size=20), st.binary(max_size=300)), max_size=40))
def test_random_headers_are_refused(headers: list[tuple[str, bytes]]) -> None:
    with pytest.raises(FaultyMessageError):
        read(headers)
