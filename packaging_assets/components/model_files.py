"""The project's models, read from their YAML files alone: what Dagster would load, without loading any asset."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from packaging_assets.components.model_set import ModelSet, ModelSetError
from packaging_assets.components.model_spec import ModelSpec
from packaging_assets.settings import PROJECT_ROOT

DEFS = PROJECT_ROOT / "packaging_assets" / "defs"
FILE_NAMES = ("defs.yaml", "defs.yml", "component.yaml")
"""As Dagster looks for them, the first found in a folder counts."""

COMPONENT = "PackageModel"


def load_models(defs: Path = DEFS) -> ModelSet:
    """All models under `defs`, checked against one another.

    Raises:
        ModelSetError: a file is not YAML, a field has a value it cannot have, or the models contradict one another.
    """
    return ModelSet.of(spec for path in _component_files(defs) for spec in _read_specs(path))


def _component_files(folder: Path) -> Iterator[Path]:
    """In Dagster's order: by path, and nothing below a folder that has a component file itself."""
    found = next((folder / name for name in FILE_NAMES if (folder / name).is_file()), None)
    if found is not None:
        yield found
        return
    for child in sorted(path for path in folder.iterdir() if path.is_dir()):
        yield from _component_files(child)


def _read_specs(path: Path) -> Iterator[ModelSpec]:
    try:
        documents: list[Any] = list(yaml.safe_load_all(path.read_text(encoding="utf-8")))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ModelSetError(f"{path} is not valid YAML: {' '.join(str(error).split())}") from None
    for document in documents:
        if isinstance(document, dict) and str(document.get("type")).rpartition(".")[2] == COMPONENT:
            yield _read_spec(path, document.get("attributes"))


def _read_spec(path: Path, attributes: Any) -> ModelSpec:
    try:
        return ModelSpec.model_validate(attributes)
    except ValidationError as error:
        problem = error.errors()[0]
        where = ".".join(str(part) for part in problem["loc"]) or "attributes"
        raise ModelSetError(f"{path}: {where} = {problem['input']!r} cannot be: {problem['msg']}") from None
