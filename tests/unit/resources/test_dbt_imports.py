"""What importing dbt does to the process that imports it."""

import subprocess
import sys

CODE = """
import logging
from packaging_assets.resources.dbt_project import log_handlers_kept
with log_handlers_kept():
    import dbt.cli.main
import snowplow_tracker
print(logging.root.handlers)
"""


def test_log_records_do_not_go_to_the_terminal_from_then_on():
    found = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True)  # noqa: S603 - ours
    assert found.stdout == "[]\n"
