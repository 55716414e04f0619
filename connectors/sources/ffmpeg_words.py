"""What errors of FFmpeg mean, in words that help."""

import errno

import av.error

WORDS: tuple[tuple[type[Exception], str], ...] = (
    (av.error.ExitError, "nothing more within the time that is waited"),
    (av.error.PatchWelcomeError, "a variant that FFmpeg cannot read"),
)
"""Errors whose own words are FFmpeg's alone: its word for a time-out, for instance, is "Immediate exit requested"."""

NUMBERS = {
    errno.EPERM: "what the decoder cannot read",  # decoders return -1 for anything
    errno.EIO: "a connection or a disk that broke off",
}
"""Likewise, of errors that are told apart by their number."""


def error_words(error: BaseException) -> str:
    """Return what an error says, never nothing."""
    for kind, words in WORDS:
        if isinstance(error, kind):
            return words
    if isinstance(error, av.error.FFmpegError) and error.errno in NUMBERS:
        return NUMBERS[error.errno]
    strerror = getattr(error, "strerror", None)
    return str(strerror or error) or type(error).__name__
