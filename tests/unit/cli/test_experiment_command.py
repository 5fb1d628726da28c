"""What `packaging experiment` makes of what is typed, and what it says where there is nothing."""

import json
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result

from packaging_assets.cli.experiment_values import parse_settings, parse_value, read_space, set_lines, yaml_snippet
from packaging_assets.cli.main import main


def run(home: Path, *arguments: str) -> Result:
    return CliRunner().invoke(main, ["experiment", *arguments, "--home", str(home)])


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("8", 8),
        ("0.3", 0.3),
        ("1e-3", 0.001),
        ("true", True),
        ("null", None),
        ("catboost", "catboost"),
        ('"8"', "8"),
        ("[box, bag]", ["box", "bag"]),
        ('["box"]', ["box"]),
        ("{set: default, exclude: [brand]}", {"set": "default", "exclude": ["brand"]}),
        ("2025-01-06", "2025-01-06"),
        ("my_team.models:Transformer", "my_team.models:Transformer"),
        ("", None),
        ("NaN", "NaN"),
    ],
)
def test_values_are_json_or_yaml(text: str, value: object):
    assert parse_value(text) == value


@pytest.mark.parametrize(
    "text",
    [
        "[1, 2",
        ".nan",
        ".inf",
        "9" * 5000,
        "[" * 3000,
        "- " * 1000,
        "!!timestamp x",
        '"\\ud800"',
        '{"a": "\\udfff"}',
        '!!float ""',
    ],
    ids=lambda t: t[:15],
)
def test_what_is_neither_is_refused(text: str):
    with pytest.raises(click.BadParameter, match="is no value in JSON or YAML"):
        parse_value(text)


@pytest.mark.parametrize("text", ["a: " + "9" * 5000, "[" * 1500, "!!timestamp x"], ids=lambda t: t[:15])
def test_a_space_that_cannot_be_read_is_refused(tmp_path: Path, text: str):
    file = tmp_path / "space.yaml"
    file.write_text(text)
    with pytest.raises(click.BadParameter, match="is not valid YAML: "):
        read_space(file)


def test_settings_are_keys_and_values():
    assert parse_settings(["parameters.depth=8", "architecture = catboost", "description=a=b"]) == {
        "parameters.depth": 8,
        "architecture": "catboost",
        "description": "a=b",
    }


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (["parameters.depth"], "'parameters.depth' sets nothing: write it like parameters.depth=8."),
        (["=8"], "'=8' sets nothing"),
        (["seed=1", "seed=2"], "seed is set twice: set it once."),
    ],
)
def test_settings_that_set_nothing_or_twice_are_refused(given: list[str], sentence: str):
    with pytest.raises(click.BadParameter, match=sentence):
        parse_settings(given)


def test_the_lines_to_paste_read_back_as_the_same_values():
    overrides: dict[str, Any] = {
        "parameters.depth": 8,
        "parameters.learning_rate": 0.03517,
        "feeds_from": ["box", "bag"],
        "architecture": "my_team.models:It's",
        "features": {"set": "default"},
        "class_weights": None,
        "parameters.name": "8",
    }
    words = shlex.split(set_lines(overrides))
    assert words[::2] == ["--set"] * len(overrides)
    assert parse_settings(words[1::2]) == overrides


def test_the_snippet_is_the_model_s_yaml():
    snippet = yaml_snippet({"parameters.depth": 8, "parameters.rsm": 0.5, "feeds_from": ["box"]})
    assert snippet == "attributes:\n  parameters: {depth: 8, rsm: 0.5}\n  feeds_from: [box]"


def test_a_space_is_read_with_or_without_its_key(tmp_path: Path):
    line = "parameters.depth: {int: [3, 8]}\n"
    (tmp_path / "plain.yaml").write_text(line)
    (tmp_path / "keyed.yaml").write_text(f"search:\n  {line}")
    (tmp_path / "empty.yaml").write_text("")
    plain = read_space(tmp_path / "plain.yaml")
    assert plain["parameters.depth"].int == (3, 8)
    assert read_space(tmp_path / "keyed.yaml") == plain
    assert read_space(tmp_path / "empty.yaml") == {}


