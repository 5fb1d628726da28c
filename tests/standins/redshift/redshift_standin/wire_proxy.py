"""Redshift's wire protocol in front of PostgreSQL: TLS, passwords, version, dialect, and errors as Redshift gives them.

One thread with an event loop of its own serves all connections. Statements that Redshift would refuse are replaced by
one that fails in PostgreSQL, so that an open transaction fails with them.
"""

import asyncio
import os
import ssl
import struct
import threading
from collections.abc import Coroutine, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from redshift_standin import wire_messages as wire
from redshift_standin.dialect import Translation, translate
from redshift_standin.faults import Faults
from redshift_standin.refusals import RedshiftError
from redshift_standin.tokens import split_statements

SERVER_VERSION = "8.0.2"
CONFLICT_DETAIL = "Serializable isolation violation on table - 100001, transactions forming the cycle are: 1, 2 (pid:1)"
_SERIALIZATION_FAILURE = "40001"
_INTERNAL_ERROR = "XX000"
_GOOD_BYE_SECONDS = 1.0
_PASSED_ON = ("database", "application_name")


def refusing(error: RedshiftError) -> str:
    """A statement that fails with this error in whatever transaction it runs."""
    quoted = ", ".join("'" + text.replace("'", "''") + "'" for text in (error.message, error.sqlstate, error.detail))
    return f"select redshift_refuse({quoted})"


def conflict() -> RedshiftError:
    """What Redshift says when concurrent transactions cannot be put into an order."""
    return RedshiftError("1023", sqlstate=_INTERNAL_ERROR, detail=CONFLICT_DETAIL)


@dataclass
class Served:
    """What the proxy needs to know, and what it has seen.

    Attributes:
        postgres_port: where PostgreSQL listens.
        role: the PostgreSQL role that every user becomes.
        passwords: database user -> password; users whose name begins with IAM are let in with any.
        faults: what shall go wrong.
        clauses: every dist key, sort key and so on that was taken out of a statement, in order.
        statements: every statement as it came in.
    """

    postgres_port: int
    role: str
    passwords: Mapping[str, str]
    faults: Faults
    clauses: list[str] = field(default_factory=list[str])
    statements: list[str] = field(default_factory=list[str])


