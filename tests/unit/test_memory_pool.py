"""By which allocator Arrow's memory comes, wherever the package is imported first."""

import os
import subprocess
import sys

import pytest

TELL = "import packaging_assets, pyarrow; print(pyarrow.default_memory_pool().backend_name)"


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere Arrow chooses")
@pytest.mark.parametrize(("asked", "expected"), [(None, "jemalloc"), ("system", "system")])
def test_arrow_allocates_by_jemalloc_unless_something_else_is_asked_for(asked, expected):
    environment = {name: value for name, value in os.environ.items() if name != "ARROW_DEFAULT_MEMORY_POOL"}
    environment |= {} if asked is None else {"ARROW_DEFAULT_MEMORY_POOL": asked}
    told = subprocess.run([sys.executable, "-c", TELL], check=True, capture_output=True, text=True, env=environment)  # noqa: S603 - our own
    assert (told.stdout.strip(), told.stderr) == (expected, "")
