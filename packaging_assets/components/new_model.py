"""A new model's YAML file: what it sets, and every other field as a comment with its default and what it means."""

import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from packaging_assets.artifacts.flushing import write_whole
from packaging_assets.components.field_problems import field_problems
from packaging_assets.components.model_files import COMPONENT_TYPE, component_files
from packaging_assets.components.model_set import ModelSet, ModelSetError
from packaging_assets.components.model_spec import ModelSpec
from packaging_assets.components.project_features import project_features
from packaging_assets.components.yaml_file import read_documents
from packaging_assets.domain.package_types import PACKAGE_TYPES
from packaging_assets.domain.spelling import meant_or_all

HEADER = f"""\
# The model {{name}}. What is commented out has the default that stands there; docs/model-spec.md says more.
type: {COMPONENT_TYPE}
attributes:
"""

NOT_COPIED = ("name", "stage", "replaces", "description")
"""What is particular about a model and does not hold for one made after it."""

WIDTH = 118


class NewModelError(ValueError):
    """A model cannot be made as asked; the message names the option and the remedy."""


class NewModel(BaseModel):
    """What is asked of a new model besides its name."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    like: str = Field(default="", description="A model whose YAML to begin with.")
    package_type: str = Field(
        default="",
        description="The package type; by default that of the model it is like, or the one it is named after.",
    )
    architecture: str = Field(default="", description="The architecture; by default that of the model it is like.")
    shadow: bool = Field(default=False, description="Whether to try it beside the live model, without serving.")


def write_new_model(folder: Path, name: str, asked: NewModel, models: ModelSet, defs: Path) -> Path:
    """Write defs.yaml of a new model into `folder`, which may be there if nothing is in it.

    Args:
        folder: where Dagster is to find the file.
        name: what the model is called.
        asked: what it is to be.
        models: those there are.
        defs: where their files are.

    Returns:
        The file's path.

    Raises:
        NewModelError: something is in the folder, or there cannot be such a model.
    """
    if not name:
        raise NewModelError("a model needs a name")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise NewModelError(f"{folder} is there already and is not overwritten: choose another name, or delete it")
    text = new_model_yaml(name, asked, models, defs)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "defs.yaml"
    write_whole(path, text)
    return path


def new_model_yaml(name: str, asked: NewModel, models: ModelSet, defs: Path) -> str:
    """The text of a new model's file.

    Raises:
        NewModelError: there cannot be such a model.
    """
    if name in models.specs:
        raise NewModelError(f"there is a model {name!r} already: choose another name, or edit its YAML")
    values = _values(name, asked, models, defs)
    given = {"name": name, **values}
    try:
        spec = ModelSpec.model_validate(given)
        ModelSet.of([*models.specs.values(), spec])
    except ValidationError as error:
        raise NewModelError("; ".join(one.sentence for one in field_problems(error, given))) from None
    except ModelSetError as error:
        raise NewModelError(str(error)) from None
    return HEADER.format(name=name) + "\n".join(_field(key, values, spec) for key in ModelSpec.model_fields)


def _values(name: str, asked: NewModel, models: ModelSet, defs: Path) -> dict[str, Any]:
    """The fields that the new file sets."""
    pattern = _attributes_of(asked.like, models, defs) if asked.like else {}
    values = {key: value for key, value in pattern.items() if key not in NOT_COPIED}
    if asked.package_type and asked.package_type not in PACKAGE_TYPES:
        near = meant_or_all(asked.package_type, PACKAGE_TYPES)
        raise NewModelError(f"there is no package type {asked.package_type!r}{near}")
    values["package_type"] = asked.package_type or values.get("package_type") or name
    if values["package_type"] not in PACKAGE_TYPES:
        raise NewModelError(
            f"which package type does {name!r} decide on? Give --like MODEL, or --package-type with one of "
            f"{', '.join(PACKAGE_TYPES)}"
        )
    if asked.architecture and asked.architecture != values.get("architecture", "catboost"):
        values = {key: value for key, value in values.items() if key not in {"parameters", "search"}}
        values["architecture"] = asked.architecture
    if name != values["package_type"]:
        values["name"] = name
    served_by = next((n for n, spec in models.live().items() if spec.package_type == values["package_type"]), None)
    if served_by is not None:
        values["replaces"] = served_by
    if asked.shadow:
        values["stage"] = "shadow"
    return values


def _attributes_of(name: str, models: ModelSet, defs: Path) -> Mapping[str, Any]:
    """What the YAML of a model says, as it says it; `models` are those whose files are in `defs`."""
    if name not in models.specs:
        raise NewModelError(f"there is no model {name!r} to be like{meant_or_all(name, models.specs)}")
    documents = [document.value for path in component_files(defs) for document in read_documents(path)]
    said = [one["attributes"] for one in documents if one is not None and one["type"] == COMPONENT_TYPE]
    return next(one for one in said if name == (one.get("name") or one["package_type"]))


def _field(key: str, values: Mapping[str, Any], spec: ModelSpec) -> str:
    """A field with what it means above it; commented out if it is not set."""
    meaning = textwrap.fill(
        str(ModelSpec.model_fields[key].description),
        width=WIDTH,
        initial_indent="  # ",
        subsequent_indent="  # ",
        break_on_hyphens=False,
    )
    if key in values:
        text = yaml.safe_dump({key: values[key]}, sort_keys=False, width=WIDTH - 2, default_flow_style=False)
        return f"{meaning}\n{textwrap.indent(text, '  ')}"
    return f"{meaning}\n  # {key}: {_default(key, spec)}\n"


def _default(key: str, spec: ModelSpec) -> str:
    """The default as YAML on one line; `{}` where there are too many fields."""
    if key == "features":
        return project_features().default_of(spec.architecture)
    plain = ModelSpec(package_type=spec.package_type).model_dump(mode="json")[key]
    text = yaml.safe_dump(plain, sort_keys=False, width=10_000, default_flow_style=True).partition("\n")[0]
    return text if len(text) <= WIDTH - len(key) else "{}"
