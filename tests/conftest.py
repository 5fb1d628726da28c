"""What every suite shares: an environment without the developer's own settings, and examples that take their time."""

import os

import pytest
from hypothesis import settings

# CI examples are the same on every run; how long one takes depends on who else uses the machine.
settings.register_profile("default", deadline=None, derandomize="CI" in os.environ)
settings.load_profile("default")


@pytest.fixture(scope="session", autouse=True)
def _no_settings_from_outside() -> None:
    for name in [*os.environ]:
        if name.startswith(("PACKAGING_", "DAGSTER_")):
            del os.environ[name]
    os.environ["DAGSTER_DISABLE_TELEMETRY"] = "true"
