"""Training needs the packages of the extra ``train``; without them its tests are not even collected."""

from importlib.util import find_spec

collect_ignore_glob = ["test_*.py"] if find_spec("torch") is None or find_spec("safetensors") is None else []
