"""Removes credentials from URLs and answers before they reach a log, an error or a metric."""

import re
from collections.abc import Iterable

_URL = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*://)(?P<rest>.*)", re.DOTALL)
_NAME = (
    r"(?P<name>pass(?:word|wd|phrase)?|pwd|psw|secret|token|api_?key|key|auth|authorization|signature|sig|credentials?)"
)
# Some cameras take the password in the path. Its value ends where the next part begins.
_SECRET = re.compile(rf"{_NAME}=[^&;/?#]*", re.IGNORECASE)
_IN_TEXT = re.compile(
    rf"\b{_NAME}\b(?P<sign>[\"']?\s*[:=]\s*[\"']?)(?:(?:bearer|basic)\s+)?[^\s\"',;&}}]+", re.IGNORECASE
)

MAX_SHOWN = 80
"""Characters that are shown of an answer. More say more of what went wrong, and fill the log."""


def redact_url(url: str) -> str:
    """Return a URL with ``***`` in place of user and password, and of secret values in path and query.

    Example:
        >>> redact_url("rtsp://ann:s3cret@10.0.0.1:554/live?channel=1&token=abc")
        'rtsp://***@10.0.0.1:554/live?channel=1&token=***'
    """
    match = _URL.fullmatch(url)
    if match is None:
        return url
    rest = match["rest"]
    authority = re.split(r"[/?#]", rest, maxsplit=1)[0]
    # A password may hold unescaped / ? # and @: only the last @ certainly ends it.
    if "@" in rest and ("@" in authority or ":" in authority):
        rest = "***" + rest[rest.rindex("@") :]
    return match["scheme"] + _SECRET.sub(r"\g<name>=***", rest)


def redact_answer(text: str, secrets: Iterable[str] = ()) -> str:
    """Return the first words of what a receiver answers, on one line, with ``***`` in place of secret values.

    Args:
        text: The answer.
        secrets: Texts that must not be shown; those of one or two characters are shown, since any word has them.

    Example:
        >>> redact_answer('{"error": "bad form", "token": "abc"}'), redact_answer("no s3cret", ["s3cret"])
        ('{"error": "bad form", "token": "***"}', 'no ***')
    """
    shown = " ".join("".join(sign if sign.isprintable() else " " for sign in text[:2000]).split())
    shown = _IN_TEXT.sub(r"\g<name>\g<sign>***", shown)
    for secret in sorted((each for each in secrets if len(each) > 2), key=len, reverse=True):
        shown = shown.replace(secret, "***")
    return shown if len(shown) <= MAX_SHOWN else f"{shown[:MAX_SHOWN]}…"
