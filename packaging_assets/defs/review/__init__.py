"""The decisions that people take about model versions, from the Dagster UI."""
