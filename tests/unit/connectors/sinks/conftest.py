"""Tests of a sink whose extra is not installed are left out."""

from importlib.util import find_spec

NEEDED = {"test_mqtt.py": ("paho",), "test_apprise.py": ("apprise", "aiosmtpd")}

collect_ignore = [name for name, packages in NEEDED.items() if not all(map(find_spec, packages))]
