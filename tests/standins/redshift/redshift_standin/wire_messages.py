"""Messages of PostgreSQL's protocol 3.0, as far as the proxy looks into them.

Source: PostgreSQL documentation, "Frontend/Backend Protocol"; for what Redshift does otherwise, redshift_connector.
"""

import asyncio
import hashlib
import struct
from collections.abc import Mapping

PROTOCOL_3 = 196608
SSL_REQUEST = 80877103
GSS_REQUEST = 80877104
CANCEL_REQUEST = 80877102


async def read_first(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    """The code and the rest of a message without a type, as a connection begins with."""
    (length,) = struct.unpack("!i", await reader.readexactly(4))
    body = await reader.readexactly(length - 4)
    (code,) = struct.unpack("!i", body[:4])
    return code, body[4:]


async def read_message(reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
    """The type and the body of the next message.

    Raises:
        asyncio.IncompleteReadError: the other side has gone.
    """
    head = await reader.readexactly(5)
    (length,) = struct.unpack("!i", head[1:])
    return head[:1], await reader.readexactly(length - 4)


def message(kind: bytes, body: bytes) -> bytes:
    """The bytes of a message."""
    return kind + struct.pack("!i", len(body) + 4) + body


def first_message(code: int, body: bytes) -> bytes:
    """The bytes of a message without a type."""
    return struct.pack("!ii", len(body) + 8, code) + body


def startup(parameters: Mapping[str, str]) -> bytes:
    """The message that begins a session."""
    pairs = b"".join(name.encode() + b"\0" + value.encode() + b"\0" for name, value in parameters.items())
    return first_message(PROTOCOL_3, pairs + b"\0")


def startup_parameters(body: bytes) -> dict[str, str]:
    """What a client asks for as its session begins: user, database, ..."""
    parts = body.rstrip(b"\0").split(b"\0")
    return {parts[at].decode(): parts[at + 1].decode() for at in range(0, len(parts) - 1, 2)}


def error(sqlstate: str, text: str, detail: str = "", *, severity: str = "ERROR") -> bytes:
    """An ErrorResponse."""
    fields = {"S": severity, "C": sqlstate, "M": text, **({"D": detail} if detail else {})}
    return message(b"E", _packed(fields))


def error_fields(body: bytes) -> dict[str, str]:
    """The fields of an ErrorResponse by their letter."""
    return {part[:1].decode(): part[1:].decode() for part in body.split(b"\0") if part}


def _packed(fields: Mapping[str, str]) -> bytes:
    return b"".join(letter.encode() + text.encode() + b"\0" for letter, text in fields.items()) + b"\0"


def parameter_status(name: str, value: str) -> bytes:
    """A ParameterStatus."""
    return message(b"S", name.encode() + b"\0" + value.encode() + b"\0")


def md5_answer(user: str, password: str, salt: bytes) -> bytes:
    """What a client answers to AuthenticationMD5Password."""
    inner = hashlib.md5((password + user).encode(), usedforsecurity=False).hexdigest()
    return b"md5" + hashlib.md5(inner.encode() + salt, usedforsecurity=False).hexdigest().encode() + b"\0"
