"""`packaging experiment` over the small home: what people see, and the same as JSON."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from experiment_bench import bench_over

from packaging_assets.cli.main import main
from packaging_assets.experiments.workbench import Workbench

DEEPER = ("run", "mailer", "--set", "parameters.depth=5")


@pytest.fixture
def home(bench: Workbench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(Workbench, "for_home", lambda _, **__: bench)
    return tmp_path / "home"


def run(home: Path, *arguments: str) -> Result:
    result = CliRunner().invoke(main, ["experiment", *arguments, "--home", str(home)])
    assert result.exit_code == 0, result.output
    return result


def lines_of(result: Result) -> list[str]:
    """Lines with the frames of tables and runs of spaces taken away."""
    return [" ".join(line.replace("│", " ").split()) for line in result.stdout.splitlines()]


def test_a_run_shows_its_figures_reasons_and_hits(home: Path):
    first = run(home, *DEEPER, "--name", "deeper")
    record = json.loads(run(home, *DEEPER, "--json").stdout)
    shown = lines_of(first)
    week = record["weeks"][0]
    row = next(line for line in shown if line.startswith(record["id"]))
    assert row.startswith(f"{record['id']} mailer 2025-02-10 {week['candidate']['pr_auc']:.4f} ")
    assert row.endswith(f"{week['candidate']['verdict']} parameters.depth=5 deeper")
    assert shown[-1].startswith(f"{record['id']}: ")
    assert shown[-1].endswith("s, 4 of 6 steps from the cache; nothing was registered.")
    assert any(line.startswith("2025-02-10: enough_minority_rows: ") for line in shown)
    assert (record["cache_hits"], record["label"]) == (6, "deeper")


def test_a_run_in_which_nothing_was_set_that_matters_says_so(home: Path):
    sentence = "Nothing that was set changes how the model is trained or judged."
    assert sentence in lines_of(run(home, "run", "mailer", "--set", "suitable_from=0.7"))
    assert sentence in lines_of(run(home, "run", "mailer", "--set", "parameters.depth=3"))
    assert sentence not in lines_of(run(home, *DEEPER))
    assert sentence not in lines_of(run(home, "run", "mailer"))


def test_the_list_can_be_one_model_s(home: Path):
    mailer = json.loads(run(home, *DEEPER, "--json").stdout)["id"]
    box = json.loads(run(home, "run", "box", "--json").stdout)["id"]
    assert [record["id"] for record in json.loads(run(home, "list", "--json").stdout)] == sorted([mailer, box])
    listed = lines_of(run(home, "list", "--model", "box"))
    assert [line.split()[0] for line in listed if "2025-02-10" in line] == [box]
    assert any(line.startswith(f"{box} box 2025-02-10") and "nothing set" in line for line in listed)


def test_a_comparison_shows_both_sides_the_difference_and_the_mean(home: Path, tmp_path: Path):
    weeks = ("--week", "2025-02-03", "--week", "2025-02-10")
    identifier = json.loads(run(home, *DEEPER, *weeks, "--json").stdout)["id"]
    found = json.loads(run(home, "compare", identifier, "--json").stdout)
    plot = tmp_path / "curves.png"
    shown = lines_of(run(home, "compare", identifier, "--plot", str(plot)))
    first, second = found["weeks"]
    assert [week["week"] for week in found["weeks"]] == ["2025-02-03", "2025-02-10"]
    assert first["difference"] == pytest.approx(first["first"]["pr_auc"] - first["second"]["pr_auc"])
    assert found["set"] == [{"parameters.depth": 5}, {}]
    assert f"PR-AUC {second['first']['pr_auc']:.4f} {second['second']['pr_auc']:.4f}" in shown
    assert "set parameters.depth=5 nothing set" in shown
    assert (
        f"PR-AUC, {identifier} minus mailer as in its YAML: {second['difference']:+.4f} (standard error "
        f"{second['standard_error']:.4f}), on the {second['rows']} rows that judge both."
    ) in shown
    mean = found["mean"]
    assert f"Mean of 2 weeks: {mean['difference']:+.4f} (standard error {mean['standard_error']:.4f})." in shown
    assert shown[-1] == f"Written to {plot}."
    assert plot.read_bytes().startswith(b"\x89PNG")


def test_a_comparison_over_an_edit_of_the_model_warns(home: Path, monkeypatch: pytest.MonkeyPatch):
    first = json.loads(run(home, *DEEPER, "--json").stdout)["id"]
    edited = bench_over(home, features={"numeric": ["weight_kg"]})
    monkeypatch.setattr(Workbench, "for_home", lambda _, **__: edited)
    second = json.loads(run(home, "run", "mailer", "--set", "parameters.depth=2", "--json").stdout)["id"]
    warning = json.loads(run(home, "compare", first, second, "--json").stdout)["warning"]
    assert warning.startswith("mailer as in its YAML was not the same for 2025-02-10")
    assert lines_of(run(home, "compare", first, second))[-1] == warning
    assert json.loads(run(home, "compare", second, "--json").stdout)["warning"] is None


def test_a_comparison_with_the_champion_has_no_verdict_for_it(home: Path):
    identifier = json.loads(run(home, *DEEPER, "--json").stdout)["id"]
    shown = lines_of(run(home, "compare", identifier, "champion"))
    assert any(line.startswith("verdict ") and line.endswith(" -") for line in shown)
    assert json.loads(run(home, "compare", identifier, "champion", "--json").stdout)["mean"] is None


def test_the_space_is_the_model_s_own_where_no_file_is_given(home: Path, monkeypatch: pytest.MonkeyPatch):
    searching = bench_over(home, search={"parameters.iterations": {"int": [3, 9]}})
    monkeypatch.setattr(Workbench, "for_home", lambda _, **__: searching)
    tuned = json.loads(run(home, "tune", "mailer", "--week", "2025-02-03", "--trials", "1", "--json").stdout)
    assert tuned["week"] == "2025-02-03"
    assert 3 <= tuned["best"]["overrides"]["parameters.iterations"] <= 9


def test_a_plot_that_cannot_be_written_is_told(home: Path, tmp_path: Path):
    identifier = json.loads(run(home, *DEEPER, "--json").stdout)["id"]
    missing = tmp_path / "none" / "curves.png"
    result = CliRunner().invoke(
        main, ["experiment", "compare", identifier, "--plot", str(missing), "--home", str(home)]
    )
    assert (result.exit_code, result.stderr) == (
        1,
        f"Error: {missing} cannot be written: No such file or directory; name a file in a folder that is there.\n",
    )


def test_a_search_ends_with_what_to_type_and_what_to_write(home: Path, tmp_path: Path):
    (tmp_path / "space.yaml").write_text("parameters.depth: {int: [2, 5]}\n")
    arguments = ("tune", "mailer", "--space", str(tmp_path / "space.yaml"), "--trials", "2")
    screen = run(home, *arguments)
    tuned = json.loads(run(home, *arguments, "--json").stdout)
    depth = tuned["best"]["overrides"]["parameters.depth"]
    shown = lines_of(screen)
    assert "2 best of 2 trials" in shown
    unchanged = tuned["unchanged"]
    assert (
        f"Trials are judged by {unchanged['rows']} held-out training rows ({unchanged['minority_rows']} of the rarer "
        f"label); the model as its YAML has it: PR-AUC {unchanged['pr_auc']:.4f} (standard error "
        f"{unchanged['standard_error']:.4f})"
    ) in shown
    assert f"To see it again: packaging experiment run mailer --week 2025-02-10 --set parameters.depth={depth}" in shown
    assert shown[-2:] == ["attributes:", f"parameters: {{depth: {depth}}}"]
    assert tuned["set"] == f"--set parameters.depth={depth}"
    assert tuned["experiment"]["overrides"] == {"parameters.depth": depth}
    assert "trials" in screen.stderr
    assert "A new study" not in screen.output
    assert (max(trial["pr_auc"] for trial in tuned["trials"]) <= tuned["unchanged"]["pr_auc"]) == (
        "No trial was better than the model as its YAML has it." in shown
    )
