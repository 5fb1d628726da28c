"""The explanation names the part that changed, and nothing else."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from packaging_assets.artifacts.explanation import Difference, code_now, explain, flatten
from packaging_assets.artifacts.fingerprint import FingerprintError, FingerprintParts, code_of_modules, is_module

PARTS = {
    "step": "m:f",
    "modules": {"m": "a" * 64, "n": "b" * 64},
    "libraries": {"numpy": "2.0", "python": "3.11"},
    "params": {"depth": 6, "policy": {"floor": 0.5, "names": ["a", "b"]}, "models": [{"version": 1}, {"version": 2}]},
    "inputs": {"features": "c" * 64, "split": "d" * 64},
}


def parts(**changes):
    return FingerprintParts(**{**PARTS, **changes})


def said(**changes):
    return [difference.sentence for difference in explain(parts(), parts(**changes), sources={"split": "mailer/split"})]


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"step": "m:g"}, "the step's function: m:f -> m:g"),
        ({"modules": {"m": "e" * 64, "n": "b" * 64}}, "code of m changed: aaaaaaaaaaaa -> eeeeeeeeeeee"),
        ({"modules": {"m": "a" * 64}}, "code of n is no longer used"),
        ({"modules": {**PARTS["modules"], "o": "e" * 64}}, "code of o is new"),
        ({"libraries": {"numpy": "2.1", "python": "3.11"}}, "library numpy: 2.0 -> 2.1"),
        ({"libraries": {**PARTS["libraries"], "scipy": "1.0"}}, "library scipy is new: 1.0"),
        ({"params": {**PARTS["params"], "depth": 8}}, "param depth: 6 -> 8"),
        ({"params": {**PARTS["params"], "seed": None}}, "param seed is new: null"),
        (
            {"params": {**PARTS["params"], "policy": {"floor": 0.6, "names": ["a", "b"]}}},
            "param policy.floor: 0.5 -> 0.6",
        ),
        (
            {"params": {**PARTS["params"], "policy": {"floor": 0.5, "names": ["b", "c"]}}},
            "param policy.names: without a; with c",
        ),
        (
            {"params": {**PARTS["params"], "policy": {"floor": 0.5, "names": ["b", "a"]}}},
            "param policy.names: the same items in another order or number",
        ),
        (
            {"params": {**PARTS["params"], "policy": {"floor": 0.5, "names": ["a", "b", *"cdefg"]}}},
            "param policy.names: with c, d, e and 2 more",
        ),
        (
            {"params": {**PARTS["params"], "models": [{"version": 1}, {"version": 3}]}},
            "param models[1].version: 2 -> 3",
        ),
        (
            {"inputs": {"features": "c" * 64, "split": "f" * 64}},
            "input split (mailer/split) changed: dddddddddddd -> ffffffffffff",
        ),
    ],
)
def test_one_change_is_one_sentence(changes, sentence):
    assert said(**changes) == [sentence]


def test_a_mapping_that_is_filled_or_emptied_is_told_by_what_is_in_it():
    empty, filled = parts(params={"parameters": {}}), parts(params={"parameters": {"depth": 5}})
    assert [one.sentence for one in explain(empty, filled)] == ["param parameters.depth is new: 5"]
    assert [one.sentence for one in explain(filled, empty)] == ["param parameters.depth is no longer used"]
    assert [one.sentence for one in explain(empty, parts(params={}))] == ["param parameters is no longer used"]


def test_equal_parts_have_no_difference_and_many_come_in_order():
    assert explain(parts(), parts()) == []
    found = explain(parts(), parts(step="m:g", modules={"m": "0"}, libraries={}, params={}, inputs={}))
    assert [difference.part for difference in found] == sorted(
        (difference.part for difference in found), key=["step", "code", "library", "param", "input"].index
    )
    assert Difference("library", "numpy", "2.0", None, "removed") in found


VALUES = st.recursive(
    st.none() | st.integers(-3, 3) | st.text("ab", max_size=2),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["x", "y"]), inner, max_size=3),
    max_leaves=8,
)


@given(
    old=st.dictionaries(st.sampled_from(["x", "y", "z"]), VALUES),
    new=st.dictionaries(st.sampled_from(["x", "y", "z"]), VALUES),
)
def test_params_differ_where_their_flat_forms_do(old, new):
    found = {difference.name for difference in explain(parts(params=old), parts(params=new))}
    flat_old, flat_new = flatten(old), flatten(new)
    assert bool(found) == (json.dumps(old, sort_keys=True) != json.dumps(new, sort_keys=True))
    differing = {
        name
        for name in {*flat_old, *flat_new}
        if name not in flat_old or name not in flat_new or flat_old[name] != flat_new[name]
    }
    # A mapping that is empty on one side is told by what the other side has in it, if that is anything.
    empty = {name for name in differing if {} in (flat_old.get(name), flat_new.get(name))}
    filled = {name for name in empty if any(other.startswith(f"{name}.") for other in differing)}
    assert found == differing - filled


def test_the_code_of_a_step_as_it_is_now_includes_what_it_finds_by_name():
    module, learner = "packaging_assets.domain.splits", "packaging_assets.domain.architectures.catboost"
    own, both = code_of_modules([module]), code_of_modules([module, learner])
    assert learner not in own.modules
    stale = {**dict.fromkeys(both.modules, "0"), "packaging_assets.domain.gone_since": "0"}
    then = parts(step=f"{module}:split", modules=stale)
    assert code_now(then) == both
    assert not is_module("packaging_assets.domain.gone_since")


def test_a_step_whose_module_is_gone_is_told():
    with pytest.raises(FingerprintError, match=r"No module 'packaging_assets\.gone'"):
        code_now(parts(step="packaging_assets.gone:f"))
