"""The platform's jobs; the component adds one more per model."""

import dagster as dg

from packaging_assets.jobs import JOBS


@dg.definitions
def jobs() -> dg.Definitions:
    """Build the jobs."""
    return dg.Definitions(jobs=list(JOBS.values()))
