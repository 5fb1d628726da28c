"""Packaging Assets: which package types suit each product of a huge catalogue, as Dagster assets."""

import os
import sys

if sys.platform == "linux":
    # Read by Arrow when it is imported, so before that: docs/adr/0022-arrow-allocates-by-jemalloc.md
    os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "jemalloc")
