"""What a trigger file may ask for, and that nothing else gets through."""

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from packaging_assets.domain.triggers import MAX_BYTES, Trigger, TriggerError, UnfinishedTriggerError, parse_trigger


def parse(**fields: Any) -> Trigger:
    return parse_trigger(json.dumps(fields).encode())


def problems_of(content: bytes) -> tuple[str, ...]:
    with pytest.raises(TriggerError) as caught:
        parse_trigger(content)
    return caught.value.problems


def test_a_trigger_names_pipeline_partitions_models_and_overrides():
    trigger = parse(
        pipeline="train",
        partitions=["2025-01-06", "2025-01-13"],
        models=["mailer"],
        overrides={"mailer": {"parameters.depth": 5}},
        use_cache=False,
        requested_by="ana",
        reason="deeper trees",
    )

    assert trigger.keys == ("2025-01-06", "2025-01-13")
    assert trigger.models == ("mailer",)
    assert trigger.overrides == {"mailer": {"parameters.depth": 5}}
    assert not trigger.use_cache
    assert (trigger.requested_by, trigger.reason) == ("ana", "deeper trees")


def test_equal_requests_have_one_identity_however_they_are_written():
    one = parse_trigger(b'{"pipeline": "daily", "partition": "2025-01-06"}')
    other = parse_trigger(b'\xef\xbb\xbf {"partition":"2025-01-06",\n "pipeline":"daily", "use_cache": true}')

    assert one == other
    assert one.identity == other.identity
    assert one.identity != parse(pipeline="daily", partition="2025-01-07").identity
    assert one.identity == parse(pipeline="daily", partitions=["2025-01-06"]).identity
    several = parse(pipeline="daily", partitions=["2025-01-06", "2025-01-07"])
    assert several.identity != one.identity


def test_the_order_in_which_partitions_are_named_makes_no_other_request():
    weeks, turned, others = (
        parse(pipeline="train", partitions=partitions)
        for partitions in (["2025-01-06", "2025-01-13"], ["2025-01-13", "2025-01-06"], ["2025-01-06", "2025-01-20"])
    )
    assert weeks.identity == turned.identity != others.identity


def test_the_order_in_which_models_are_named_makes_no_other_request():
    both, turned, one = (
        parse(pipeline="train", partition="2025-01-06", models=models)
        for models in (["box", "bag"], ["bag", "box", "bag"], ["bag"])
    )
    assert both.identity == turned.identity != one.identity


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"pipeline": "train"}, "give either `partition` or `partitions`."),
        ({"partition": "2025-01-06"}, "'pipeline' is missing."),
        (
            {"pipeline": "train", "partition": "2025-01-06", "partitions": ["2025-01-13"]},
            "give either `partition` or `partitions`.",
        ),
        ({"pipeline": "train", "partitions": ["2025-01-06"] * 2}, "`partitions` names one of them twice."),
        (
            {"pipeline": "train", "partition": "2025-01-06", "reason": "a\0b"},
            "`requested_by` or `reason` holds a NUL character, which PostgreSQL cannot record: leave it out.",
        ),
        (
            {"pipeline": "daily", "partition": "2025-01-06", "models": ["mailer"]},
            "`models` and `overrides` are for training; daily inference takes what is approved.",
        ),
        (
            {"pipeline": "train", "partition": "2025-01-06", "overrides": {"mailer": {"gates.min_pr_auc": 0}}},
            "`overrides` of 'mailer' sets gates: change them in the model's YAML.",
        ),
        *(
            (
                {"pipeline": "train", "partition": "2025-01-06", "overrides": {"mailer": overrides}},
                f"`overrides` of 'mailer' names code by {shown}, which a trigger may not: name it in the model's YAML.",
            )
            for overrides, shown in (
                ({"architecture": "os:system"}, "architecture = 'os:system'"),
                (
                    {"architecture": "sklearn", "parameters.estimator": "os:system"},
                    "parameters.estimator = 'os:system'",
                ),
                ({"parameters": {"estimator": "os:system", "words": 3}}, "parameters.estimator = 'os:system'"),
            )
        ),
        (
            {"pipeline": "train", "partition": "2025-01-06", "shell": "rm"},
            "'shell' = 'rm': Extra inputs are not permitted.",
        ),
        (
            {"pipeline": "drop table", "partition": "2025-01-06"},
            "'pipeline' = 'drop table': Input should be 'train', 'daily' or 'monthly'.",
        ),
        (
            {"pipeline": "train", "partition": "../../etc"},
            "'partition' = '../../etc': String should match pattern '^\\d{4}-\\d{2}-\\d{2}$'.",
        ),
        ({"pipeline": "train", "partition": 20250106}, "'partition' = 20250106: Input should be a valid string."),
    ],
)
def test_what_is_not_possible_is_named_with_field_and_value(fields: dict[str, Any], problem: str):
    assert problems_of(json.dumps(fields).encode()) == (problem,)


def test_an_architecture_that_is_shipped_and_its_values_may_be_asked_for():
    overrides = {"architecture": "sklearn", "parameters": {"words": 30}, "parameters.parameters": {"max_iter": 5}}

    trigger = parse(pipeline="train", partition="2025-01-06", overrides={"mailer": overrides})

    assert trigger.overrides == {"mailer": overrides}


def test_all_problems_are_told_at_once():
    assert problems_of(b'{"pipeline": "x", "partition": 1}') == (
        "'pipeline' = 'x': Input should be 'train', 'daily' or 'monthly'.",
        "'partition' = 1: Input should be a valid string.",
    )


@pytest.mark.parametrize("content", [b"", b"{", b'{"pipeline": "tra', b"\xff\xfe", b"pipeline: train", b"&a [*a, *a]"])
def test_what_is_not_json_may_still_be_being_written(content: bytes):
    with pytest.raises(UnfinishedTriggerError, match="The file is not JSON"):
        parse_trigger(content)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b" " * (MAX_BYTES + 1), "The file has 65,537 bytes or more; a trigger has at most 65,536."),
        (b"[" * 60_000, "The JSON is nested too deeply to be a trigger."),
        (b'{"a": 1, "a": 2}', "'a' is given twice, so that it is not clear which one counts."),
        (b'{"a": NaN}', "NaN is not a value that JSON has."),
        (b"[]", 'A trigger is a JSON object, like {"pipeline": "train", "partition": "2025-01-06"}.'),
    ],
)
def test_json_that_is_no_trigger_is_refused_for_good(content: bytes, problem: str):
    assert problems_of(content) == (problem,)
    with pytest.raises(TriggerError) as caught:
        parse_trigger(content)
    assert not isinstance(caught.value, UnfinishedTriggerError)


def test_a_message_shows_what_was_written_short_and_on_one_line():
    (problem,) = problems_of(json.dumps({"pipeline": "\n\x1b[31m" + "x" * 500, "partition": "2025-01-06"}).encode())

    assert "\n" not in problem
    assert "\x1b" not in problem
    assert len(problem) < 200


@given(st.binary(max_size=300))
def test_no_bytes_do_anything_but_parse_or_raise(content: bytes):
    with contextlib.suppress(TriggerError):
        parse_trigger(content)
