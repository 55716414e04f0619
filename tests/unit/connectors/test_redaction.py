import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.redaction import redact_url


@pytest.mark.parametrize(
    ("url", "redacted"),
    [
        ("rtsp://ann:s3cret@10.0.0.1:554/live", "rtsp://***@10.0.0.1:554/live"),
        ("rtsp://ann@10.0.0.1/live", "rtsp://***@10.0.0.1/live"),
        ("rtsp://10.0.0.1:554/live?channel=1&subtype=0", "rtsp://10.0.0.1:554/live?channel=1&subtype=0"),
        ("rtsp://10.0.0.1/live?channel=1&password=s3cret&x=2", "rtsp://10.0.0.1/live?channel=1&password=***&x=2"),
        ("rtsp://10.0.0.1/user=ann&password=s3cret&channel=1", "rtsp://10.0.0.1/user=ann&password=***&channel=1"),
        ("https://host/hook?access_token=s3cret", "https://host/hook?access_token=***"),
        ("rtsp://[fe80::1]:554/live", "rtsp://[fe80::1]:554/live"),
        ("rtsp://ann:s3cret@[fe80::1]:554/live", "rtsp://***@[fe80::1]:554/live"),
        ("rtsp://ann:p@ss@10.0.0.1/live", "rtsp://***@10.0.0.1/live"),
        ("rtsp://ann:p/ss@10.0.0.1/live", "rtsp://***@10.0.0.1/live"),
        ("rtsp://ann:p?ss@10.0.0.1/live", "rtsp://***@10.0.0.1/live"),
        ("RTSPS://ann:s3cret@host", "RTSPS://***@host"),
        ("http://host/@ann/clip.mp4", "http://host/@ann/clip.mp4"),
        ("/data/east.mp4", "/data/east.mp4"),
        ("0", "0"),
    ],
)
def test_only_credentials_are_hidden(url: str, redacted: str) -> None:
    assert redact_url(url) == redacted


@given(password=st.text(st.characters(min_codepoint=33, max_codepoint=126)))
def test_any_password_is_hidden(password: str) -> None:
    assert redact_url(f"rtsp://ann:{password}@10.0.0.1:554/live") == "rtsp://***@10.0.0.1:554/live"


@given(url=st.text())
def test_a_second_redaction_changes_nothing(url: str) -> None:
    once = redact_url(url)
    assert redact_url(once) == once