def test_a_date_in_a_space_is_text_as_in_a_models_yaml_even_if_there_is_no_such_day(tmp_path: Path):
    (tmp_path / "space.yaml").write_text("parameters.since: {choice: [2025-01-06, 2025-13-45]}\n")
    assert read_space(tmp_path / "space.yaml")["parameters.since"].choice == ("2025-01-06", "2025-13-45")


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"[", "is not valid YAML: while parsing"),
        (b"\xff\xfe\x00", "is not valid YAML"),
        (b"seed: {int: [1, 3]}\nseed: {int: [4, 8]}\n", "'seed' is given twice, in lines 1 and 2: leave one out"),
        (b"seed: {int: [1, 3]}\n---\nseed: {int: [4, 8]}\n", "holds 2 documents: give one"),
        (b"- 1\n", "the file: Input should be a valid dictionary"),
        (b"seed: {int: [8, 3]}\n", "seed: Value error, the first bound must be below the second"),
    ],
)
def test_a_wrong_space_is_named_with_its_file(tmp_path: Path, content: bytes, sentence: str):
    (tmp_path / "space.yaml").write_bytes(content)
    with pytest.raises(click.BadParameter) as caught:
        read_space(tmp_path / "space.yaml")
    assert str(caught.value).startswith(str(tmp_path / "space.yaml"))
    assert sentence in str(caught.value)


def test_without_experiments_the_list_says_how_to_make_one(tmp_path: Path):
    result = run(tmp_path, "list")
    assert result.exit_code == 0
    assert f"No such experiments in {tmp_path}. Make one: packaging experiment run MODEL" in result.stdout
    assert json.loads(run(tmp_path, "list", "--json").stdout) == []


@pytest.mark.parametrize(
    ("arguments", "exit_code", "sentence"),
    [
        (("run", "nobody"), 1, "Error: There is no model 'nobody'; there is "),
        (("run", "mailer"), 1, "Error: No week has labels and features yet"),
        (("run", "mailer", "--set", "depth"), 2, "'depth' sets nothing"),
        (("run", "mailer", "--set", "dept=8"), 1, "Error: a model has no field 'dept'; there is "),
        (("compare", "0123456789"), 1, "Error: There is no experiment '0123456789' in "),
        (("tune", "nobody"), 1, "Error: There is no model 'nobody'; there is "),
        (("tune", "mailer"), 1, "Error: There is nothing to search for mailer"),
        (("tune", "mailer", "--trials", "0"), 2, "0 is not in the range x>=1"),
        (("tune", "mailer", "--hold-out", "1"), 2, "1.0 is not in the range 0<x<1"),
        (("tune", "mailer", "--space", "/none.yaml"), 2, "File '/none.yaml' does not exist"),
    ],
)
def test_what_cannot_be_done_is_one_sentence_and_leaves_nothing(
    tmp_path: Path, arguments: tuple[str, ...], exit_code: int, sentence: str
):
    result = run(tmp_path / "home", *arguments)
    assert result.exit_code == exit_code
    assert sentence in " ".join(result.stderr.split())
    assert not (tmp_path / "home").exists()


def test_an_environment_without_experiments_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PACKAGING_ENV", "aws")
    result = run(tmp_path, "run", "mailer")
    assert (result.exit_code, result.stderr.startswith("Error: PACKAGING_ENV = 'aws'")) == (1, True)


def test_help_shows_examples_and_loads_nothing_heavy():
    script = (
        "import sys\n"
        "from packaging_assets.cli.experiment import experiment\n"
        "heavy = {'dagster', 'optuna', 'pandas', 'catboost', 'sklearn', 'matplotlib', 'pyarrow', 'rich.table'}\n"
        "print(sorted(heavy & set(sys.modules)))\n"
    )
    loaded = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)  # noqa: S603
    assert loaded.stdout == "[]\n"
    for command in ("run", "compare", "tune", "list"):
        assert f"packaging experiment {command} " in CliRunner().invoke(main, ["experiment", command, "-h"]).stdout
