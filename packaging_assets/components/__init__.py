"""Dagster components: one package-type model as YAML, built into assets, checks and jobs."""

from packaging_assets.components.package_model import PackageModel as PackageModel
