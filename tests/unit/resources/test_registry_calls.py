"""Calls on behalf of the registry: what is tried again, what is told, and writers that others come in between of."""

from types import SimpleNamespace

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, NoCredentialsError

from packaging_assets.artifacts.s3_objects import StoredObject
from packaging_assets.domain.registry import RegistryError
from packaging_assets.resources.sagemaker_registry_calls import CALL_BACKOFF, Calls, RefusedCallError
from packaging_assets.resources.sagemaker_registry_ledger import CONFLICTS, Ledgers


def answer(code, status=400):
    return ClientError(
        {"Error": {"Code": code, "Message": "no."}, "ResponseMetadata": {"HTTPStatusCode": status}}, "Do"
    )


def failing(*errors):
    """A call that fails once with each error, then answers."""
    left = list(errors)

    def call():
        if left:
            raise left.pop(0)
        return "done"

    return call


@pytest.fixture
def pauses():
    return []


@pytest.fixture
def calls(pauses):
    return Calls(pauses.append)


@pytest.mark.parametrize(
    "error",
    [
        answer("ThrottlingException"),
        answer("ConflictException"),
        answer("InternalFailure", 500),
        answer("SomethingNew", 503),
        EndpointConnectionError(endpoint_url="https://x"),
    ],
)
def test_what_may_go_well_is_tried_again_with_growing_pauses(calls, pauses, error):
    assert calls.make("do it", failing(*[error] * 4)) == "done"
    assert [0.25 * 2**n <= pause <= 0.5 * 2**n for n, pause in enumerate(pauses)] == [True] * 4
    with pytest.raises(RegistryError, match=r"Cannot do it: AWS failed 5 times, the last time with .*try it again"):
        calls.make("do it", failing(*[error] * CALL_BACKOFF.attempts))


def test_a_refusal_is_told_at_once_with_its_code(calls, pauses):
    with pytest.raises(
        RefusedCallError, match=r"Cannot do it: AWS answers AccessDenied: no\. Check the role's"
    ) as raised:
        calls.make("do it", failing(answer("AccessDenied")))
    assert (raised.value.code, pauses) == ("AccessDenied", [])
    with pytest.raises(RegistryError, match="Unable to locate credentials"):
        calls.make("do it", failing(NoCredentialsError()))


def test_a_writer_whom_others_never_let_through_gives_up(calls, pauses):
    busy = SimpleNamespace(  # somebody else has always just changed it
        get=lambda **_: None, put_new=lambda **_: False, uri="s3://b/{}".format
    )
    with pytest.raises(RegistryError, match=r"s3://b/models/mailer\.json was changed by others 60 times in a row"):
        Ledgers(busy, calls, lambda: "w1").change("mailer", lambda ledger: ledger.__class__(record=ledger.record))
    assert len(pauses) == CONFLICTS.attempts
    assert max(pauses) <= CONFLICTS.longest_seconds


def test_an_object_that_is_no_ledger_is_told(calls):
    odd = SimpleNamespace(get=lambda **_: StoredObject(b"not JSON", "e"), uri="s3://b/{}".format)
    with pytest.raises(RegistryError, match=r"s3://b/models/mailer\.json is no record of a model \(JSONDecodeError"):
        Ledgers(odd, calls).read("mailer")
