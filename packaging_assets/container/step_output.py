"""What a step wrote, listed in a file beside it that is written last: without it an output is not whole."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from packaging_assets.artifacts.content import describe_files, differing_files
from packaging_assets.artifacts.store import FileEntry

LISTING = "step_output.json"


class OutputError(RuntimeError):
    """What a step wrote did not arrive whole; the message names the file."""


def list_output(folder: Path) -> None:
    """Write the listing of all files of `folder` into it.

    Raises:
        OutputError: the step itself wrote a file of the listing's name.
    """
    files = describe_files(folder)
    if LISTING in files:
        raise OutputError(f"The step wrote a file called {LISTING}, which the container writes: choose another name.")
    listing = {name: asdict(entry) for name, entry in files.items()}
    (folder / LISTING).write_text(json.dumps(listing, sort_keys=True, indent=2) + "\n", encoding="utf-8")


def read_listing(content: bytes) -> Mapping[str, FileEntry]:
    """The files that a listing names.

    Raises:
        OutputError: it is no listing.
    """
    try:
        return {str(name): FileEntry(**entry) for name, entry in json.loads(content).items()}
    except (AttributeError, TypeError, ValueError) as error:
        raise OutputError(f"{LISTING} of the job's output is not what the container writes: {error}.") from error


def check_output(folder: Path) -> None:
    """Compare the files of `folder` with the listing in it, and remove the listing.

    Raises:
        OutputError: the listing is missing, or a file is, or is another, or is one too many.
    """
    path = folder / LISTING
    if not path.is_file():
        raise OutputError(f"The job's output has no {LISTING}, so its step did not finish.")
    listed = read_listing(path.read_bytes())
    path.unlink()
    differing = differing_files(listed, folder)
    if differing:
        raise OutputError(f"{differing[0]} of the job's output is not the file that its step wrote.")
