"""How commands write sizes and times."""

import datetime as dt

UNITS = ("B", "kB", "MB", "GB", "TB")
THOUSAND = 1000


def size(count: float) -> str:
    """Bytes with a unit, three digits at most: `12.3 MB`."""
    number = 0
    while count >= THOUSAND and number < len(UNITS) - 1:
        count /= THOUSAND
        number += 1
    return f"{count:.0f} {UNITS[number]}" if number == 0 else f"{count:.1f} {UNITS[number]}"


def age_of(moment: str) -> str:
    """A moment in ISO format, to the minute."""
    return moment[:16].replace("T", " ")


def at(seconds: float) -> str:
    """A moment in seconds since 1970, to the second."""
    return f"{dt.datetime.fromtimestamp(seconds, dt.UTC):%Y-%m-%d %H:%M:%S} UTC"
