"""Figures about models and jobs, for a monitoring service."""
