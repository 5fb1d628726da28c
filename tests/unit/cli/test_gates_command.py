import json

from click.testing import CliRunner

from packaging_assets.cli.main import main

ARGUMENTS = ["gates", "simulate", "--replicates", "2", "--rows", "2000"]


def test_json_is_a_list_of_judged_weeks_and_nothing_else() -> None:
    result = CliRunner().invoke(main, [*ARGUMENTS, "--json"])

    weeks = json.loads(result.stdout)
    assert [(week["rows"], week["minority_rate"], week["change"], week["replicates"]) for week in weeks] == [
        (2000, 0.05, 0.0, 2),
        (2000, 0.4, 0.0, 2),
        (2000, 0.05, -0.02, 2),
        (2000, 0.4, -0.02, 2),
    ]
    assert set(weeks[0]) == {"rows", "minority_rate", "change", "reject", "approve", "pending", "replicates"}


def test_the_table_ends_with_the_goals() -> None:
    result = CliRunner().invoke(main, ARGUMENTS)

    assert result.exit_code == 0
    assert "How 2 weeks of each kind were judged" in result.stdout
    assert "with fewer than 400 minority rows the verdict is pending at least 98%: 100.0%" in result.stdout
