"""`dg scaffold defs packaging_assets.components.PackageModel NAME`: the file that `packaging models new` writes."""

from pathlib import Path
from typing import Any

import dagster as dg

from packaging_assets.components.new_model import NewModel, NewModelError, write_new_model


class PackageModelScaffolder(dg.Scaffolder[NewModel]):
    """Writes a new model's YAML, every field commented."""

    @classmethod
    def get_scaffold_params(cls) -> type[NewModel]:
        """What can be asked of the new model."""
        return NewModel

    def scaffold(self, request: dg.ScaffoldRequest[Any]) -> None:
        """Write defs.yaml.

        Raises:
            NewModelError: there cannot be such a model, or it was asked for in Python.
            ModelSetError: the YAML files of the models there are cannot be read, or contradict one another.
        """
        from packaging_assets.components.model_files import DEFS, load_models
        from packaging_assets.components.model_set import ModelSetError

        folder = request.target_path
        try:
            _check_yaml_file(request)
            write_new_model(folder, folder.name, request.params, load_models(), DEFS)
        except (NewModelError, ModelSetError):
            _remove_if_empty(folder)
            raise


def _check_yaml_file(request: dg.ScaffoldRequest[Any]) -> None:
    if request.scaffold_format != "yaml" or request.append:
        raise NewModelError("a model is a YAML file of its own: use `--format yaml`, without `--append`")


def _remove_if_empty(folder: Path) -> None:
    """Take back the folder that `dg` made; Dagster would look for definitions in it."""
    if folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()
