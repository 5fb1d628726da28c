"""The `packaging` command: each command lives in a module of its own, which loads when it is called."""

from packaging_assets.cli.main import main as main
from packaging_assets.cli.program import program as program
