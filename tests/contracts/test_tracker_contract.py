"""The contract of trackers, for each YAML in configs/tracker."""

from collections.abc import Callable

import pytest
from plugins import plugin_factory, plugin_names

from pipeline.contracts.test_tracker import *  # noqa: F403
from pipeline.core import Tracker


@pytest.fixture(params=plugin_names("tracker"))
def factory(request: pytest.FixtureRequest) -> Callable[[], Tracker]:
    return plugin_factory("tracker", request.param)
