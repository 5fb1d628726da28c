"""Why a step would be run again: which part of its fingerprint is another one now."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, Literal, cast

from packaging_assets.artifacts.fingerprint import CodeHash, FingerprintParts, code_of_modules, is_module

Part = Literal["step", "code", "library", "param", "input"]

Change = Literal["changed", "added", "removed"]

SUBJECTS: Mapping[Part, str] = {
    "step": "the step's function",
    "code": "code of",
    "library": "library",
    "param": "param",
    "input": "input",
}
HASHED: tuple[Part, ...] = ("code", "input")
"""Parts of which the fingerprint has a hash, which says nothing by itself."""

LONGEST_VALUE = 60
"""Characters of a value that are shown."""

SHOWN_ITEMS = 3
"""Of a list's items that are gone or have come, so many are named."""

HASH_CHARACTERS = 12


@dataclass(frozen=True)
class Difference:
    """One part that differs: `name` is the module, the library, the param's dotted path, or the input.

    `old` and `new` are hashes, versions or values; None where the part is only on the other side, which `change` tells
    apart from a value that is null. `source` is the asset that an input comes from, where that is known.
    """

    part: Part
    name: str
    old: Any
    new: Any
    change: Change = "changed"
    source: str = ""

    @property
    def sentence(self) -> str:
        """The difference in words."""
        if self.change == "removed":
            return f"{self._subject} is no longer used"
        if self.part in HASHED:
            return f"{self._subject} is new" if self.change == "added" else f"{self._subject} changed: {self._hashes}"
        if self.change == "added":
            return f"{self._subject} is new: {_shown(self.new)}"
        if isinstance(self.old, list) and isinstance(self.new, list):
            return f"{self._subject}: {_list_change(cast('list[Any]', self.old), cast('list[Any]', self.new))}"
        return f"{self._subject}: {_shown(self.old)} -> {_shown(self.new)}"

    @property
    def _subject(self) -> str:
        source = f" ({self.source})" if self.source and self.source != self.name else ""
        return f"{SUBJECTS[self.part]} {self.name}{source}".strip()

    @property
    def _hashes(self) -> str:
        return f"{str(self.old)[:HASH_CHARACTERS]} -> {str(self.new)[:HASH_CHARACTERS]}"


def explain(
    old: FingerprintParts, new: FingerprintParts, *, sources: Mapping[str, str] = MappingProxyType({})
) -> list[Difference]:
    """What differs between two fingerprints, in the order step, code, libraries, params, inputs; nothing if equal.

    `sources` says of inputs by name which asset each comes from.
    """
    step = [] if old.step == new.step else [Difference("step", "", old.step, new.step)]
    before, after = flatten(old.params), flatten(new.params)
    return [
        *step,
        *_differences("code", old.modules, new.modules),
        *_differences("library", old.libraries, new.libraries),
        *_differences("param", _without_filled(before, after), _without_filled(after, before)),
        *(
            replace(difference, source=sources.get(difference.name, ""))
            for difference in _differences("input", old.inputs, new.inputs)
        ),
    ]


def code_now(parts: FingerprintParts) -> CodeHash:
    """The code of a step as it is now, where only its fingerprint of some time ago is at hand.

    The step's own imports are followed. Modules of the fingerprint that these do not lead to are those that the step
    found by name; they are followed as well, as far as they still exist.

    Raises:
        FingerprintError: the step's module is not there any more.
    """
    module = parts.step.partition(":")[0]
    led_to = code_of_modules([module]).modules
    found_by_name = [name for name in parts.modules if name not in led_to and is_module(name)]
    return code_of_modules([module, *found_by_name])


def flatten(value: Any) -> dict[str, Any]:
    """Nested params as dotted path -> value: `policy.min_rows`, `models[0].version`; plain lists stay whole."""
    return dict(_flat(value, ""))


def _flat(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping) and (value or not path):
        for name, item in cast("Mapping[str, Any]", value).items():
            yield from _flat(item, f"{path}.{name}" if path else name)
    elif isinstance(value, list) and any(isinstance(item, Mapping) for item in cast("list[Any]", value)):
        for number, item in enumerate(cast("list[Any]", value)):
            yield from _flat(item, f"{path}[{number}]")
    else:
        yield path, value


def _without_filled(flat: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    """Flat params without the empty mappings that the other side has something in, which is told already."""
    return {
        path: value
        for path, value in flat.items()
        if value != {} or not any(name.startswith(f"{path}.") for name in other)
    }


def _differences(part: Part, old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Difference]:
    for name in sorted({*old, *new}):
        if name not in new:
            yield Difference(part, name, old[name], None, "removed")
        elif name not in old:
            yield Difference(part, name, None, new[name], "added")
        elif old[name] != new[name]:
            yield Difference(part, name, old[name], new[name])


def _list_change(old: list[Any], new: list[Any]) -> str:
    gone = _items("without", [item for item in old if item not in new])
    come = _items("with", [item for item in new if item not in old])
    return "; ".join(filter(None, (gone, come))) or "the same items in another order or number"


def _items(word: str, items: list[Any]) -> str:
    if not items:
        return ""
    more = f" and {len(items) - SHOWN_ITEMS} more" if len(items) > SHOWN_ITEMS else ""
    return f"{word} {', '.join(_shown(item) for item in items[:SHOWN_ITEMS])}{more}"


def _shown(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= LONGEST_VALUE else f"{text[: LONGEST_VALUE - 3]}..."
