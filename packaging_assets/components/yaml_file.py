"""Reading a YAML file in which a person made mistakes: each value keeps its line, and a key given twice is refused.

YAML lets the last of two equal keys win without a word.
"""

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from yaml.composer import ComposerError

TIMESTAMP = "tag:yaml.org,2002:timestamp"
MERGE = "tag:yaml.org,2002:merge"


FAULTS = (yaml.YAMLError, ValueError, RecursionError, AttributeError, IndexError)
"""What PyYAML raises for text that it cannot read: besides its own errors one for thousands of digits or of brackets,
and two for a tag without the value that it asks for (`!!timestamp x`, `!!float ""`)."""


class YamlFileError(ValueError):
    """A file is not YAML; the message says where and why."""


@dataclass(frozen=True)
class Document:
    """One document of a file: what it says, and where it says it."""

    value: Any
    node: yaml.Node

    def line(self, path: Sequence[Hashable]) -> int:
        """The line of the value at `path`, from 1 on; if it is absent, that of what it is missing from."""
        node, line = self.node, self.node.start_mark.line
        for part in path:
            key, found = _child(node, part)
            if found is None:
                break
            node, line = found, key.start_mark.line
        return line + 1


def read_documents(path: Path) -> list[Document]:
    """All documents of a file; dates are text, as for Dagster.

    Raises:
        YamlFileError: it is not YAML, or not UTF-8, or a mapping has a key twice.
    """
    try:
        loader = _Loader(path.read_text(encoding="utf-8"))
        loader.name = path.name
        documents: list[Document] = []
        while loader.check_node() and (node := loader.get_node()) is not None:
            for problem in _repeated_keys(node, set()):  # before it is constructed, which merges mappings
                raise ComposerError(problem=f"{problem}: leave one out")
            documents.append(Document(loader.construct_document(node), node))
    except FAULTS as error:
        raise YamlFileError(f"is not valid YAML: {' '.join(str(error).split())}") from None
    return documents


class _Loader(yaml.SafeLoader):
    """As Dagster reads YAML."""

    yaml_implicit_resolvers = {  # noqa: RUF012 - PyYAML's way of saying it
        first: [(tag, pattern) for tag, pattern in resolvers if tag != TIMESTAMP]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


def has_repeated_keys(path: Path) -> bool:
    """Whether a mapping in a file has a key twice, of which Dagster would take the last; False if it is not YAML.

    It is asked of every file whenever the definitions are loaded, so libyaml reads it where there is one: ten times as
    fast, with other words for other faults.
    """
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        documents = yaml.compose_all(path.read_text(encoding="utf-8"), Loader=loader)
        return any(any(_repeated_keys(document, set())) for document in documents)
    except FAULTS:
        return False


def _repeated_keys(node: yaml.Node | None, seen: set[int]) -> Iterator[str]:
    """What is given twice in a mapping at or below `node`; what one merges (`<<`) may have its keys too.

    Args:
        node: a node that was not constructed yet; none for an empty document.
        seen: ids of the nodes that were looked at, for an alias is the same node again.
    """
    if not isinstance(node, yaml.CollectionNode) or id(node) in seen:
        return
    seen.add(id(node))
    if isinstance(node, yaml.SequenceNode):
        for item in node.value:
            yield from _repeated_keys(item, seen)
        return
    lines: dict[str, int] = {}
    for key, value in node.value:
        if isinstance(key, yaml.ScalarNode) and key.tag != MERGE:
            line = key.start_mark.line + 1
            if key.value in lines:
                yield f"{key.value!r} is given twice, in lines {lines[key.value]} and {line}"
            lines[key.value] = line
        yield from _repeated_keys(value, seen)


def _child(node: yaml.Node, part: Hashable) -> tuple[yaml.Node, yaml.Node | None]:
    """The node at a key or a position, with the node that says where it begins."""
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if key.value == str(part):
                return key, value
    if isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
        return node.value[part], node.value[part]
    return node, None
