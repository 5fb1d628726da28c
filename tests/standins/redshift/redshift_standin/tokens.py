"""SQL cut into tokens, just far enough to find clauses and parentheses without being fooled by strings."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

_TOKEN = re.compile(
    r"""
      (?P<space>\s+|--[^\n]*|/\*.*?\*/)
    | (?P<string>[eE]'(?:[^'\\]|\\.|'')*'|'(?:[^']|'')*')
    | (?P<dollar>\$(?P<tag>[A-Za-z_]*)\$.*?\$(?P=tag)\$)
    | (?P<quoted>"(?:[^"]|"")*")
    | (?P<number>(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?)
    | (?P<word>[A-Za-z_][\w$]*|\$\d+)
    | (?P<symbol>::|<=|>=|<>|!=|\|\||.)
    """,
    re.VERBOSE | re.DOTALL,
)


class Token(NamedTuple):
    """A token of SQL: where it stands, and in how many parentheses; a parenthesis counts as outside itself."""

    kind: str
    text: str
    start: int
    depth: int

    @property
    def word(self) -> str:
        """An unquoted word in lower case; "" for anything else."""
        return self.text.lower() if self.kind == "word" else ""

    @property
    def end(self) -> int:
        """Where the next token may begin."""
        return self.start + len(self.text)


def word_set(text: str) -> frozenset[str]:
    """The words of a text, as a set."""
    return frozenset(text.split())


def read_tokens(sql: str) -> list[Token]:
    """The tokens of any number of statements, without white space and comments."""
    tokens: list[Token] = []
    depth = 0
    for match in _TOKEN.finditer(sql):
        kind, text = match.lastgroup or "", match.group()
        kind = "dollar" if kind == "tag" else kind
        if kind == "space":
            continue
        depth -= text == ")"
        tokens.append(Token(kind, text, match.start(), depth))
        depth += text == "("
    return tokens


def words_at(tokens: Sequence[Token], index: int, *words: str) -> bool:
    """Whether these words or symbols, in lower case, stand at `index`."""
    found = tokens[index : index + len(words)]
    return [token.word or token.text for token in found] == list(words)


def text_at(tokens: Sequence[Token], index: int) -> str:
    """The word or symbol at `index` in lower case; "" beyond either end."""
    return (tokens[index].word or tokens[index].text) if 0 <= index < len(tokens) else ""


def closing(tokens: Sequence[Token], opening: int) -> int:
    """The index of the parenthesis that closes the one at `opening`; the number of tokens if none does."""
    depth = tokens[opening].depth
    after = range(opening + 1, len(tokens))
    return next((index for index in after if tokens[index].text == ")" and tokens[index].depth == depth), len(tokens))


def opening(tokens: Sequence[Token], closing_index: int) -> int:
    """The index of the parenthesis that the one at `closing_index` closes; -1 if there is none."""
    depth = tokens[closing_index].depth
    before = range(closing_index - 1, -1, -1)
    return next((index for index in before if tokens[index].text == "(" and tokens[index].depth == depth), -1)


def split_statements(sql: str) -> list[str]:
    """The statements of a script, without the semicolons between them."""
    tokens = read_tokens(sql)
    starts, statements = 0, []
    for token in [*tokens, Token("symbol", ";", len(sql), 0)]:
        if token.text == ";" and token.depth <= 0:
            statement = sql[starts : token.start].strip()
            starts = token.end
            if read_tokens(statement):
                statements.append(statement)
    return statements


def unquoted(token: Token) -> str:
    """The text that a string, a dollar-quoted string or a quoted name stands for."""
    if token.kind == "dollar":
        length = token.text.index("$", 1) + 1
        return token.text[length:-length]
    quote = token.text[-1]
    text = token.text[token.text.index(quote) + 1 : -1].replace(2 * quote, quote)
    return text.replace(f"\\{quote}", quote) if token.kind == "string" else text


@dataclass
class Edits:
    """Replacements in one SQL text, given in any order, that do not overlap."""

    sql: str
    replacements: list[tuple[int, int, str]] = field(default_factory=list[tuple[int, int, str]])

    def replace(self, start: int, end: int, text: str) -> None:
        """Put `text` where the characters from `start` to before `end` are."""
        self.replacements.append((start, end, text))

    def remove(self, first: Token, last: Token) -> str:
        """Take out the tokens from `first` to `last`; returns what they were."""
        self.replace(first.start, last.end, "")
        return self.sql[first.start : last.end]

    def applied(self) -> str:
        """The text with all of them made."""
        parts, position = [], 0
        for start, end, text in sorted(self.replacements, key=lambda edit: edit[:2]):
            parts += [self.sql[position:start], text]
            position = end
        return "".join([*parts, self.sql[position:]])
