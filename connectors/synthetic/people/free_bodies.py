"""Licences: which of anny's bodies are free for commercial use."""

from pipeline.core.errors import ConfigError

TOPOLOGY, RIG = "anny", "anny"


def check_free(topology: str, rig: str) -> None:
    """Accept only anny's own topology and rig.

    Raises:
        ConfigError: If they are others; those of the SMPL family download files for non-commercial use.
    """
    if (topology, rig) != (TOPOLOGY, RIG):
        raise ConfigError(f"topology, rig: expected {TOPOLOGY} and {RIG}, the free ones, got {topology} and {rig}")
