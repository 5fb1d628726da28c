"""What the gates say as the Markdown that Dagster's UI shows, and back.

Their sentences name brands and categories: what a supplier wrote there must show as it is, and neither as markup nor as
a reason of its own. The UI lets no script through, but it would fetch a picture and show a link under another name.
"""

import re
from collections.abc import Iterable

_ITEM = "- "
_MARKUP = re.compile(r"[\\`*\[\]<>|~&]|(?<![^\W_])_|_(?![^\W_])")
_ESCAPED = re.compile(r"\\([\\`*\[\]<>|~&_])")


def as_markdown(sentence: str) -> str:
    """The sentence, in one line, for a field that the UI takes for Markdown."""
    return _MARKUP.sub(r"\\\g<0>", " ".join(sentence.split()))


def from_markdown(text: str) -> str:
    """The sentence of which `as_markdown` made the text."""
    return _ESCAPED.sub(r"\1", text)


def as_list(reasons: Iterable[str]) -> str:
    """One item for each reason."""
    return "\n".join(f"{_ITEM}{as_markdown(reason)}" for reason in reasons) or "none: every gate passed"


def from_list(text: str) -> tuple[str, ...]:
    """The reasons that `as_list` listed."""
    return tuple(from_markdown(line.removeprefix(_ITEM)) for line in text.splitlines() if line.startswith(_ITEM))
