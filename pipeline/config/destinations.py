"""What a site writes to: no two sites of a job may share it, because people have the same numbers in each."""

import os
import re
from collections.abc import Iterator, Mapping

from pipeline.config.schema import PipelineConfig
from pipeline.core.errors import ConfigError

WRITTEN = re.compile(r"(dir|directory|file|folder|outbox|database|path)$")
"""How the name of a key ends whose value is a file or a folder, however that is written."""

OTHER = re.compile(
    r"^(cameras|ground|lines|masks|oidc|proxy|security|zones)$"
    r"|accounts|ca_file|cert|font|key|password|secret|template|token|topic"
)
"""The name of a key whose value is only read, may be shared or is no file, and of one that has such keys in it."""

FILE_OR_FOLDER = ("/", "./", "../", "~")
"""How a value begins that is a file or a folder, whatever its key is called."""

Place = tuple[str, str]
"""The server of a topic and its name; of a file or a folder, nothing and its path."""


def check_destinations(sites: Mapping[str, PipelineConfig]) -> None:
    """Raise ``ConfigError`` if two sites write to one file, folder or topic.

    A key of a sink or a monitor that names a file or a folder counts as written, also of a plug-in of somebody else.

    Args:
        sites: By name.
    """
    taken: dict[Place, tuple[str, str]] = {_file(site.output_dir): (name, "output_dir") for name, site in sites.items()}
    for name, config in sites.items():
        for key, value, place in _destinations(config):
            other, of_other = taken.setdefault(place, (name, key))
            if other != name:
                also = "" if of_other == key else f" ({of_other})"
                sign = "/" if key.endswith(("dir", "folder", "directory", "mqtt.topic")) else "."
                raise ConfigError(
                    f"{key}: expected another one for each site, got {value} for {other}{also} and {name}; write "
                    f"'{key}={value}{sign}${{site_name}}', or set sites.{name}.{key}"
                )


def _destinations(config: PipelineConfig) -> Iterator[tuple[str, str, Place]]:
    """Yield key, value and place of what only one run may write or commit to."""
    if config.edits is not None:
        yield "edits", config.edits, _file(config.edits)
    monitors = {key: getattr(config, key) for key in ("alert_clips", "alert_pictures", "monitor", "recording")}
    for key, options in {**monitors, **{f"sink.{name}": options for name, options in config.sink.items()}}.items():
        yield from _files(key, options)
    kafka = config.sink.get("kafka") or {}
    topics = [(f"sink.kafka.topics.{kind}", topic, kafka) for kind, topic in (kafka.get("topics") or {}).items()]
    if counts := (config.sink.get("counts") or {}).get("kafka"):
        topics.append(("sink.counts.kafka.topic", counts.get("topic"), counts))
    for key, topic, options in topics:
        if topic is not None:
            yield key, str(topic), (f"kafka {options.get('servers')}", str(topic))
    if mqtt := config.sink.get("mqtt"):
        yield "sink.mqtt.topic", str(mqtt.get("topic")), (f"mqtt {mqtt.get('url')}", str(mqtt.get("topic")))
    group = (config.source.get("kafka") or {}).get("group")
    if group is not None and any("kafka://" in str(camera) for camera in config.site.cameras.values()):
        yield "source.kafka.group", str(group), ("consumer group", str(group))


def _files(key: str, node: object) -> Iterator[tuple[str, str, Place]]:
    """Yield key, value and place of each file or folder that the options of a plug-in name, those inside included."""
    name = key.rpartition(".")[2]
    if isinstance(node, Mapping):
        for inner, value in node.items():
            if not OTHER.search(str(inner)):
                yield from _files(f"{key}.{inner}", value)
    elif isinstance(node, list | tuple):
        for value in node:
            yield from _files(key, value)
    elif isinstance(node, str) and node and (WRITTEN.search(name) or node.startswith(FILE_OR_FOLDER)):
        yield key, node, _file(node)


def _file(path: str) -> Place:
    return "", os.path.realpath(os.path.expanduser(path))
