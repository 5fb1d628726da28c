"""A signature over the content hashes of what belongs together, so that a copy can be held against the original.

Without a key it is a checksum: it tells damage and mix-ups. With a key that both sides know (HMAC, RFC 2104, SHA-256)
it also tells that somebody else wrote it.
"""

import hashlib
import hmac
import json
from collections.abc import Mapping


class SignatureError(ValueError):
    """Hashes do not have the signature that they should have; the message says what to look at."""


def sign(hashes: Mapping[str, str], key: str = "") -> str:
    """The signature of content hashes by name: `sha256:` or, with a key, `hmac-sha256:` and 64 hexadecimal digits."""
    canonical = json.dumps(dict(hashes), sort_keys=True, separators=(",", ":")).encode()
    if key:
        return f"hmac-sha256:{hmac.new(key.encode(), canonical, hashlib.sha256).hexdigest()}"
    return f"sha256:{hashlib.sha256(canonical).hexdigest()}"


def check_signature(hashes: Mapping[str, str], signature: str, key: str = "") -> None:
    """Hold content hashes against their signature.

    Raises:
        SignatureError: it is not theirs, or not made with this key.
    """
    # As bytes: of texts it compares ASCII only, and a signature is whatever somebody has put there.
    if not hmac.compare_digest(sign(hashes, key).encode(), signature.encode()):
        raise SignatureError(
            f"the content hashes of {', '.join(sorted(hashes))} do not have the signature {signature[:24]}...: the "
            "copy differs from what was signed, or the two environments have different keys (promotion_key)"
        )
