"""Packaging Assets: which package types suit each product of a huge catalogue, as Dagster assets."""
