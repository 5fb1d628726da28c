"""What somebody who misspelt a name may have meant."""

import difflib
from collections.abc import Iterable


def did_you_mean(name: str, names: Iterable[str]) -> str:
    """`; did you mean 'x'?` with the name that comes nearest, or nothing if none comes near."""
    close = difflib.get_close_matches(name, list(names), n=1)
    return f"; did you mean {close[0]!r}?" if close else ""


def meant_or_all(name: str, names: Iterable[str]) -> str:
    """As `did_you_mean`; if no name comes near, all that there are."""
    there = list(names)
    return did_you_mean(name, there) or f"; there is {', '.join(there) or 'none'}"
