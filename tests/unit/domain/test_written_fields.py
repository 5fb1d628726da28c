"""What YAML turns into other values than a person meant."""

import pytest
from pydantic import ValidationError

from packaging_assets.domain.gate_policy import GatePolicy


@pytest.mark.parametrize("written", [True, False])
def test_yes_and_no_are_no_numbers(written: object):
    with pytest.raises(ValidationError, match="a number belongs here; yes, no, on and off are true and false in YAML"):
        GatePolicy.model_validate({"min_minority_rows": written})
