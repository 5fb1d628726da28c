"""The `packaging` command: a thin table of contents; each command lives in a module of its own and loads when called."""

from packaging_assets.cli.main import main as main