class WireProxy:
    """Listens on the loopback interface, with TLS and without, as the client likes.

    Attributes:
        port: where it listens, once started; 0 before that takes a free one.
    """

    def __init__(self, served: Served, *, port: int = 0) -> None:
        self.port = port
        self._served = served
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="redshift-wire", daemon=True)
        self._sessions: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    def start(self, tls: ssl.SSLContext) -> None:
        """Begin to listen; whoever asks for TLS gets it with these settings."""
        self._thread.start()
        self._on_loop(self._listen(tls))

    def stop(self) -> None:
        """Cut every connection and stop listening."""
        if self._thread.is_alive():
            self._on_loop(self._close())
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
        self._loop.close()

    def _on_loop(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(timeout=10)

    async def _listen(self, tls: ssl.SSLContext) -> None:
        self._server = await asyncio.start_server(partial(self._serve, tls), "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _close(self) -> None:
        if self._server is not None:
            self._server.close()
        for session in self._sessions:
            session.cancel()
        await asyncio.gather(*self._sessions, return_exceptions=True)

    async def _serve(self, tls: ssl.SSLContext, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is not None:
            self._sessions.add(task)
            task.add_done_callback(self._sessions.discard)
        try:
            await _open_session(self._served, tls, reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError, ssl.SSLError, asyncio.CancelledError):
            pass  # The client has gone, or the stand-in stops: nobody is left to tell.
        finally:
            await _hang_up(writer)


async def _hang_up(writer: asyncio.StreamWriter) -> None:
    """Send what is left and close, without waiting for the other side to say good-bye to TLS."""
    with suppress(ConnectionError, ssl.SSLError, TimeoutError, asyncio.CancelledError):
        writer.close()
        await asyncio.wait_for(writer.wait_closed(), _GOOD_BYE_SECONDS)
    writer.transport.abort()


async def _open_session(
    served: Served, tls: ssl.SSLContext, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    code, body = await wire.read_first(reader)
    while code in {wire.SSL_REQUEST, wire.GSS_REQUEST}:
        writer.write(b"S" if code == wire.SSL_REQUEST else b"N")
        await writer.drain()
        if code == wire.SSL_REQUEST:
            await writer.start_tls(tls)
        code, body = await wire.read_first(reader)
    to_postgres = await asyncio.open_connection("127.0.0.1", served.postgres_port)
    try:
        if code == wire.CANCEL_REQUEST:
            to_postgres[1].write(wire.first_message(code, body))
            await to_postgres[1].drain()
            return
        asked = wire.startup_parameters(body)
        if not await _is_let_in(served, asked.get("user", ""), reader, writer):
            return
        passed = {name: asked[name] for name in _PASSED_ON if name in asked}
        to_postgres[1].write(wire.startup({"user": served.role, "client_encoding": "UTF8", **passed}))
        await _Session(served, (reader, writer), to_postgres).run()
    finally:
        await _hang_up(to_postgres[1])


async def _is_let_in(served: Served, user: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
    salt = os.urandom(4)
    writer.write(wire.message(b"R", struct.pack("!i", 5) + salt))
    await writer.drain()
    _, answer = await wire.read_message(reader)
    is_temporary = user.startswith(("IAM:", "IAMA:", "IAMR:"))
    known = served.passwords.get(user)
    if is_temporary or (known is not None and answer == wire.md5_answer(user, known, salt)):
        return True
    writer.write(wire.error("28000", f'password authentication failed for user "{user}"', severity="FATAL"))
    await writer.drain()
    return False


class _Session:
    """Both directions of one connection, after the client was let in."""

    def __init__(
        self,
        served: Served,
        client: tuple[asyncio.StreamReader, asyncio.StreamWriter],
        postgres: tuple[asyncio.StreamReader, asyncio.StreamWriter],
    ) -> None:
        self._served = served
        self._client = client
        self._postgres = postgres
        self._committing = {b"S": set[bytes](), b"P": set[bytes]()}
        self._must_commit = False
        self._is_committing = False

    async def run(self) -> None:
        """Pass messages on until either side goes."""
        pumps = [asyncio.create_task(self._to_postgres()), asyncio.create_task(self._to_client())]
        try:
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for pump in pumps:
                pump.cancel()
            await asyncio.gather(*pumps, return_exceptions=True)

    async def _to_postgres(self) -> None:
        while True:
            kind, body = await wire.read_message(self._client[0])
            if kind == b"P":
                body = await self._parsed(body)
            elif kind == b"Q":
                body = await self._simple_query(body)
            elif kind == b"B":
                portal, statement = body.split(b"\0", 2)[:2]
                self._note(b"P", portal, is_noted=statement in self._committing[b"S"])
            elif kind == b"E":
                self._must_commit |= body.split(b"\0", 1)[0] in self._committing[b"P"]
            if body is None:
                return
            self._postgres[1].write(wire.message(kind, body))
            await self._postgres[1].drain()

    async def _parsed(self, body: bytes) -> bytes | None:
        name, sql, rest = body.split(b"\0", 2)
        translated = await self._translated(sql.decode())
        if translated is None:
            return None
        self._note(b"S", name, is_noted=translated.commits)
        return b"\0".join([name, translated.sql.encode(), rest])

    async def _simple_query(self, body: bytes) -> bytes | None:
        translations: list[Translation] = []
        for statement in split_statements(body.rstrip(b"\0").decode()):
            translated = await self._translated(statement)
            if translated is None:
                return None
            translations.append(translated)
        self._must_commit |= any(translation.commits for translation in translations)
        return ";".join(translation.sql for translation in translations).encode() + b"\0"

    def _note(self, kind: bytes, name: bytes, *, is_noted: bool) -> None:
        names = self._committing[kind]
        names.add(name) if is_noted else names.discard(name)

    async def _translated(self, sql: str) -> Translation | None:
        """For PostgreSQL; None if the connection shall be cut instead."""
        self._served.statements.append(sql)
        fault = self._served.faults.of_statement(sql)
        kind = fault.kind if fault else ""
        if fault and kind == "slow_statement":
            await asyncio.sleep(fault.seconds)
        if fault and kind == "disconnected":
            return None
        if fault and kind in {"failed_statement", "aborted"}:
            return Translation(refusing(RedshiftError(fault.message, sqlstate=_INTERNAL_ERROR)))
        if kind == "conflict":
            return Translation(refusing(conflict()))
        try:
            translation = translate(sql)
        except RedshiftError as refusal:
            return Translation(refusing(refusal))
        self._served.clauses.extend(translation.clauses)
        return translation

    async def _to_client(self) -> None:
        while True:
            kind, body = await wire.read_message(self._postgres[0])
            if self._is_committing:
                self._is_committing = kind != b"Z"
                if self._is_committing:
                    continue
            elif kind == b"Z" and self._must_commit:
                self._must_commit = False
                if body == b"T":
                    self._is_committing = True
                    self._postgres[1].write(wire.message(b"Q", b"commit\0"))
                    continue
            self._client[1].write(_as_redshift(kind, body))
            await self._client[1].drain()


def _as_redshift(kind: bytes, body: bytes) -> bytes:
    if kind == b"S" and body.startswith(b"server_version\0"):
        return wire.parameter_status("server_version", SERVER_VERSION)
    if kind == b"E" and wire.error_fields(body).get("C") == _SERIALIZATION_FAILURE:
        refusal = conflict()
        return wire.error(refusal.sqlstate, refusal.message, refusal.detail)
    return wire.message(kind, body)
