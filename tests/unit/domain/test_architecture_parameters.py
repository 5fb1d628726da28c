import pytest

from packaging_assets.domain.architectures import ArchitectureError
from packaging_assets.domain.architectures.parameters import check_number, check_whole_number, with_defaults


def test_what_is_not_named_keeps_its_default():
    assert with_defaults("mine", {"a": 1}, {"a": 0, "b": 2}) == {"a": 1, "b": 2}


def test_an_unknown_parameter_is_named_with_those_there_are():
    with pytest.raises(ArchitectureError, match=r"unknown mine parameter 'c'; there is a, b$"):
        with_defaults("mine", {"c": 1}, {"b": 2, "a": 0})
    with pytest.raises(ArchitectureError, match=r"unknown mine parameter 'dept'; did you mean 'depth'\?$"):
        with_defaults("mine", {"dept": 1}, {"depth": 2, "a": 0})


def test_whole_numbers_and_numbers_in_bounds_are_taken():
    assert check_whole_number("mine", "a", 1) == 1
    assert check_number("mine", "a", 1, above=0) == 1.0
    assert check_number("mine", "a", 0.5, above=0, below=1) == 0.5


@pytest.mark.parametrize("value", [0, 1.5, "1", None, True])
def test_what_is_no_whole_number_is_refused(value):
    with pytest.raises(ArchitectureError, match=f"mine parameter 'a' is {value!r}; give a whole number from 1 on"):
        check_whole_number("mine", "a", value)


def test_the_bounds_of_a_number_are_named():
    with pytest.raises(ArchitectureError, match="mine parameter 'a' is 1; give a number between 0 and 1"):
        check_number("mine", "a", 1, above=0, below=1)
    with pytest.raises(ArchitectureError, match="give a number above 0"):
        check_number("mine", "a", float("nan"), above=0)
