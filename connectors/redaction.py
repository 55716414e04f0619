"""Removes credentials from URLs before they reach a log, an error or a metric."""

import re

_URL = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*://)(?P<rest>.*)", re.DOTALL)
# Some cameras take the password in the path. Its value ends where the next part begins.
_SECRET = re.compile(
    r"(?P<name>pass(?:word|wd|phrase)?|pwd|psw|secret|token|api_?key|key|auth|authorization|signature|sig|credentials?)"
    r"=[^&;/?#]*",
    re.IGNORECASE,
)


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
