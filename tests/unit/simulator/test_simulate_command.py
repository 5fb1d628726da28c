"""`packaging simulate`."""

from click.testing import CliRunner

from packaging_assets.cli.simulate import simulate
from packaging_assets.simulator import INCIDENTS


def test_writes_the_deliveries_and_says_so_on_stderr(tmp_path):
    options = ["--out", str(tmp_path / "shop"), "--products", "200", "--weeks", "2", "--incident", "late_delivery@1"]
    result = CliRunner().invoke(simulate, options)
    assert result.exit_code == 0, result.output
    assert result.stdout == ""
    assert "200 products, 4 deliveries from 2025-01-06 to 2025-01-19" in result.stderr
    assert (tmp_path / "shop/2025-01-13/late/package_tests.parquet").is_file()


def test_an_unknown_incident_is_one_sentence_with_the_allowed_kinds(tmp_path):
    result = CliRunner().invoke(simulate, ["--out", str(tmp_path / "shop"), "--incident", "flood@1"])
    assert result.exit_code == 1
    assert "unknown kind 'flood'" in result.stderr
    assert all(kind in result.stderr for kind in INCIDENTS)
    assert not (tmp_path / "shop").exists()


def test_an_incident_after_the_end_is_refused(tmp_path):
    options = ["--out", str(tmp_path / "shop"), "--weeks", "2", "--incident", "cm_to_inch@5"]
    result = CliRunner().invoke(simulate, options)
    assert result.exit_code == 1
    assert result.stderr.splitlines()[-1] == "Error: incident cm_to_inch is in week 5 of 2 weeks"


def test_a_folder_with_other_files_is_refused(tmp_path):
    (tmp_path / "thesis.txt").write_text("mine")
    result = CliRunner().invoke(simulate, ["--out", str(tmp_path), "--products", "10"])
    assert result.exit_code == 1
    assert "name an empty folder" in result.stderr
