"""Which of anny's bodies anybody may use."""

from pipeline.core.errors import ConfigError

TOPOLOGY, RIG = "anny", "anny"


def check_free(topology: str, rig: str) -> None:
    """Let only anny's own topology and rig pass.

    Raises:
        ConfigError: If they are others: those of the SMPL family download files for non-commercial use.
    """
    if (topology, rig) != (TOPOLOGY, RIG):
        raise ConfigError(f"topology, rig: expected {TOPOLOGY} and {RIG}, the free ones, got {topology} and {rig}")
