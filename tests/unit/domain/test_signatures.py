"""Signatures over content hashes."""

import hashlib

import pytest

from packaging_assets.domain.signatures import SignatureError, check_signature, sign

HASHES = {"model": "a" * 64, "metrics": "b" * 64}


def test_a_signature_depends_on_names_hashes_and_key_and_not_on_their_order():
    canonical = f'{{"metrics":"{"b" * 64}","model":"{"a" * 64}"}}'.encode()

    assert sign(HASHES) == f"sha256:{hashlib.sha256(canonical).hexdigest()}"
    assert sign(HASHES) == sign(dict(reversed(HASHES.items())))
    assert sign(HASHES, "key").startswith("hmac-sha256:")
    assert len({sign(HASHES), sign(HASHES, "key"), sign(HASHES, "other"), sign({"model": "a" * 64})}) == 4


def test_a_signature_is_held_against_what_arrived():
    check_signature(HASHES, sign(HASHES, "key"), "key")

    with pytest.raises(SignatureError, match="the content hashes of metrics, model do not have the signature sha256:"):
        check_signature({**HASHES, "model": "c" * 64}, sign(HASHES))
    with pytest.raises(SignatureError):
        check_signature(HASHES, sign(HASHES), "key")
    with pytest.raises(SignatureError, match="do not have the signature sïgned"):
        check_signature(HASHES, "sïgned", "key")
