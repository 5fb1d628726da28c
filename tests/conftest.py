"""What every suite shares: an environment without the developer's own settings, and examples that take their time."""

import os
import signal

import pytest
from hypothesis import settings

# Read when OpenMP is loaded, by scikit-learn. Its threads would spin while they wait for one another, and where tests
# share the cores they wait most of the time: to fit a small model three times took 84 s instead of 2 on a busy machine.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

# Tests interrupt what they start as Ctrl-C would; a suite that was itself started in the background ignores that.
signal.signal(signal.SIGINT, signal.default_int_handler)

# CI examples are the same on every run; how long one takes depends on who else uses the machine.
settings.register_profile("default", deadline=None, derandomize="CI" in os.environ)
settings.load_profile("default")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Here, since pytest reads options before it has found tests/live."""
    parser.addoption("--yes-spend", action="store_true", help="with -m live: what it costs may be spent")


@pytest.fixture(scope="session", autouse=True)
def _no_settings_from_outside() -> None:
    for name in [*os.environ]:
        if name.startswith(("PACKAGING_", "DAGSTER_")):
            del os.environ[name]
    os.environ["DAGSTER_DISABLE_TELEMETRY"] = "true"
