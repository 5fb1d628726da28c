"""Named parameters of the Data API: `:name` in the SQL, each value a text that the database converts as it needs.

What stands in quotes is text: a parameter inside the query of an UNLOAD is none.
"""

from collections.abc import Mapping, Sequence
from itertools import pairwise

from redshift_standin.errors import invalid
from redshift_standin.tokens import Edits, read_tokens


def bind(statements: Sequence[str], parameters: Mapping[str, str]) -> list[str]:
    """The statements with the values in their places; a parameter may be used by any of them.

    Raises:
        ServiceError: a parameter is used by none.
    """
    unused = set(parameters)
    bound: list[str] = []
    for sql in statements:
        edits = Edits(sql)
        for name, start, end in _places(sql):
            if name in parameters:
                unused.discard(name)
                edits.replace(start, end, "'" + parameters[name].replace("'", "''") + "'")
        bound.append(edits.applied())
    if unused:
        raise invalid(f"Parameters list contains unused parameters. Unused parameters: [{', '.join(sorted(unused))}]")
    return bound


def _places(sql: str) -> list[tuple[str, int, int]]:
    tokens = read_tokens(sql)
    return [
        (after.text, colon.start, after.end)
        for colon, after in pairwise(tokens)
        if colon.text == ":" and after.kind in {"word", "number"} and after.start == colon.end
    ]
