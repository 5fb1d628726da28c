"""Tutorials as scripts: their files and commands in order, and what each command must print."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

FENCE = re.compile(r"^```(?P<language>\w*)\n(?P<content>.*?)^```$", re.MULTILINE | re.DOTALL)
FILE_LINE = re.compile(r"File `(?P<path>[^`]+)`:\s*\Z")
END_OF_FILE = "END_OF_TUTORIAL_FILE"


@dataclass(frozen=True)
class Block:
    """A piece of shell, with the line of the tutorial it is on, and the lines that it must print."""

    line: int
    shell: str
    expected: tuple[str, ...] = ()


def blocks_of(text: str) -> list[Block]:
    """The blocks of a tutorial: bash is run, text after it is expected, a fence after "File `path`:" is written."""
    blocks: list[Block] = []
    for fence in FENCE.finditer(text):
        line = text.count("\n", 0, fence.start()) + 1
        language, content = fence["language"], fence["content"]
        file = FILE_LINE.search(text, 0, fence.start())
        if file:
            blocks.append(Block(line, _writing(file["path"], content)))
        elif language == "bash":
            blocks.append(Block(line, content))
        elif language == "text" and blocks:
            last = blocks.pop()
            blocks.append(Block(last.line, last.shell, tuple(filter(None, content.splitlines()))))
    return blocks


def _writing(path: str, content: str) -> str:
    return f"mkdir -p \"$(dirname '{path}')\"\ncat > '{path}' <<'{END_OF_FILE}'\n{content}{END_OF_FILE}\n"


def script_of(blocks: Sequence[Block]) -> str:
    """One bash script that says before each block which it is, on a line of its own whatever was printed before."""
    return "set -eo pipefail\n" + "".join(f"printf '\\n%s\\n' '{_marker(block)}'\n{block.shell}\n" for block in blocks)


def outputs_of(blocks: Sequence[Block], printed: str) -> dict[int, list[str]]:
    """What each block printed, by its line."""
    outputs: dict[int, list[str]] = {}
    current: list[str] = []
    markers = {_marker(block): block.line for block in blocks}
    for line in printed.splitlines():
        if line in markers:
            current = outputs.setdefault(markers[line], [])
        else:
            current.append(line.rstrip())
    return outputs


def first_missing(expected: Sequence[str], printed: Sequence[str]) -> str | None:
    """The first expected line that was not printed after the one before it; `...` stands for anything in a line."""
    lines = iter(printed)
    for wanted in expected:
        pattern = re.compile(r"\s*" + ".*".join(map(_literal, wanted.strip().split("..."))) + r"\s*")
        if not any(pattern.fullmatch(line) for line in lines):
            return wanted
    return None


def _literal(text: str) -> str:
    """The text with any amount of space between its words: tables are as wide as what is in them."""
    return r"\s+".join(map(re.escape, re.split(r"\s+", text)))


def _marker(block: Block) -> str:
    return f"::tutorial line {block.line}::"
