"""The image, as its recipe says: Docker itself is not asked."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
RECIPE = (ROOT / "deploy" / "Dockerfile").read_text(encoding="utf-8")


def instructions() -> list[tuple[str, str]]:
    """Instruction and argument, comments left out and continued lines joined."""
    lines = [line for line in RECIPE.splitlines() if not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n\s*", " ", "\n".join(lines))
    return [(word, rest.strip()) for word, _, rest in (line.partition(" ") for line in joined.splitlines()) if word]


def of(word: str) -> list[str]:
    return [rest for given, rest in instructions() if given == word]


def copied() -> list[tuple[list[str], str]]:
    """What is copied from the checkout, and where to."""
    given = [rest.split() for rest in of("COPY") if "--from" not in rest]
    return [(words[:-1], words[-1]) for words in given]


def test_the_container_is_not_root_at_its_end():
    last_stage = instructions()[max(i for i, (word, _) in enumerate(instructions()) if word == "FROM") :]

    assert [rest for word, rest in last_stage if word == "USER"] == ["${RUN_AS}"]
    assert ("ARG", "RUN_AS=1000:1000") in last_stage
    assert not [rest for word, rest in last_stage if word == "RUN" and ("pip " in rest or "uv " in rest)]


def test_sagemakers_entry_point_is_the_platforms():
    (entry,) = of("ENTRYPOINT")

    assert json.loads(entry) == ["python", "-m", "packaging_assets.container"]
    assert of("HEALTHCHECK")


def test_libraries_are_those_of_the_lock_and_no_others():
    installs = [rest for rest in of("RUN") if " sync " in rest]

    assert len(installs) == 2
    assert all({"--locked", "--no-dev"} <= set(rest.split()) and "--extra aws" in rest for rest in installs)
    assert [rest for rest in of("RUN") if "pip install" in rest] == [
        'pip install --no-cache-dir "uv==${UV_VERSION}"',
    ]


def test_uv_is_the_version_of_the_makefile():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")

    assert re.search(r"^UV_VERSION := (.+)$", makefile, re.MULTILINE)[1] == re.search(r"UV_VERSION=(\S+)", RECIPE)[1]


def test_no_secret_can_get_into_a_layer():
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    allowed = {line[1:] for line in ignored if line.startswith("!")}

    assert next(line for line in ignored if not line.startswith("#")) == "*"
    assert allowed == {name for names, _ in copied() for name in names}
    assert not [rest for rest in of("ENV") + of("ARG") if re.search("SECRET|PASSWORD|TOKEN|AWS_", rest)]


def test_dagster_finds_its_home_and_workspace_where_the_tasks_look():
    environment = " ".join(of("ENV"))
    targets = {name: target for names, target in copied() for name in names}
    platform = (ROOT / "deploy" / "cloudformation" / "platform.yaml").read_text(encoding="utf-8")

    assert "PACKAGING_HOME=/opt/packaging " in environment
    assert "DAGSTER_HOME=/opt/packaging/dagster " in environment
    assert targets["deploy/dagster.yaml"] == "/opt/packaging/dagster/dagster.yaml"
    assert set(re.findall(r"-w, ([^\],]+)", platform)) == {f"{of('WORKDIR')[-1]}/{targets['deploy/workspace.yaml']}"}


def test_what_is_copied_is_enough_to_parse_dbts_project_without_a_connection(tmp_path: Path):
    place, home = tmp_path / "source", tmp_path / "home"
    ignored = shutil.ignore_patterns("__pycache__", "*.pyc", "target", "logs", "dbt_packages")
    for names, target in copied():
        for name in names:
            if Path(target).is_absolute():
                continue
            to = place / target / name if len(names) > 1 else place / target
            to.parent.mkdir(parents=True, exist_ok=True)
            if (ROOT / name).is_dir():
                shutil.copytree(ROOT / name, to, ignore=ignored)
            else:
                shutil.copy(ROOT / name, to)
    (command,) = [rest for rest in of("RUN") if "dbt_manifest" in rest]
    code = re.search(r'-c\s+"(.+)"$', command)[1]
    assert command.startswith("PACKAGING_ENV=aws PACKAGING_HOME=")
    kept = {name: value for name, value in os.environ.items() if not re.match("AWS|PACKAGING|DBT|DAGSTER", name)}

    subprocess.run(  # noqa: S603 - the recipe's own command
        [sys.executable, "-c", f"{code}; import packaging_assets; print(packaging_assets.__file__)"],
        check=True,
        cwd=place,
        env={**kept, "PACKAGING_ENV": "aws", "PACKAGING_HOME": str(home), "PYTHONPATH": str(place)},
    )

    manifest = json.loads((home / "dbt_target" / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["metadata"]["adapter_type"] == "redshift"
    assert "model.packaging.product_features" in manifest["nodes"]


@pytest.mark.parametrize("module", ["boto3", "dagster_aws", "dagster_postgres", "dbt.adapters.redshift", "sagemaker"])
def test_what_production_imports_is_in_the_extra(module: str):
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    names = {"dbt.adapters.redshift": "dbt-redshift"}
    wanted = names.get(module, module.replace("_", "-"))

    assert [line for line in project["optional-dependencies"]["aws"] if re.match(rf"{wanted}\b(?!-)", line)]
