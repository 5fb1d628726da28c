"""How `packaging cache` writes sizes and times."""

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
