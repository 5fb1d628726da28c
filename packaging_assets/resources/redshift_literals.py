"""Values as Redshift writes them in SQL, each with its type, so that no text can end or change a statement.

Nothing here contains a backslash: whether Redshift takes one in quotes for an escape depends on where the text stands
(in UNLOAD's query it does), so a backslash in a value is written `chr(92)`.
"""

import datetime as dt
import math
from decimal import Decimal
from numbers import Integral, Real

BACKSLASH = "\\"
_LARGEST_INTEGER = 2**31 - 1
_LARGEST_BIGINT = 2**63
_LARGEST_PRECISION = 38


def literal(value: object) -> str:
    """The SQL expression of a value: null, boolean, integer, double, decimal, text, date or timestamp.

    Raises:
        ValueError: the value is of another type, or one that no column of Redshift holds.
    """
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, dt.datetime):
        zone = "timestamp" if value.tzinfo is None else "timestamptz"
        return f"cast('{value.isoformat(sep=' ', timespec='microseconds')}' as {zone})"
    if isinstance(value, dt.date):
        return f"cast('{value.isoformat()}' as date)"
    return _number(value)


def quoted(text: str) -> str:
    """A text in quotes, for where SQL takes no expression: UNLOAD's query, URIs, ARNs.

    Raises:
        ValueError: the text has a backslash or a null character.
    """
    if BACKSLASH in text:
        raise ValueError(r"SQL for Redshift holds no backslash, which may be an escape or not: write chr(92) instead")
    _refuse_what_is_no_text(text)
    return "'" + text.replace("'", "''") + "'"


def _text(value: str) -> str:
    _refuse_what_is_no_text(value)
    parts = [quoted(part) for part in value.split(BACKSLASH)]
    # The length is in bytes. One that is too long is refused by Redshift, in words that say so.
    return f"cast({' || chr(92) || '.join(parts)} as varchar({max(1, len(value.encode()))}))"


def _refuse_what_is_no_text(text: str) -> None:
    if "\0" in text:
        raise ValueError("a text holds the null character, which Redshift cannot store: take it out")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ValueError("a text is not valid Unicode and cannot be sent to Redshift: repair it") from error


def _number(value: object) -> str:
    if isinstance(value, Integral):
        return _integer(int(value))
    if isinstance(value, Decimal):
        return _decimal(value)
    if isinstance(value, Real):
        return f"cast('{_double(float(value))}' as double precision)"
    raise ValueError(f"a parameter of type {type(value).__name__} has no form in SQL; pass text, number, date or time")


def _double(value: float) -> str:
    """As text, which is converted exactly; a literal with a point would be a decimal."""
    if math.isfinite(value):
        return repr(value)
    return "NaN" if math.isnan(value) else ("Infinity" if value > 0 else "-Infinity")


def _integer(value: int) -> str:
    if not -_LARGEST_BIGINT <= value < _LARGEST_BIGINT:
        raise ValueError(f"{value} is beyond 64 bits, the largest integer of Redshift; pass a Decimal")
    if abs(value) <= _LARGEST_INTEGER:
        # In parentheses, since a minus before a minus begins a comment.
        return str(value) if value >= 0 else f"({value})"
    return f"cast('{value}' as bigint)"


def _decimal(value: Decimal) -> str:
    _, digits, exponent = value.as_tuple()
    if isinstance(exponent, str):
        raise ValueError(f"the decimal {value} is not finite; pass a float")  # noqa: TRY004 - the value, not its type
    scale = max(0, -exponent)
    precision = max(len(digits) + max(0, exponent), scale, 1)
    if precision > _LARGEST_PRECISION:
        raise ValueError(f"the decimal {value} has {precision} digits; Redshift holds {_LARGEST_PRECISION}")
    return f"cast('{value:f}' as decimal({precision}, {scale}))"
