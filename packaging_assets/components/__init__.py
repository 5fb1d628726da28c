"""Dagster components: one package-type model as YAML, built into assets, checks and jobs."""
