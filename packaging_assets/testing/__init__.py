"""Tests to run on one's own parts of the platform; they need pytest, which the platform itself does not.

`packaging_assets.testing.architecture_contract` holds what every model architecture promises.
"""

import pytest

pytest.register_assert_rewrite("packaging_assets.testing.architecture_contract")
