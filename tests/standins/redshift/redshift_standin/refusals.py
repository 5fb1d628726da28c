"""What PostgreSQL takes and Redshift does not: found by its syntax, and refused as Redshift would.

What differs by name only (functions and types that Redshift lacks) is taken out of the database instead: see
`compatibility.sql`.
"""

from collections.abc import Iterator, Sequence

from redshift_standin.tokens import Token, closing, opening, text_at, word_set, words_at


class RedshiftError(Exception):
    """An error as Redshift would report it.

    Args:
        message: its primary message.
        sqlstate: its five-character code.
        detail: what else there is to say; "" for nothing.
    """

    def __init__(self, message: str, *, sqlstate: str = "42601", detail: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.sqlstate = sqlstate
        self.detail = detail


_SEQUENCES: dict[tuple[str, ...], str] = {
    ("filter", "("): "aggregates have no FILTER; use sum(case when ... end)",
    ("distinct", "on", "("): "there is no DISTINCT ON; use row_number() and QUALIFY",
    ("on", "conflict"): "there is no ON CONFLICT; use MERGE, or delete and insert",
    ("lateral",): "there is no LATERAL",
    ("returning",): "there is no RETURNING",
    ("with", "ordinality"): "there is no WITH ORDINALITY",
    ("tablesample",): "there is no TABLESAMPLE",
    ("unnest", "("): "there is no UNNEST of arrays",
    ("array", "["): "there are no PostgreSQL arrays",
    ("create", "index"): "there are no indexes",
    ("create", "unique", "index"): "there are no indexes",
    ("create", "sequence"): "there are no sequences; use IDENTITY columns",
    ("create", "type"): "there are no user-defined types",
    ("create", "domain"): "there are no domains",
    ("create", "extension"): "there are no extensions",
    ("create", "trigger"): "there are no triggers",
    ("create", "unlogged"): "there are no unlogged tables",
    ("add", "column", "if"): "there is no ADD COLUMN IF NOT EXISTS",
    ("drop", "column", "if"): "there is no DROP COLUMN IF EXISTS",
    ("for", "update"): "there is no SELECT ... FOR UPDATE; use LOCK",
    ("generated", "always"): "identity columns are written IDENTITY(seed, step)",
    ("nulls", "not", "distinct"): "constraints are not enforced",
    ("when", "matched", "and"): "MERGE takes no conditions after MATCHED",
    ("when", "not", "matched", "by"): "MERGE knows MATCHED and NOT MATCHED only",
}

# Redshift reserves these as PostgreSQL does not: quoted, after a dot or after AS they may name things.
_RESERVED = word_set(
    "aes128 aes256 allowoverwrite blanksasnull bytedict bzip2 credentials defrag deflate delta delta32k disable "
    "emptyasnull enable encrypt encryption explicit globaldict256 globaldict64k gzip lun luns lzo lzop mostly13 "
    "mostly16 mostly32 mostly8 new offline old open percent permissions raw readratio recover rejectlog resort "
    "restore snapshot tag tdes text255 text32k truncatecolumns wallet"
)
_MAY_PRECEDE_RESERVED = frozenset({".", "as", "encode"})

_NEED_A_FRAME = word_set(
    "sum avg min max count stddev stddev_samp stddev_pop variance var_samp var_pop first_value last_value nth_value"
)
_TAKE_NO_FRAME = word_set("row_number rank dense_rank percent_rank cume_dist ntile lag lead")
_NEVER_AN_ALIAS = word_set(
    "where group having order limit offset union except intersect minus on using join inner left right full cross "
    "natural qualify when set with"
)


def refuse_what_redshift_lacks(tokens: Sequence[Token]) -> None:
    """Look at one statement.

    Raises:
        RedshiftError: it uses syntax that Redshift does not know.
    """
    for index, token in enumerate(tokens):
        if token.kind not in {"word", "symbol"}:
            continue
        for sequence, reason in _SEQUENCES.items():
            if words_at(tokens, index, *sequence) and text_at(tokens, index - 1) != ".":
                raise _refusal(token, reason)
        _refuse_reserved_name(tokens, index)
    _refuse_values_tables(tokens)
    _refuse_array_types(tokens)
    _refuse_create_as_if_not_exists(tokens)
    _refuse_two_added_columns(tokens)
    _refuse_nameless_subqueries(tokens)
    _refuse_window_frames(tokens)


def _refusal(token: Token, reason: str) -> RedshiftError:
    return RedshiftError(f'syntax error at or near "{token.text}" (Redshift stand-in: {reason})')


def _refuse_reserved_name(tokens: Sequence[Token], index: int) -> None:
    if tokens[index].word in _RESERVED and text_at(tokens, index - 1) not in _MAY_PRECEDE_RESERVED:
        raise _refusal(tokens[index], f"{tokens[index].word.upper()} is a reserved word; quote it")


def _refuse_values_tables(tokens: Sequence[Token]) -> None:
    for index, token in enumerate(tokens):
        if token.word == "values" and text_at(tokens, index - 1) in {"", "(", "from", "as", "all", "union"}:
            raise _refusal(token, "VALUES makes no table; select each row and UNION ALL them")


def _refuse_array_types(tokens: Sequence[Token]) -> None:
    for token in tokens:
        if token.text == "[":
            raise _refusal(token, "there are no PostgreSQL arrays, and SUPER is not emulated")


def _refuse_create_as_if_not_exists(tokens: Sequence[Token]) -> None:
    if text_at(tokens, 0) != "create" or not any(words_at(tokens, at, "table", "if") for at in range(1, 4)):
        return
    for index, token in enumerate(tokens):
        if token.word == "as" and token.depth == 0 and text_at(tokens, index + 1) in {"(", "select", "with"}:
            raise _refusal(token, "CREATE TABLE AS takes no IF NOT EXISTS")


def _refuse_two_added_columns(tokens: Sequence[Token]) -> None:
    added = [token for token in tokens if token.word == "add" and token.depth == 0]
    if text_at(tokens, 0) == "alter" and len(added) > 1:
        raise _refusal(added[1], "ALTER TABLE adds one column at a time")


def _refuse_nameless_subqueries(tokens: Sequence[Token]) -> None:
    for index, token in enumerate(tokens):
        is_subquery = token.text == "(" and text_at(tokens, index + 1) in {"select", "with"}
        if not (is_subquery and text_at(tokens, index - 1) in {"from", "join"}):
            continue
        after = closing(tokens, index) + 1
        named = after < len(tokens) and tokens[after].kind in {"word", "quoted"}
        if not named or tokens[after].word in _NEVER_AN_ALIAS:
            raise RedshiftError("subquery in FROM must have an alias")


def _windows(tokens: Sequence[Token]) -> Iterator[tuple[Token, Sequence[Token], Sequence[Token]]]:
    """Each window function, its arguments, and what is in the parentheses after OVER."""
    for index, token in enumerate(tokens):
        if token.word != "over" or text_at(tokens, index + 1) != "(":
            continue
        before = next((at for at in range(index - 1, -1, -1) if tokens[at].text == ")"), -1)
        arguments = opening(tokens, before) if before >= 0 else -1
        if arguments > 0:
            inside = tokens[index + 2 : closing(tokens, index + 1)]
            yield tokens[arguments - 1], tokens[arguments + 1 : before], inside


def _refuse_window_frames(tokens: Sequence[Token]) -> None:
    for function, arguments, inside in _windows(tokens):
        depth = function.depth + 1
        words = {token.word for token in inside if token.depth == depth}
        if words & {"range", "groups"}:
            raise _refusal(function, "window frames are ROWS frames")
        if "rows" in words and function.word in _TAKE_NO_FRAME:
            raise RedshiftError(f"{function.text} does not take a frame clause")
        if "order" in words and "rows" not in words and function.word in _NEED_A_FRAME:
            raise RedshiftError(
                f"Aggregate window functions with an ORDER BY clause require a frame clause (at {function.text})"
            )
        if arguments and arguments[0].word == "distinct":
            raise _refusal(arguments[0], "window functions take no DISTINCT")
