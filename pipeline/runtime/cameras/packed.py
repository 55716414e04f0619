"""A factory that is unpacked where it is called: what cannot be imported there concerns its caller alone."""

import pickle
from collections.abc import Callable
from typing import Any

from pipeline.core.errors import ConfigError, in_a_line


class Packed:
    """Calls a factory. Sent to another process, it is read there at the first call and not with all else that is sent.

    Args:
        key: Of the configuration, for messages.
        make: Picklable.
    """

    def __init__(self, key: str, make: Callable[..., Any]) -> None:
        self._key, self._make = key, make

    def __getstate__(self) -> tuple[str, bytes]:
        return self._key, pickle.dumps(self._make)

    def __setstate__(self, state: tuple[str, bytes]) -> None:
        self._key, packed = state

        def make(*arguments: Any, **options: Any) -> Any:
            try:
                unpacked = pickle.loads(packed)
            except Exception as error:  # what an import raises may be anything
                raise ConfigError(
                    f"{self._key}: expected a plug-in that can be imported where it works, got {in_a_line(error)}; "
                    "install it there, or name its folder in PYTHONPATH"
                ) from error
            self._make = unpacked
            return unpacked(*arguments, **options)

        self._make = make

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        """Return what the factory returns.

        Raises:
            ConfigError: If the factory cannot be read here.
        """
        return self._make(*arguments, **options)
