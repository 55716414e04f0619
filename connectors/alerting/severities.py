"""Which alerts a sink sends, by their severity."""

from pipeline.core import Severity
from pipeline.core.errors import ConfigError


def severities_from(min_severity: str, key: str) -> frozenset[Severity]:
    """Return ``min_severity`` and the severities above it.

    Args:
        min_severity: ``info``, ``warning`` or ``critical``.
        key: Of the sink in the configuration, for messages.

    Raises:
        ConfigError: If there is no such severity.
    """
    order = list(Severity)
    if min_severity not in order:
        raise ConfigError(f"{key}.min_severity: expected one of {', '.join(order)}, got {min_severity!r}; correct it")
    return frozenset(order[order.index(Severity(min_severity)) :])
