"""What routes do with the networks of the run: ask them, and show a cut-out of a picture."""

import base64
from collections.abc import Callable
from typing import TypeVar

import numpy as np
from fastapi import HTTPException
from numpy.typing import NDArray

from connectors.console.camera.best_pictures import encoded
from pipeline.core.errors import ConnectorError, DataError, ReidError

QUALITY = 88
"""JPEG quality of cut-outs, in [1, 100]."""

Result = TypeVar("Result")


def from_networks(what: str, ask: Callable[[], Result]) -> Result:
    """Return the networks' answer; 409 if this machine cannot build them, 422 if a picture shows nothing.

    ``what`` needs them, for the message.
    """
    try:
        return ask()
    except ConnectorError:
        raise
    except DataError as error:
        raise HTTPException(422, str(error)) from error
    except ReidError as error:
        raise HTTPException(409, f"{what} needs the networks of the run: {error}") from error


def as_text(image: NDArray[np.uint8]) -> str:
    """Return a picture, shape ``(h, w, 3)``, uint8, RGB, as JPEG in Base64."""
    return base64.b64encode(encoded(np.ascontiguousarray(image), QUALITY)).decode()
