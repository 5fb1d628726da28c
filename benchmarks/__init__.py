"""Measurements of the platform against floors. `benchmarks/run.py` takes them."""
