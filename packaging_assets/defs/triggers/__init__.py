"""Runs that are asked for by dropping a file."""
