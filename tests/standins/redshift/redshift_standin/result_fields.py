"""Rows as GetStatementResult writes them: booleans, longs and doubles typed, everything else as text."""

from typing import Any

from psycopg2 import extensions

_BOOLEAN, _DOUBLES = 16, {700: "float4", 701: "float8"}
_LONGS = {20: "int8", 21: "int2", 23: "int4", 26: "oid"}
_OTHERS = {
    16: "bool",
    18: "char",
    19: "name",
    25: "varchar",
    705: "varchar",
    1042: "bpchar",
    1043: "varchar",
    1082: "date",
    1083: "time",
    1114: "timestamp",
    1184: "timestamptz",
    1700: "numeric",
}
_NAMES = {**_LONGS, **_DOUBLES, **_OTHERS}
_AS_TEXT = extensions.new_type((1082, 1083, 1114, 1184, 1186, 1266, 1700), "AS_TEXT", lambda value, _: value)


def keep_texts(connection: Any) -> None:
    """Have this connection return decimals, dates and times as PostgreSQL writes them."""
    extensions.register_type(_AS_TEXT, connection)


def as_field(value: Any, type_code: int) -> dict[str, Any]:
    """One value as the Data API's `Field`; what JSON has no number for becomes text."""
    if value is None:
        return {"isNull": True}
    if type_code == _BOOLEAN:
        return {"booleanValue": value}
    if type_code in _LONGS:
        return {"longValue": value}
    if type_code in _DOUBLES and value - value == 0:
        return {"doubleValue": value}
    return {"stringValue": str(value)}


def column_metadata(column: Any) -> dict[str, Any]:
    """What GetStatementResult says of a column of a cursor's description."""
    name = _NAMES.get(column.type_code, "varchar")
    size = column.internal_size or 0
    return {
        "name": column.name,
        "label": column.name,
        "typeName": name,
        "length": size if size > 0 else 0,
        "precision": column.precision or (size if size > 0 else 0),
        "scale": column.scale or 0,
        "nullable": 1,
        "isSigned": column.type_code in _LONGS or column.type_code in _DOUBLES or name == "numeric",
        "isCaseSensitive": name in {"varchar", "bpchar", "char", "name"},
        "isCurrency": False,
        "schemaName": "",
        "tableName": "",
    }
