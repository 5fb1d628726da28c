"""Sees what was decided about models outside the platform."""
