"""Kedro's settings: the configuration loader, with the work folder as a resolver of the catalogue."""

import os

from kedro.config import OmegaConfigLoader

CONFIG_LOADER_CLASS = OmegaConfigLoader
CONFIG_LOADER_ARGS = {
    "base_env": "base",
    "default_run_env": "local",
    "custom_resolvers": {"work": lambda: os.environ["PEER_WORK"]},
}
