"""The platform's jobs; the component adds one more per model."""

import dagster as dg

from packaging_assets.jobs import JOBS, SHADOW_JOBS


@dg.definitions
def jobs() -> dg.Definitions:
    """Build the jobs; those of shadow models are built with the assets that they need."""
    return dg.Definitions(jobs=[job for name, job in JOBS.items() if name not in SHADOW_JOBS])
