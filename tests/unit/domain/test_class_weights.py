import numpy as np
import pytest
from pydantic import ValidationError

from packaging_assets.domain.class_weights import ClassWeights, weigh_classes

LABELS = np.array([1, 0, 0, 0], np.int8)
WEIGHTS = np.array([1.0, 1.0, 2.0, 4.0])


def test_without_class_weights_every_row_counts_with_its_own():
    assert weigh_classes(LABELS, WEIGHTS, None) is WEIGHTS


def test_balanced_gives_both_classes_half_of_the_same_total():
    weights = weigh_classes(LABELS, np.array([3.0, 1.0, 2.0, 4.0]), "balanced")

    assert weights[0] == pytest.approx(5)
    assert weights[1:].tolist() == pytest.approx([5 / 7, 10 / 7, 20 / 7])


def test_a_factor_for_each_class():
    weights = weigh_classes(LABELS, WEIGHTS, ClassWeights(suitable=3, not_suitable=0.5))

    assert weights.tolist() == [3, 0.5, 1, 2]


@pytest.mark.parametrize(
    ("fields", "expected"), [({"suitable": 0.5}, [0.5, 1, 2, 4]), ({"not_suitable": 0.5}, [1, 0.5, 1, 2])]
)
def test_the_class_without_a_factor_counts_as_it_is(fields, expected):
    assert weigh_classes(LABELS, WEIGHTS, ClassWeights(**fields)).tolist() == expected


@pytest.mark.parametrize("fields", [{"suitable": 0}, {"not_suitable": -1}, {"suitable": 1001}, {"neither": 1}])
def test_factors_are_positive_and_of_the_two_classes(fields):
    with pytest.raises(ValidationError):
        ClassWeights(**fields)
