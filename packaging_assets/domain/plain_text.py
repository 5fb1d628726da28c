"""Texts of other people's, such as a brand in a reason or an error, as a terminal and a message may show them."""


def one_line(text: str) -> str:
    """The text as one line of its own: without line breaks and without the control codes that a terminal obeys."""
    return " ".join("".join(sign if sign.isprintable() else " " for sign in text).split())


def first_line(error: Exception) -> str:
    """What an error says without the lines, such as SQL, that tell a person nothing."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
