"""Packaging Assets: which package types suit each product of a huge catalogue, as Dagster assets."""

from packaging_assets.allocation import allocate_by_glibc

allocate_by_glibc()
