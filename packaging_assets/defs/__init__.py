"""The Dagster shell, autoloaded: one folder per area of the platform and one per package type."""
