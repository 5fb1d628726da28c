"""What `--help` says of commands."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from packaging_assets.cli.main import COMMANDS, main
from packaging_assets.settings import load_settings


def help_of(*command: str) -> list[str]:
    result = CliRunner().invoke(main, [*command, "--help"], terminal_width=80)
    assert result.exit_code == 0, result.output
    return result.stdout.splitlines()


def test_a_group_tells_the_whole_first_sentence_of_each_command():
    lines = help_of("models")
    start = lines.index("  approve    Approve a version that is pending or was rejected; it serves at")
    assert lines[start + 1].strip() == "once if its week is the latest."


@pytest.mark.parametrize("command", COMMANDS)
def test_no_command_is_listed_with_a_sentence_cut_short(command: str):
    assert not [line for line in help_of(command) if line.endswith("...") and not line.startswith("Usage: ")]


def test_the_example_of_ingest_can_be_pasted_into_a_shell():
    lines = help_of("ingest")
    start = lines.index("  Try it:")
    assert lines[start + 1 : start + 3] == [
        "    packaging ingest --products samples/products.csv --tests samples/package_tests.csv \\",
        "                     --feedback samples/customer_feedback.csv",
    ]


def test_the_homes_in_the_example_of_promote_are_environments_of_two_names():
    (line,) = [line for line in help_of("models", "promote") if "--from homes" in line]
    words = line.split()
    names = [load_settings(Path(words[words.index(option) + 1])).environment_name for option in ("--from", "--to")]
    assert names == ["test", "live"]
