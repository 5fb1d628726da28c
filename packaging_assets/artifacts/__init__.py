"""Immutable, fingerprinted folders: the store, the fingerprint and the cached step."""
