import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.pictures.encoded_image import Encoding, decode_image, encode_image, image_size, is_image
from connectors.pictures.image_header import OtherImage
from pipeline.core.errors import FrameDecodeError

HW = (72, 96)


def image() -> np.ndarray:
    rows, columns = np.mgrid[: HW[0], : HW[1]]
    return np.stack([rows * 3, columns * 2, rows + columns], axis=2).astype(np.uint8)


@pytest.fixture(params=[Encoding.JPEG, Encoding.PNG])
def encoding(request: pytest.FixtureRequest) -> Encoding:
    return Encoding(request.param)


def test_png_keeps_every_pixel() -> None:
    data = encode_image(image(), Encoding.PNG, quality=90)
    np.testing.assert_array_equal(decode_image(data, Encoding.PNG, HW), image())


def test_jpeg_keeps_colours_and_channel_order() -> None:
    data = encode_image(image(), Encoding.JPEG, quality=95)
    difference = decode_image(data, Encoding.JPEG, HW).astype(int) - image()
    assert abs(difference).mean() < 3  # grey levels; swapped channels differ by 60


def test_lower_quality_takes_fewer_bytes() -> None:
    sizes = [len(encode_image(image(), Encoding.JPEG, quality=quality)) for quality in (20, 60, 95)]
    assert sizes == sorted(sizes)


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.99])
def test_an_incomplete_image_is_refused(encoding: Encoding, share: float) -> None:
    data = encode_image(image(), encoding, quality=90)
    with pytest.raises(FrameDecodeError):
        decode_image(data[: int(len(data) * share)], encoding, HW)


def test_an_image_of_an_unexpected_size_is_refused(encoding: Encoding) -> None:
    data = encode_image(image(), encoding, quality=90)
    with pytest.raises(FrameDecodeError, match=r"expected .* of 96x73, got 96x72"):
        decode_image(data, encoding, (73, 96))


def test_an_image_of_an_unexpected_encoding_is_refused() -> None:
    data = encode_image(image(), Encoding.PNG, quality=90)
    with pytest.raises(FrameDecodeError):
        decode_image(data, Encoding.JPEG, HW)


def test_a_png_with_a_false_size_is_refused() -> None:
    data = bytearray(encode_image(image(), Encoding.PNG, quality=90))
    data[16:24] = (30_000).to_bytes(4) * 2
    with pytest.raises(FrameDecodeError):
        decode_image(bytes(data), Encoding.PNG, HW)


@given(
    data=st.binary(max_size=200), start=st.sampled_from([b"", b"\xff\xd8", b"\xff\xd8\xff\xc0", b"\x89PNG\r\n\x1a\n"])
)
def test_random_bytes_are_refused(data: bytes, start: bytes) -> None:
    for encoding in Encoding:
        with pytest.raises(FrameDecodeError):
            decode_image(start + data, encoding, HW)


@pytest.mark.parametrize("kind", OtherImage)
def test_an_image_of_another_kind_states_its_size_unless_it_is_cut_short(kind: OtherImage) -> None:
    _, encoded = cv2.imencode(f".{kind}", np.zeros((48, 64, 3), np.uint8))
    data = encoded.tobytes()
    assert image_size(data) == (kind, (48, 64))
    assert is_image(data[:32])
    assert image_size(data[:33]) is None
    image_size(data[:32] + b"\xff" * 200)  # nothing is raised
