"""The same job as a pipeline in other orchestrators, measured beside the platform. `compare.py` runs it."""
