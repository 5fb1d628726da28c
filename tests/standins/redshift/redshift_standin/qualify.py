"""QUALIFY, which PostgreSQL lacks.

PostgreSQL works out window functions first and then functions that return sets, also those in ORDER BY, whose values
are not part of the result: `order by series(1, case when <condition> then 1 else 0 end)` returns each row as often as
its series has values. That keeps the rows that meet the condition and adds no column, whatever is selected.
"""

from collections.abc import Sequence

from redshift_standin.refusals import RedshiftError
from redshift_standin.tokens import Edits, Token, text_at, words_at

_ENDS = frozenset({"limit", "offset", "union", "except", "minus", "intersect"})
_SET_OPERATORS = frozenset({"union", "except", "minus", "intersect", "all"})
# Where a name in FROM was given an alias before QUALIFY, or where something stands between the two.
_BETWEEN = frozenset({"where", "group", "having", "as", "on", "using", ")"})


def rewrite_qualify(tokens: Sequence[Token], edits: Edits) -> None:
    """Say every QUALIFY of a statement with ORDER BY.

    Raises:
        RedshiftError: a table directly before QUALIFY has no alias, which Redshift asks for.
    """
    for index, token in enumerate(tokens):
        if token.word == "qualify" and text_at(tokens, index - 1) not in {".", "as"}:
            _rewrite(tokens, index, edits)


def _rewrite(tokens: Sequence[Token], index: int, edits: Edits) -> None:
    start = _block_start(tokens, index)
    _refuse_table_without_alias(tokens, start, index)
    end = _condition_end(tokens, index)
    edits.replace(tokens[index].start, tokens[index].end, "order by redshift_series(1, case when")
    close = " then 1 else 0 end)"
    in_set = text_at(tokens, start - 1) in _SET_OPERATORS or text_at(tokens, end) in _SET_OPERATORS
    if in_set:
        edits.replace(tokens[start].start, tokens[start].start, "(")
        close += ")"
    elif words_at(tokens, end, "order", "by"):
        edits.replace(tokens[end].start, tokens[end + 1].end, "")
        close += ","
    edits.replace(tokens[end - 1].end, tokens[end - 1].end, close)


def _block_start(tokens: Sequence[Token], index: int) -> int:
    depth = tokens[index].depth
    before = range(index, -1, -1)
    return next(at for at in before if tokens[at].word == "select" and tokens[at].depth == depth)


def _condition_end(tokens: Sequence[Token], index: int) -> int:
    depth = tokens[index].depth
    for at in range(index + 1, len(tokens)):
        token = tokens[at]
        is_end = token.text == ";" or token.word in _ENDS or words_at(tokens, at, "order", "by")
        if token.depth < depth or (token.depth == depth and is_end) or words_at(tokens, at, "with", "no", "schema"):
            return at
    return len(tokens)


def _refuse_table_without_alias(tokens: Sequence[Token], start: int, index: int) -> None:
    depth = tokens[index].depth
    last_from = max(at for at in range(start, index) if tokens[at].word == "from" and tokens[at].depth == depth)
    between = tokens[last_from + 1 : index]
    if any((token.word or token.text) in _BETWEEN for token in between):
        return
    last = between[-2:]
    is_bare = len(last) < 2 or last[0].text in {".", ","} or last[0].word == "join"
    if is_bare:
        raise RedshiftError(
            f'syntax error at or near "{tokens[index].text}" (Redshift stand-in: give {last[-1].text} an alias; '
            "a table directly before QUALIFY needs one)"
        )
