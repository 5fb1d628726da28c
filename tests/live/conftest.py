"""The environment `aws` of the PACKAGING_* variables, for a handful of small tests that clean up after themselves."""

import os
import uuid
from collections.abc import Iterator

import pytest

# Read while tests are collected: what all suites share (tests/conftest.py) takes them away before the first test.
GIVEN = {name: value for name, value in os.environ.items() if name.startswith("PACKAGING_")}

PLAN = """
The live suite uses the AWS account of your credentials and the environment of the PACKAGING_* variables:

  what it makes                                                          about, in USD
  S3          some 60 small objects below jobs/live-... and exchange/live-...     0.01
  SageMaker   one processing job on ml.t3.medium, five minutes at most            0.01
  SageMaker   one model package group with two versions                           0.00
  Redshift    one schema with a table of three rows; a serverless warehouse
              wakes for it: a few minutes of its base capacity (8 RPU: 0.05 a minute) 0.30
  SNS         one message to the topic of warnings, so somebody is told           0.00
  CloudWatch  one value of one metric of the doctor's                             0.01

About 0.33 at list prices of us-east-1 in 2025; never compared with a bill. All is deleted again at the end, also of
tests that fail, except the message and the metric; what cannot be deleted is named.
"""


def pytest_collection_finish(session: pytest.Session) -> None:
    """Say beforehand what it does and costs, and go no further without leave."""
    if not any(item.get_closest_marker("live") for item in session.items) or session.config.option.collectonly:
        return
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if reporter is not None:
        reporter.write(PLAN)
    if not session.config.getoption("--yes-spend"):
        pytest.exit("Nothing was done: say --yes-spend to go on.", returncode=2)
    if GIVEN.get("PACKAGING_ENV") != "aws":
        pytest.exit("Nothing was done: PACKAGING_ENV is not 'aws' (see tests/live/README.md).", returncode=2)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Name what could not be deleted."""
    if LEFT_BEHIND:
        terminalreporter.section("left behind", sep="=", red=True)
        for what in LEFT_BEHIND:
            terminalreporter.write_line(f"delete by hand: {what}")


LEFT_BEHIND: list[str] = []


@pytest.fixture(scope="session")
def live_settings(tmp_path_factory: pytest.TempPathFactory):
    """The settings from outside; the home is a scratch folder unless one is named."""
    from packaging_assets.settings import load_settings

    with pytest.MonkeyPatch.context() as patch:
        for name, value in GIVEN.items():
            patch.setenv(name, value)
        if "PACKAGING_HOME" not in GIVEN:
            patch.setenv("PACKAGING_HOME", str(tmp_path_factory.mktemp("home") / "live"))
        yield load_settings()


@pytest.fixture
def unique() -> str:
    """Names what a test makes; never the same twice."""
    return f"live-{uuid.uuid4().hex[:8]}"


@pytest.fixture
def deleting() -> Iterator[list]:
    """A list of (what, how to delete it): done in reverse order at the end, whatever becomes of the test."""
    steps: list = []
    yield steps
    for what, delete in reversed(steps):
        try:
            delete()
        except Exception as error:  # noqa: BLE001 - the others are to be deleted, too
            LEFT_BEHIND.append(f"{what} ({type(error).__name__}: {str(error).splitlines()[0]})")


@pytest.fixture
def scratch_settings(live_settings, unique, deleting):
    """The settings with a part of the bucket of its own, of the folder given, and its deletion."""

    def below(folder):
        from packaging_assets.resources.aws_environment import objects

        prefix = "/".join(part for part in (live_settings.s3_prefix, folder, unique) if part)
        ours = live_settings.model_copy(update={"s3_prefix": prefix})
        everything = objects(live_settings, f"{folder}/{unique}")
        place = everything.uri("")
        deleting.append((place, lambda: everything.delete([entry.key for entry in everything.entries()])))
        return ours

    return below
