"""Which step a container is to run, on what: as JSON, whole in a file or in pieces in hyperparameters."""

import importlib
import inspect
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from packaging_assets.artifacts.fingerprint import FingerprintError, code_of_modules
from packaging_assets.artifacts.step import Step

REQUEST_FILE = "request.json"

STEP_PACKAGES_VARIABLE = "PACKAGING_STEP_PACKAGES"
"""Environment variable of the image: packages whose steps may run, with commas between them."""

STEP_PACKAGES = ("packaging_assets.domain", "packaging_assets.experiments.holdout")

HYPERPARAMETER_BYTES = 2500
"""SageMaker takes no longer value, see HyperParameterValue in its API reference."""

MAX_HYPERPARAMETERS = 100

_PIECE = "request_{:03d}"


class RequestError(ValueError):
    """The container cannot run what it was asked to; the message says what and why."""


class StepRequest(BaseModel):
    """One step, its params and where its inputs are."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    step: str = Field(description="The step's import path, `package.module:function`.")
    params_class: str = Field(description="Import path of the class of its params.")
    params: dict[str, Any] = Field(description="The params as JSON.")
    inputs: dict[str, str] = Field(description="Folder of each input, relative to where the container finds inputs.")
    extra_modules: tuple[str, ...] = Field(
        default=(), description="Modules that the step finds by name, such as that of an architecture."
    )
    modules: dict[str, str] = Field(
        default_factory=dict[str, str], description="sha256 of each module of the step, as the caller has them."
    )
    libraries: dict[str, str] = Field(default_factory=dict[str, str], description="Their versions, likewise.")
    part_input: str | None = Field(
        default=None,
        description="The input that comes part by part: the step runs once for each of its files, or each request.",
    )

    @classmethod
    def of(
        cls,
        step: Step,
        params: BaseModel,
        inputs: Mapping[str, str],
        *,
        part_input: str | None = None,
        extra_modules: Sequence[str] = (),
    ) -> "StepRequest":
        """The request to run `step`, with the code as it is here."""
        name = _import_path(step)
        code = code_of_modules([name, *extra_modules])
        return cls(
            step=name,
            params_class=_import_path(type(params)),
            params=params.model_dump(mode="json"),
            inputs=dict(inputs),
            extra_modules=tuple(extra_modules),
            modules=dict(code.modules),
            libraries=dict(code.libraries),
            part_input=part_input,
        )

    @classmethod
    def from_json(cls, text: str) -> "StepRequest":
        """The request that `model_dump_json` wrote.

        Raises:
            RequestError: it is none.
        """
        try:
            return cls.model_validate_json(text)
        except ValidationError as error:
            problem = error.errors()[0]
            where = ".".join(str(part) for part in problem["loc"]) or "the text"
            raise RequestError(f"The request to run a step cannot be read: {where}: {problem['msg']}.") from None

    @classmethod
    def from_file(cls, path: Path) -> "StepRequest":
        """The request in a file.

        Raises:
            RequestError: it is not there, or none.
        """
        try:
            return cls.from_json(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise RequestError(f"{path} is missing: it must say which step to run.") from None

    @classmethod
    def from_hyperparameters(cls, values: Mapping[str, str]) -> "StepRequest":
        """The request in the pieces that `as_hyperparameters` made.

        Raises:
            RequestError: there are none, or one is missing.
        """
        names = sorted(name for name in values if name.startswith(_PIECE.partition("{")[0]))
        if not names or names != [_PIECE.format(number) for number in range(len(names))]:
            raise RequestError("The hyperparameters request_000, request_001, ... are missing or have a gap.")
        return cls.from_json("".join(values[name] for name in names))

    def as_hyperparameters(self) -> dict[str, str]:
        """The request in pieces short enough for hyperparameters, which are ASCII strings without line breaks.

        Raises:
            RequestError: it is too long even so.
        """
        text = json.dumps(self.model_dump(mode="json"), sort_keys=True, separators=(",", ":"), allow_nan=False)
        pieces = [text[start : start + HYPERPARAMETER_BYTES] for start in range(0, len(text), HYPERPARAMETER_BYTES)]
        if len(pieces) > MAX_HYPERPARAMETERS:
            raise RequestError(
                f"The params of {self.step} are {len(text)} characters of JSON, and a training job takes "
                f"{HYPERPARAMETER_BYTES * MAX_HYPERPARAMETERS}: run it as a processing job."
            )
        return {_PIECE.format(number): piece for number, piece in enumerate(pieces)}

    def load_step(self, packages: Sequence[str]) -> Step:
        """The step itself.

        Raises:
            RequestError: it is not a step of one of the packages, or cannot be imported.
        """
        found, module = _import(self.step, packages)
        is_step = inspect.isfunction(found) and found.__module__ == module and not found.__name__.startswith("_")
        if not is_step or list(inspect.signature(found).parameters) != ["inputs", "params", "output"]:
            raise RequestError(
                f"{self.step} is not a step: a public function step(inputs, params, output) of {module}."
            )
        return cast("Step", found)

    def load_params(self, packages: Sequence[str]) -> BaseModel:
        """The step's params.

        Raises:
            RequestError: their class is not a pydantic model of one of the packages, or refuses them.
        """
        found, _ = _import(self.params_class, packages)
        if not (inspect.isclass(found) and issubclass(found, BaseModel)):
            raise RequestError(f"{self.params_class} is not a pydantic model, so it cannot be the params of a step.")
        try:
            return found.model_validate(self.params)
        except ValidationError as error:
            problem = error.errors()[0]
            where = ".".join(str(part) for part in problem["loc"])
            raise RequestError(f"The params of {self.step} are refused: {where}: {problem['msg']}.") from None

    def check_code(self) -> None:
        """Make sure that the code here is the code of the caller, whose fingerprint the outcome will bear.

        Raises:
            RequestError: a module is missing, or differs, or the version of a library does.
        """
        try:
            here = code_of_modules([self.step, *self.extra_modules])
        except FingerprintError as error:
            raise RequestError(f"The image lacks a module of {self.step}: {error}") from error
        for what, asked, found in (
            ("module", self.modules, here.modules),
            ("library", self.libraries, here.libraries),
        ):
            differing = sorted(name for name in asked if asked[name] != found.get(name))
            if differing:
                raise RequestError(
                    f"The image has another {what} {differing[0]} ({found.get(differing[0])}) than the process that "
                    f"asked for {self.step} ({asked[differing[0]]}): build the image from the code that is deployed."
                )


def step_packages() -> tuple[str, ...]:
    """The packages whose steps may run: those of the image's environment, or the platform's own."""
    given = os.environ.get(STEP_PACKAGES_VARIABLE, "")
    return tuple(name.strip() for name in given.split(",") if name.strip()) or STEP_PACKAGES


def _import_path(thing: Any) -> str:
    name = f"{thing.__module__}:{thing.__qualname__}"
    if not thing.__qualname__.isidentifier():
        raise RequestError(f"{name} stands inside something else: a step and its params are at a module's top level.")
    return name


def _import(path: str, packages: Sequence[str]) -> tuple[Any, str]:
    """What is at an import path, which must be in one of the packages before anything of it is imported."""
    module, _, name = path.partition(":")
    if not any(module == package or module.startswith(f"{package}.") for package in packages):
        raise RequestError(f"{path} is not in {' or '.join(packages)}, and nothing else may run in this container.")
    if not name.isidentifier():
        raise RequestError(f"{path} is not an import path of the form package.module:name.")
    try:
        return getattr(importlib.import_module(module), name), module
    except (ImportError, AttributeError) as error:
        raise RequestError(f"{path} cannot be imported: {error}.") from error
