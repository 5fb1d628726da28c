"""Results of the Data API as rows of Python values, and as an Arrow schema: the same types as DuckDB's.

The Data API writes booleans, integers and doubles as such, and everything else as text.
"""

import datetime as dt
import struct
from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

import pyarrow as pa

Column = Mapping[str, Any]
"""What the Data API says of a column: `label`, `name`, `typeName`, `scale`, ..."""

_ARROW_TYPES = {
    "bool": pa.bool_(),
    "int2": pa.int64(),
    "int4": pa.int64(),
    "int8": pa.int64(),
    "float4": pa.float32(),
    "float8": pa.float64(),
    "date": pa.date32(),
    "timestamp": pa.timestamp("us"),
    "timestamptz": pa.timestamp("us"),
}


def typed_rows(columns: Sequence[Column], records: Iterable[Sequence[Mapping[str, Any]]]) -> list[dict[str, Any]]:
    """One dict per record, by the names of the columns."""
    readers = [(name_of(column), _READERS.get(str(column.get("typeName")), _as_is)) for column in columns]
    return [
        {name: _value(field, reader) for (name, reader), field in zip(readers, record, strict=True)}
        for record in records
    ]


def arrow_schema(columns: Sequence[Column]) -> pa.Schema:
    """The schema that a result of these columns has when it is unloaded."""
    return pa.schema([pa.field(name_of(column), _arrow_type(column)) for column in columns])


def name_of(column: Column) -> str:
    """The name that the query gives a column."""
    return str(column.get("label") or column["name"])


def _arrow_type(column: Column) -> pa.DataType:
    name = str(column.get("typeName"))
    if name == "numeric":
        return pa.float64() if column.get("scale") else pa.int64()
    return _ARROW_TYPES.get(name, pa.string())


def _value(field: Mapping[str, Any], reader: Callable[[Any], Any]) -> Any:
    ((kind, value),) = field.items()
    return None if kind == "isNull" else reader(value)


def _as_is(value: Any) -> Any:
    return value


def _number(value: Any) -> int | Decimal:
    """DuckDB has integers of 128 bits where Redshift has decimals without digits after the point: sums of integers."""
    number = Decimal(value)
    return int(number) if "." not in str(value) else number


def _single(value: Any) -> float:
    """The double next to a single-precision number, as DuckDB gives it: Redshift writes the shortest text of it."""
    return struct.unpack("f", struct.pack("f", float(value)))[0]


_READERS: Mapping[str, Callable[[Any], Any]] = {
    "numeric": _number,
    "float4": _single,
    "float8": float,
    "date": dt.date.fromisoformat,
    "timestamp": dt.datetime.fromisoformat,
    "timestamptz": dt.datetime.fromisoformat,
}
