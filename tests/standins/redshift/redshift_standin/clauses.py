"""The options of UNLOAD and COPY, read one after another."""

import re
from collections.abc import Callable, Mapping
from typing import TypeAlias

from redshift_standin.refusals import RedshiftError
from redshift_standin.tokens import Token, closing, read_tokens, unquoted

Options: TypeAlias = dict[str, object]
Reader: TypeAlias = "Callable[[Clauses, Options], None]"
_UNITS = {"mb": 2**20, "gb": 2**30}
_ROLE = re.compile(r"arn:aws[a-z-]*:iam::\d{12}:role/\S+")


class Clauses:
    """A statement's tokens and how far they have been read."""

    def __init__(self, sql: str) -> None:
        self.sql = sql
        self.tokens = [token for token in read_tokens(sql) if token.text != ";"]
        self.at = 0

    @property
    def word(self) -> str:
        """The word or symbol to be read next; "" at the end."""
        return (self.tokens[self.at].word or self.tokens[self.at].text) if self.at < len(self.tokens) else ""

    def accept(self, *words: str) -> bool:
        """Whether one of the words comes next; if so it is read."""
        is_next = self.word in words
        self.at += is_next
        return is_next

    def expect(self, word: str) -> None:
        """Read this word.

        Raises:
            RedshiftError: another comes.
        """
        if not self.accept(word):
            raise RedshiftError(f'syntax error at or near "{self.word}" (expected {word.upper()})')

    def take(self) -> Token:
        """Read any token."""
        if self.at >= len(self.tokens):
            raise RedshiftError("syntax error at end of input")
        self.at += 1
        return self.tokens[self.at - 1]

    def text(self) -> str:
        """Read a string; returns what it stands for."""
        token = self.take()
        if token.kind not in {"string", "dollar"}:
            raise RedshiftError(f'syntax error at or near "{token.text}" (expected a string)')
        return unquoted(token)

    def names(self) -> tuple[str, ...]:
        """Read names in parentheses."""
        end = closing(self.tokens, self.at)
        inside = self.tokens[self.at + 1 : end]
        self.at = end + 1
        return tuple(unquoted(token) if token.kind == "quoted" else token.word for token in inside if token.text != ",")

    def switch(self) -> bool:
        """Read ON, TRUE, OFF, FALSE or nothing, which means ON."""
        self.accept("as")
        is_off = self.accept("off", "false")
        if not is_off:
            self.accept("on", "true")
        return not is_off

    def size(self) -> float:
        """Read a number of MB or GB; returns bytes."""
        self.accept("as")
        number = float(self.take().text)
        return number * _UNITS[self.take().word if self.word in _UNITS else "mb"]

    def options(self, readers: Mapping[str, Reader], found: Options) -> Options:
        """Read options to the end, each by the function of its first word.

        Raises:
            RedshiftError: an option is none of these.
        """
        while self.at < len(self.tokens):
            token = self.take()
            if token.word not in readers:
                raise RedshiftError(
                    f'syntax error at or near "{token.text}" (the Redshift stand-in knows {", ".join(sorted(readers))})'
                )
            readers[token.word](self, found)
        return found


def read_role(clauses: Clauses, found: Options) -> None:
    """IAM_ROLE { default | 'arn' }."""
    found["role"] = "default" if clauses.accept("default") else clauses.text()
    if found["role"] != "default" and not all(_ROLE.fullmatch(arn) for arn in str(found["role"]).split(",")):
        raise RedshiftError(f"Invalid IAM role ARN: {found['role']}", sqlstate="XX000")


def read_format(clauses: Clauses, found: Options) -> None:
    """FORMAT [AS] PARQUET."""
    clauses.accept("as")
    if not clauses.accept("parquet"):
        raise RedshiftError(f"The Redshift stand-in knows FORMAT PARQUET, not {clauses.word.upper()}")
    found["format"] = "parquet"


def ignore_text(clauses: Clauses, _: Options) -> None:
    """An option with a text that changes nothing here, such as REGION."""
    clauses.accept("as")
    clauses.text()


def ignore_switch(clauses: Clauses, _: Options) -> None:
    """An option that is on or off and changes nothing here, such as STATUPDATE."""
    clauses.switch()


def check_authorized(found: Options, command: str) -> None:
    """Ask for a role and for Parquet.

    Raises:
        RedshiftError: one of them is missing.
    """
    if "role" not in found:
        raise RedshiftError(f"{command} needs IAM_ROLE", sqlstate="XX000")
    if "format" not in found:
        raise RedshiftError(f"The Redshift stand-in knows {command} with FORMAT PARQUET only")
