"""What can be said of the deployment files where no engine runs: that they are whole, safe, and fit the programs."""

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from asked_series import of_the_alerts, of_the_board
from compose_site import documented_camera, followed_since, longest_pause_s, with_another_camera
from compose_spec import PyCompose

from pipeline.cli.publish import make_parser
from pipeline.config.composition import load_config
from pipeline.telemetry.metrics import COUNTERS, GAUGES

DOCKER = Path(__file__).resolve().parents[1] / "docker"
VARIABLES = {"PASSERBY_WEIGHTS": "/w", "PASSERBY_FOOTAGE": "/a", "PASSERBY_FILM": "east.mp4"}
OURS = ("publisher", "head", "worker", "job", "console")


@pytest.fixture(scope="module")
def project() -> dict[str, Any]:
    """The compose file, with our variables filled in as docker does it."""
    text = (DOCKER / "compose.yaml").read_text()
    text = re.sub(r"\$\{(\w+):\+([^}]*)\}", lambda match: match[2] if match[1] in VARIABLES else "", text)
    text = re.sub(r"\$\{(\w+):-([^}]*)\}", lambda match: VARIABLES.get(match[1], match[2]), text)
    project: dict[str, Any] = yaml.safe_load(text)
    return project


@pytest.fixture
def services(project: dict[str, Any]) -> dict[str, Any]:
    services: dict[str, Any] = project["services"]
    return services


def test_the_dockerfile_passes_its_linter() -> None:
    hadolint = Path(sys.executable).with_name("hadolint")
    found = subprocess.run([hadolint, DOCKER / "Dockerfile"], capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stdout


def test_the_compose_file_follows_its_specification(project: dict[str, Any]) -> None:
    PyCompose.from_json(json.dumps(project)).validate()
    with pytest.raises(ValueError, match="read_onlyy"):
        PyCompose.from_json(json.dumps({**project, "services": {"job": {"image": "x", "read_onlyy": True}}}))


def documents() -> list[Path]:
    found = (path for path in DOCKER.rglob("*") if path.suffix in {".yaml", ".json"})
    return sorted(path for path in found if path.parent.name != "templates")


@pytest.mark.parametrize("path", documents(), ids=lambda path: path.name)
def test_every_file_can_be_read(path: Path) -> None:
    assert yaml.safe_load(path.read_text())


def test_nothing_listens_outside_the_machine(services: dict[str, Any]) -> None:
    ports = [port for service in services.values() for port in service.get("ports", ())]
    assert ports
    assert all(port.startswith("127.0.0.1:") for port in ports)


@pytest.mark.parametrize("name", OURS)
def test_our_containers_have_a_read_only_root_and_no_rights(services: dict[str, Any], name: str) -> None:
    service = services[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert "no-new-privileges:true" in service["security_opt"]


def test_the_image_does_not_run_as_root() -> None:
    stages = re.split(r"^FROM ", (DOCKER / "Dockerfile").read_text(), flags=re.MULTILINE)[2:]
    assert len(stages) == 2
    assert all("USER 10001" in stage for stage in stages)


def test_the_image_says_which_version_it_is() -> None:
    pyproject = tomllib.loads((DOCKER.parent / "pyproject.toml").read_text())
    label = f'org.opencontainers.image.version="{pyproject["project"]["version"]}"'
    assert label in (DOCKER / "Dockerfile").read_text()


def test_what_is_mounted_is_there(services: dict[str, Any]) -> None:
    mounts = [volume for service in services.values() for volume in service.get("volumes", ())]
    for mount in mounts:
        if mount.startswith("./"):
            assert (DOCKER / mount.split(":")[0]).exists(), mount


def test_everybody_waits_for_somebody_who_is_there(services: dict[str, Any]) -> None:
    for name, service in services.items():
        for other, condition in service.get("depends_on", {}).items():
            assert other in services, name
            if condition["condition"] == "service_healthy":
                assert "healthcheck" in services[other]


def test_the_job_is_a_run_as_we_know_it(services: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    environment, command = services["job"]["environment"], services["job"]["command"]
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", environment["KAFKA_BOOTSTRAP_SERVERS"])
    assert services["job"]["entrypoint"][:2] == ["passerby", "job"]
    config = load_config(command)
    assert config.site.cameras == {"east": "kafka://kafka:9092/passerby.frames"}
    assert config.sink["kafka"]["servers"] == "kafka:9092"
    assert config.sink["kafka"]["security"]["allow_plaintext"] is True


def test_the_documented_block_adds_a_camera() -> None:
    block = documented_camera(DOCKER.parent / "docs/deployment.md")
    services = yaml.safe_load(with_another_camera((DOCKER / "compose.yaml").read_text(), block))["services"]
    assert load_config(services["job"]["command"][:3]).site.cameras.keys() == {"east", "west"}
    publisher = services["publisher-west"]
    assert make_parser().parse_args([*publisher["entrypoint"][3:], *publisher["command"]]).camera == "west"


def test_every_container_comes_back_with_its_machine(services: dict[str, Any]) -> None:
    """Docker starts only what is always restarted; a run whose films have ended waits, so that it is not read again."""
    assert {service["restart"] for service in services.values()} == {"unless-stopped"}
    assert "--stay" in services["job"]["entrypoint"]


def test_the_publisher_is_started_as_it_wants_to_be(services: dict[str, Any]) -> None:
    publisher = services["publisher"]
    parsed = make_parser().parse_args([*publisher["entrypoint"][3:], *publisher["command"]])
    assert (parsed.camera, parsed.source, parsed.as_live) == ("east", "/footage/east.mp4", True)
    assert load_config(["site=empty", *parsed.overrides]).source["kafka"]["security"]["allow_plaintext"] is True


def test_nothing_is_written_to_a_topic_that_nobody_makes(services: dict[str, Any]) -> None:
    environment = services["kafka"]["environment"]
    assert environment["KAFKA_AUTO_CREATE_TOPICS_ENABLE"] == "false"  # the publisher and the sink make theirs
    assert environment["KAFKA_LOG_DIRS"] == services["kafka"]["volumes"][0].partition(":")[2]
    assert "sink.kafka.retention_s=2592000" in services["job"]["command"]


def test_the_board_shows_what_is_measured() -> None:
    assert of_the_board() == {f"ray_{name}" for name in (*COUNTERS, *GAUGES)}


def test_the_alerts_are_about_what_is_measured() -> None:
    assert of_the_alerts() < {f"ray_{name}" for name in (*COUNTERS, *GAUGES)}
    (group,) = yaml.safe_load((DOCKER / "alerts.yaml").read_text())["groups"]
    assert {rule["alert"] for rule in group["rules"]} >= {"CameraAway", "OutboxGrows", "CameraLags"}


def test_a_pause_and_its_end_are_measured_over_a_run_that_counts_anew() -> None:
    steady = [(float(at), 10 * at) for at in range(10)]
    looks = [*steady, (10.0, None), (20.0, 90), (30.0, 0), (31.0, 4), *((32.0 + at, 14 + 10 * at) for at in range(9))]
    assert longest_pause_s(looks, 5.0, 40.0) == 31.0 - 9.0
    assert followed_since(looks, 9.5) == 31.0
    assert followed_since([*looks, (50.0, 94)], 9.5) is None
