"""Run the step that a request names, once or part by part."""

import shutil
from collections.abc import Sequence
from pathlib import Path

from packaging_assets.container.step_output import list_output
from packaging_assets.container.step_request import RequestError, StepRequest


def run_request(request: StepRequest, inputs: Path, output: Path, packages: Sequence[str]) -> None:
    """Run the step over the inputs below `inputs`, and list what it wrote.

    Of a request with a `part_input` the step runs once for each file of that input, as if there were no others; what
    it writes for `part-00003.parquet` is in `part-00003.parquet/` of the output. A machine without a file writes none.

    Raises:
        RequestError: the request cannot be run here.
    """
    step, params = request.load_step(packages), request.load_params(packages)
    request.check_code()
    folders = {name: inside(inputs, path) for name, path in request.inputs.items()}
    for folder in folders.values():
        folder.mkdir(parents=True, exist_ok=True)  # an input without files is no folder in S3
    output.mkdir(parents=True, exist_ok=True)
    if request.part_input is None:
        step(folders, params, output)
        list_output(output)
        return
    for part in sorted(path for path in folders[request.part_input].iterdir() if path.is_file()):
        run_part(request, folders, part, output / part.name, packages)


def run_part(request: StepRequest, folders: dict[str, Path], part: Path, output: Path, packages: Sequence[str]) -> None:
    """Run the step with a `part_input` of that one file alone, and list what it wrote into `output`."""
    step, params = request.load_step(packages), request.load_params(packages)
    if request.part_input is None:
        raise RequestError(f"The request to run {request.step} does not say which input comes in parts.")
    alone = output.with_name(f".{output.name}")
    alone.mkdir(parents=True)
    output.mkdir(parents=True)
    # A link, and no move: SageMaker mounts every input and output by itself, and nothing can be moved between mounts.
    (alone / part.name).symlink_to(part.resolve())
    try:
        step({**folders, request.part_input: alone}, params, output)
    finally:
        shutil.rmtree(alone)
    list_output(output)


def inside(root: Path, path: str) -> Path:
    """The folder at a relative path below `root`.

    Raises:
        RequestError: the path leads out of it.
    """
    found = (root / path).resolve()
    if not found.is_relative_to(root.resolve()):
        raise RequestError(f"The input folder {path!r} is not below {root}.")
    return found
