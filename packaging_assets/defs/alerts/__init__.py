"""Looks for what somebody must be told of, in Dagster's event log and in the warehouse, and tells them."""
