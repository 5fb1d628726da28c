"""Measurements of the platform against floors. `benchmarks/run.py` takes them."""

import packaging_assets  # noqa: F401 - before Arrow, as in the platform's own commands: docs/adr/0022
