"""Pure functions over folders and frames: no Dagster, AWS, database, clock or environment."""
