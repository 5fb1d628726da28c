"""An artifact's plots as Dagster's UI shows them."""

import base64
from pathlib import Path

import dagster as dg

MEDIA_TYPES = {".png": "image/png", ".svg": "image/svg+xml"}
"""By the ending of a plot's file."""


def plots_in(folder: Path) -> dict[str, dg.MarkdownMetadataValue]:
    """The plots in the folder, by name."""
    return {
        path.stem: dg.MetadataValue.md(
            f"![{path.stem}](data:{MEDIA_TYPES[path.suffix]};base64,{base64.b64encode(path.read_bytes()).decode()})"
        )
        for path in sorted(folder.iterdir())
        if path.suffix in MEDIA_TYPES
    }
