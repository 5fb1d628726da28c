"""Redshift's SQL said in PostgreSQL's: what PostgreSQL lacks is rewritten, what Redshift lacks is refused."""

from collections.abc import Sequence
from dataclasses import dataclass

from redshift_standin.qualify import rewrite_qualify
from redshift_standin.refusals import refuse_what_redshift_lacks
from redshift_standin.tokens import Edits, Token, closing, read_tokens, text_at, word_set, words_at

_DATE_PART_FUNCTIONS = frozenset({"dateadd", "date_add", "datediff", "date_diff", "date_part", "datepart"})
_WITHOUT_TIME_ZONE = "cast(current_timestamp at time zone 'UTC' as timestamp)"
_WORDS = {"minus": "except", "sysdate": _WITHOUT_TIME_ZONE, "nvl": "coalesce", "approximate": ""}
_OWN_SETTINGS = word_set(
    "query_group wlm_query_slot_count enable_result_cache_for_session enable_case_sensitive_identifier "
    "enable_case_sensitive_super_attribute use_fips_ssl"
)
_TABLE_ATTRIBUTES = frozenset({"backup", "diststyle", "distkey", "sortkey", "compound", "interleaved", "encode"})
# Redshift's TEXT, and VARCHAR without a length.
_SHORT_TEXT = "varchar(256)"


@dataclass(frozen=True)
class Translation:
    """One statement for PostgreSQL.

    Attributes:
        sql: what PostgreSQL gets.
        clauses: what has no meaning there and was taken out: dist and sort keys, late binding, ...
        commits: Redshift commits the transaction after it, and so must whoever runs this (TRUNCATE).
    """

    sql: str
    clauses: tuple[str, ...] = ()
    commits: bool = False


def translate(sql: str) -> Translation:
    """Translate one statement.

    Raises:
        RedshiftError: Redshift would not take it.
    """
    tokens = read_tokens(sql)
    refuse_what_redshift_lacks(tokens)
    edits = Edits(sql)
    clauses = [*_take_out_table_attributes(tokens, edits), *_take_out_late_binding(tokens, edits)]
    rewrite_qualify(tokens, edits)
    _rewrite_words(tokens, edits)
    _rewrite_date_parts(tokens, edits)
    _rewrite_listagg(tokens, edits)
    _rewrite_text_types(tokens, edits)
    _rewrite_settings(tokens, edits)
    if _changes_keys_only(tokens):
        return Translation("do $$ begin end $$", (sql.strip(),))
    return Translation(edits.applied(), tuple(clauses), commits=text_at(tokens, 0) == "truncate")


def _changes_keys_only(tokens: Sequence[Token]) -> bool:
    keys = {"diststyle", "distkey", "sortkey", "compound", "encode"}
    return words_at(tokens, 0, "alter", "table") and any(
        token.word == "alter" and text_at(tokens, index + 1) in keys for index, token in enumerate(tokens)
    )


def _creates_table(tokens: Sequence[Token]) -> bool:
    return text_at(tokens, 0) == "create" and any(
        token.word in {"table", "materialized"} for token in list(tokens)[1:4] if token.kind == "word"
    )


def _take_out_table_attributes(tokens: Sequence[Token], edits: Edits) -> list[str]:
    """Dist and sort keys, encodings and backup: up to AS, or anywhere in the list of columns."""
    if not _creates_table(tokens):
        return []
    outside = (index for index, token in enumerate(tokens) if token.word == "as" and token.depth == 0)
    end, clauses, index = next(outside, len(tokens)), list[str](), 0
    while index < end:
        last = _attribute_end(tokens, index)
        if last is not None:
            clauses.append(edits.remove(tokens[index], tokens[last]))
            index = last
        index += 1
    return clauses


def _attribute_end(tokens: Sequence[Token], index: int) -> int | None:
    """The index of the last token of the table attribute that begins at `index`; None if none does."""
    token, after = tokens[index], index + 1
    if words_at(tokens, index, "auto", "refresh"):
        return index + 2
    if token.word not in _TABLE_ATTRIBUTES or text_at(tokens, index - 1) in {"(", ",", "."}:
        return None
    if token.word in {"compound", "interleaved"}:
        after += 1
    if text_at(tokens, after) == "(" and token.word not in {"backup", "diststyle", "encode"}:
        return closing(tokens, after)
    takes_word = token.word in {"backup", "diststyle", "encode"} or text_at(tokens, after) == "auto"
    return after if takes_word else after - 1


def _take_out_late_binding(tokens: Sequence[Token], edits: Edits) -> list[str]:
    last = len(tokens) - (2 if text_at(tokens, len(tokens) - 1) == ";" else 1)
    if words_at(tokens, last - 3, "with", "no", "schema", "binding"):
        edits.remove(tokens[last - 3], tokens[last])
        return [edits.sql[: tokens[last].end].strip()]
    return []


def _rewrite_words(tokens: Sequence[Token], edits: Edits) -> None:
    for index, token in enumerate(tokens):
        is_call = text_at(tokens, index + 1) == "("
        if token.word in _WORDS and text_at(tokens, index - 1) not in {".", "as"}:
            if token.word in {"nvl"} and not is_call:
                continue
            edits.replace(token.start, token.end, _WORDS[token.word])
        if token.word == "identity" and is_call and _creates_table(tokens):
            edits.replace(token.start, tokens[closing(tokens, index + 1)].end, "generated by default as identity")


def _rewrite_date_parts(tokens: Sequence[Token], edits: Edits) -> None:
    for index, token in enumerate(tokens):
        if token.word in _DATE_PART_FUNCTIONS and words_at(tokens, index + 1, "(") and index + 3 < len(tokens):
            part = tokens[index + 2]
            if part.kind == "word" and text_at(tokens, index + 3) == ",":
                edits.replace(part.start, part.end, f"'{part.text}'")


def _rewrite_listagg(tokens: Sequence[Token], edits: Edits) -> None:
    """`listagg(a, b) within group (order by c)` to `listagg(a, b order by c)`."""
    for index, token in enumerate(tokens):
        if token.word != "listagg" or text_at(tokens, index + 1) != "(":
            continue
        end = closing(tokens, index + 1)
        if words_at(tokens, end, ")", "within", "group", "("):
            edits.replace(tokens[end].start, tokens[end + 3].end, " ")


def _rewrite_text_types(tokens: Sequence[Token], edits: Edits) -> None:
    in_definition = text_at(tokens, 0) in {"create", "alter"}
    for index, token in enumerate(tokens):
        if token.word not in {"text", "varchar"} or text_at(tokens, index + 1) == "(":
            continue
        before = text_at(tokens, index - 1)
        is_cast = before == "::" or (before == "as" and text_at(tokens, index + 1) == ")")
        if is_cast or (in_definition and _defines_column(tokens, index)):
            edits.replace(token.start, token.end, _SHORT_TEXT)


def _defines_column(tokens: Sequence[Token], index: int) -> bool:
    """Whether the type at `index` follows a column's name in `create table` or `alter table`."""
    if index < 2 or tokens[index - 1].kind not in {"word", "quoted"}:
        return False
    return text_at(tokens, index - 2) in {"(", ",", "column"}


def _rewrite_settings(tokens: Sequence[Token], edits: Edits) -> None:
    """`set query_group to 'x'` and its like are custom settings in PostgreSQL, and those have a prefix."""
    if text_at(tokens, 0) in {"set", "reset", "show"} and text_at(tokens, 1) in _OWN_SETTINGS:
        edits.replace(tokens[1].start, tokens[1].start, "redshift.")
