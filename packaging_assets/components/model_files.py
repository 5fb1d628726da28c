"""The project's models, read from their YAML files alone: what Dagster would load, without loading any asset."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from packaging_assets.components.field_problems import field_problems
from packaging_assets.components.model_set import ModelSet, ModelSetError
from packaging_assets.components.model_spec import ModelSpec
from packaging_assets.components.yaml_file import Document, YamlFileError, has_repeated_keys, read_documents
from packaging_assets.domain.spelling import did_you_mean
from packaging_assets.settings import PROJECT_ROOT

DEFS = PROJECT_ROOT / "packaging_assets" / "defs"
FILE_NAMES = ("defs.yaml", "defs.yml", "component.yaml")
"""As Dagster looks for them, the first found in a folder counts."""

COMPONENT_TYPE = "packaging_assets.components.PackageModel"


def load_models(defs: Path = DEFS) -> ModelSet:
    """All models under `defs`, checked against one another.

    Raises:
        ModelSetError: files are not YAML, or fields have values they cannot have, all of which the message names, a
            line each; or the models contradict one another.
    """
    problems: list[str] = []
    read = [(path, spec) for path in component_files(defs) for spec in _read_specs(path, problems)]
    if problems:
        raise ModelSetError("\n".join(problems))
    try:
        return ModelSet.of(spec for _, spec in read)
    except ModelSetError as error:
        files = dict.fromkeys(str(path) for path, spec in read if spec.name in error.models)
        raise ModelSetError(f"{error}; see {', '.join(files)}", *error.models) from None


def check_keys(defs: Path) -> None:
    """Refuse what Dagster does not: a key that is given twice in a file under `defs`.

    Raises:
        ModelSetError: there is one; the message says all that is wrong with the files.
    """
    if any(has_repeated_keys(path) for path in component_files(defs)):
        load_models(defs)


def component_files(folder: Path) -> Iterator[Path]:
    """In Dagster's order: by path, and nothing below a folder that has a component file itself."""
    found = next((folder / name for name in FILE_NAMES if (folder / name).is_file()), None)
    if found is not None:
        yield found
        return
    for child in sorted(path for path in folder.iterdir() if path.is_dir()):
        yield from component_files(child)


def _read_specs(path: Path, problems: list[str]) -> Iterator[ModelSpec]:
    """The models of a file; what is wrong with it is added to `problems`."""
    try:
        documents = read_documents(path)
    except YamlFileError as error:
        problems.append(f"{path} {error}")
        return
    if all(document.value is None for document in documents):
        problems.append(f"{path} is empty: write what the model is, or delete the file")
    for document in documents:
        if document.value is None:
            continue
        kind = document.value.get("type") if isinstance(document.value, dict) else None
        if kind == COMPONENT_TYPE:
            yield from _read_spec(path, document, problems)
        elif not isinstance(kind, str):
            problems.append(f"{path}:{document.line(())}: a model's file begins with `type: {COMPONENT_TYPE}`")
        elif near := did_you_mean(kind, [COMPONENT_TYPE]):
            problems.append(f"{path}:{document.line(['type'])}: there is no component {kind!r}{near}")


def _read_spec(path: Path, document: Document, problems: list[str]) -> Iterator[ModelSpec]:
    attributes: Any = document.value.get("attributes")
    try:
        yield ModelSpec.model_validate({} if attributes is None else attributes)
    except ValidationError as error:
        found = field_problems(error, attributes)
        problems += [f"{path}:{document.line(['attributes', *one.path])}: {one.sentence}" for one in found]
