"""No password reaches the written configuration, or the message about a mistake on the command line."""

from pathlib import Path

import pytest
import yaml

from pipeline.config.composition import load_config, load_written, to_yaml
from pipeline.config.masking import masked
from pipeline.core.errors import ConfigError

ADDRESSES = [
    "rtsp://ann:hunter2@10.0.0.1:554/live",
    "rtsp://ann:hun/ter2@10.0.0.1/live",
    "rtsp://ann:p@hunter2@10.0.0.1/live",
    "rtsp://hunter2@10.0.0.1/live",
    "rtsp://10.0.0.1/live?user=ann&password=hunter2",
    "rtsp://10.0.0.1/live?channel=1&access_token=hunter2&subtype=0",
    "srt://10.0.0.1:9000?mode=caller&passphrase=hunter2hunter2",
]


@pytest.mark.parametrize("address", ADDRESSES)
def test_an_address_is_written_without_its_secrets(address: str) -> None:
    for camera in (f"'{address}'", f"{{uri: '{address}', read_timeout_s: 3}}"):
        written = to_yaml(load_config([f"site.cameras={{east: {camera}, west: /a/west.mp4}}"]))
        assert "hunter2" not in written
        assert "ter2" not in written
        assert "10.0.0.1" in written
        assert "/a/west.mp4" in written


@pytest.mark.parametrize("value", ["hunter2", "'hunter2: and\n  hunter2'", "[hunter2, hunter2]", "{password: hunter2}"])
@pytest.mark.parametrize("key", ["secret", "api_token", "camera_password"])
def test_the_value_of_a_secret_key_is_not_written(key: str, value: str, tmp_path: Path) -> None:
    written = to_yaml(load_config([f"site.cameras={{east: {{uri: /a/east.mp4, {key}: {value}}}}}"]))
    assert "hunter2" not in written
    assert yaml.safe_load(written)["site"]["cameras"]["east"]["uri"] == "/a/east.mp4"
    (tmp_path / "config.yaml").write_text(written)
    assert load_written(tmp_path / "config.yaml").site.cameras["east"]["uri"] == "/a/east.mp4"


def test_the_name_of_what_holds_a_secret_is_written_and_can_be_read_again() -> None:
    words = ["sink=[jsonl,webhook]", "sink.webhook.url=http://127.0.0.1:1/", "sink.webhook.secret_env=SIGNING"]
    assert yaml.safe_load(to_yaml(load_config(words)))["sink"]["webhook"]["secret_env"] == "SIGNING"


def test_the_message_about_a_mistake_masks_a_password_beside_it() -> None:
    with pytest.raises(ConfigError, match=r"site\.cameras") as caught:
        load_config(['site.cameras={east: "rtsp://ann:hunter2@10.0.0.1/live"'])
    assert "hunter2" not in str(caught.value)


def test_a_text_with_lines_of_a_configuration_is_masked_as_the_configuration_is() -> None:
    text = "in line 3:\n  password: hunter2\n  api_token: hunter2\n  password_env: CAMERA\n  token_file: /run/token"
    kept = "in line 3:\n  password: ***\n  api_token: ***\n  password_env: CAMERA\n  token_file: /run/token"
    assert masked(text) == kept


def test_an_unknown_choice_is_answered_with_all_there_are() -> None:
    with pytest.raises(ConfigError, match="campus, demo, empty, pets, pets_halves"):
        load_config(["site=nowhere"])
