"""Why a camera gives no picture, as a sentence for an operator: what to do, without configuration keys and secrets."""

import re

from connectors.redaction import redact_url

FAULTS = (
    (
        r"\b401\b|unauthorized|authorization failed",
        "The camera refuses this user and password; correct them, or ask who looks after it.",
    ),
    (r"\b403\b|forbidden|access denied", "The camera does not let this user see pictures; give the user that right."),
    (
        r"\b404\b|not found|\b410\b",
        "The camera is there, but has nothing at this address; check what stands behind the host.",
    ),
    (r"\b5\d\d\b.*(?:error|unavailable|gateway)|5xx", "The camera answers with an error of its own; start it again."),
    (
        r"connection refused",
        "Nothing listens at this address; check host and port, and that the camera is on.",
    ),
    (
        r"no route to host|network is unreachable|host is down",
        "The network does not reach this address; check the host, the cable and the network.",
    ),
    (
        r"no machine named|name or service not known|name resolution|resolve",
        "There is no host of this name; check how it is written.",
    ),
    (
        r"timed out|within [\d.]+ s|the time that is waited",
        "The camera does not answer in time; check the address, and that it is on and can be reached.",
    ),
    (r"certificate|verify", "The certificate of the camera cannot be trusted; ask who looks after this site."),
    (
        r"invalid data|no video|cannot be decoded|cannot read|web page",
        "What is at this address is no video; check the address.",
    ),
    (r"no such file|got nothing there|there is no", "There is no such file or folder; check the address."),
    (r"broke off|input/output error|end of (?:file|the stream)|reset by peer", "The connection broke off; try again."),
    (r"device that cannot be opened", "This device cannot be opened; check its number, and that nothing else uses it."),
    (r"device that sends no more|expected a picture, got none", "The camera sends no picture; check the address."),
)
"""What errors of cameras hold, in any case, and what an operator reads instead; the first that fits holds."""

_GOT = re.compile(r", got (?P<reason>.*)", re.DOTALL)


def for_operator(error: str, camera: str, password: str) -> str:
    """Return an error of a camera as a sentence for an operator; one that is not known, without its key and secrets.

    Args:
        error: One line, as ``passerby cameras`` prints it.
        camera: Name of the camera, which the key holds.
        password: Of the camera, empty without; it is not shown.
    """
    text = error.removeprefix(f"site.cameras.{camera}: ")
    if text == error:
        return _hidden(error.removeprefix(f"site.cameras.{camera}."), password)  # of an option, or of no camera
    found = _GOT.search(text)
    reason = found["reason"] if found else text
    reason = re.sub(r"; check (?:address|that|the) .*", "", reason, flags=re.DOTALL)
    for pattern, sentence in FAULTS:
        if re.search(pattern, reason, re.IGNORECASE):
            return sentence
    return f"The camera gives no picture: {_hidden(reason, password)}"


def _hidden(text: str, password: str) -> str:
    """Return a text whose addresses show no user and password; the password stands nowhere in it."""
    shown = re.sub(r"\w+://\S+", lambda found: redact_url(found[0]), text)
    return shown.replace(password, "***") if password else shown
