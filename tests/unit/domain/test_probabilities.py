import numpy as np
import pyarrow as pa
import pytest

from packaging_assets.domain.architectures import ArchitectureError
from packaging_assets.domain.probabilities import check_probabilities

IDS = pa.array(["p1", "p2", "p3"])


def test_probabilities_pass_at_their_bounds_and_without_rows():
    check_probabilities(np.array([[0.0, 1.0], [0.5, 1e-300], [1.0, 0.0]]), IDS, ("mailer", "box"))
    check_probabilities(np.empty((0, 2)), IDS[:0], ("mailer", "box"))


@pytest.mark.parametrize(("value", "shown"), [(np.nan, "nan"), (np.inf, "inf"), (-0.25, "-0.25"), (1 + 1e-9, "1")])
def test_anything_else_is_told_with_model_product_and_number(value, shown):
    scores = np.full((3, 2), 0.5)
    scores[1:, 1] = value
    with pytest.raises(ArchitectureError) as caught:
        check_probabilities(scores, IDS, ("mailer version 3", "box version 7"))
    assert str(caught.value).startswith(
        f"box version 7 scores product 'p2' with {shown}, and 2 of 3 products alike: a score is a probability,"
    )
