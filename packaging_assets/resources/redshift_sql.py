"""SQL for Redshift: parameters put in as literals, comments taken out.

The Data API has parameters of its own, but they are texts that may not be empty or null, and those inside UNLOAD's
quoted query are not seen. So there is one way for all statements: `$name` becomes a typed literal. What stands in
strings, quoted names and dollar quotes is left alone.
"""

import re
from collections.abc import Iterator

from packaging_assets.resources.redshift_literals import BACKSLASH, literal
from packaging_assets.resources.warehouse import Parameters

_TOKEN = re.compile(
    r"""
      (?P<comment>--[^\n]*|/\*.*?\*/)
    | (?P<string>'(?:[^']|'')*')
    | (?P<dollar>\$(?P<tag>[A-Za-z_]*)\$.*?\$(?P=tag)\$)
    | (?P<quoted>"(?:[^"]|"")*")
    | (?P<parameter>\$[A-Za-z_]\w*)
    | (?P<word>[A-Za-z_][\w$]*)
    | (?P<open>['"]|/\*)
    | (?P<other>\d[\w.$]*|\s+|.)
    """,
    re.VERBOSE | re.DOTALL,
)
SHOWN = 160
"""Characters of a statement in an error."""

_READS = frozenset({"select", "with"})


def rendered(sql: str, parameters: Parameters) -> str:
    """One statement with its parameters as literals, without comments and the semicolon at its end.

    Raises:
        ValueError: a parameter has no value, or no place, or no form in SQL; or the text is not one whole statement.
    """
    if BACKSLASH in sql:
        raise ValueError("SQL for Redshift holds no backslash, which may be an escape or not: write chr(92) instead")
    parts: list[str] = []
    unused = set(parameters)
    for kind, text in _tokens(sql):
        if kind == "open":
            raise ValueError(f"the statement has a {text} that is not closed")
        if kind == "parameter":
            name = text[1:]
            if name not in parameters:
                raise ValueError(f"parameter ${name} has no value; pass one")
            unused.discard(name)
            parts.append(_given(name, parameters))
        else:
            parts.append(" " if kind == "comment" else text)
    if unused:
        raise ValueError(f"parameter ${min(unused)} stands nowhere in the statement; leave it out")
    return "".join(parts).strip().rstrip(";").rstrip()


def reads_only(sql: str) -> bool:
    """Whether a statement is a query."""
    return next((text.lower() for kind, text in _tokens(sql) if kind == "word"), "") in _READS


def is_ordered(sql: str) -> bool:
    """Whether a query says the order of its rows: ORDER BY outside all parentheses."""
    depth, before = 0, ""
    for kind, text in _tokens(sql):
        if kind == "comment" or text.isspace():
            continue
        depth += (text == "(") - (text == ")")
        word = text.lower() if kind == "word" else ""
        if depth == 0 and (before, word) == ("order", "by"):
            return True
        before = word
    return False


def beginning(sql: str) -> str:
    """The first characters of a statement, on one line, as errors name it; values of parameters are not in it."""
    text = " ".join("".join(" " if kind == "comment" else text for kind, text in _tokens(sql)).split())
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}..."


def _given(name: str, parameters: Parameters) -> str:
    try:
        return literal(parameters[name])
    except ValueError as error:
        raise ValueError(f"parameter ${name}: {error}") from error


def _tokens(sql: str) -> Iterator[tuple[str, str]]:
    for match in _TOKEN.finditer(sql):
        kind = match.lastgroup or "other"
        yield ("dollar" if kind == "tag" else kind), match.group()
