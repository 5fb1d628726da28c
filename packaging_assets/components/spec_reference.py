"""The reference of everything a model's YAML can say, made from the schema that `dg check yaml` checks it against."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from packaging_assets.components.model_spec import ModelSpec

Schema = Mapping[str, Any]

TYPE_NAMES = {
    "integer": "whole number",
    "number": "number",
    "string": "text",
    "boolean": "true or false",
    "null": "null",
    "object": "mapping",
}

BOUNDS = {
    "minimum": "from {}",
    "exclusiveMinimum": "above {}",
    "maximum": "up to {}",
    "exclusiveMaximum": "below {}",
    "minLength": "at least {} characters",
    "maxLength": "at most {} characters",
    "minItems": "at least {}",
    "maxItems": "at most {}",
    "pattern": "`{}`",
}
"""JSON schema's keywords, and how a person would say them."""

HEADER = """\
# What a model's YAML can say

Everything under `attributes` in `packaging_assets/defs/<name>/defs.yaml`, made from the schema by
`packaging spec docs > docs/model-spec.md`. Only `package_type` must be there. [Adding a model](adding-a-model.md) says
how the fields work together; `packaging spec features` lists the feature groups and sets of the project.
"""


@dataclass(frozen=True)
class SpecField:
    """One field: `default` is YAML, or a word where the default is another field's business."""

    name: str
    type: str
    default: str
    bounds: str
    meaning: str


@dataclass(frozen=True)
class SpecSection:
    """The fields of one mapping: `path` is where it stands in the YAML, empty for `attributes` itself."""

    path: str
    meaning: str
    fields: tuple[SpecField, ...]


def spec_sections() -> list[SpecSection]:
    """All fields: those of the YAML itself, then those of each mapping in it."""
    schema = ModelSpec.model_json_schema()
    return list(_sections("", schema, schema.get("$defs", {})))


def spec_markdown() -> str:
    """The reference as a page."""
    return "\n".join([HEADER, *map(_markdown, spec_sections())])


def _sections(path: str, schema: Schema, defs: Mapping[str, Schema]) -> Iterator[SpecSection]:
    required = set(schema.get("required", ()))
    properties: Mapping[str, Schema] = schema["properties"]
    fields = (_field(name, one, defs, is_required=name in required) for name, one in properties.items())
    yield SpecSection(path, _meaning(schema), tuple(fields))
    for name, one in properties.items():
        for inner, nested in _nested(name, one, defs):
            yield from _sections(f"{path}.{inner}".lstrip("."), nested, defs)


def _nested(name: str, field: Schema, defs: Mapping[str, Schema]) -> Iterator[tuple[str, Schema]]:
    """The mappings that a field may hold, each with the path to it."""
    for variant in _variants(field, defs):
        if "properties" in variant:
            yield name, variant
        elif isinstance(variant.get("additionalProperties"), dict):
            yield from _nested(f"{name}.<key>", variant["additionalProperties"], defs)


def _variants(field: Schema, defs: Mapping[str, Schema]) -> list[Schema]:
    """What a field may be, references resolved."""
    return [_resolved(variant, defs) for variant in field.get("anyOf", [field])]


def _resolved(schema: Schema, defs: Mapping[str, Schema]) -> Schema:
    return defs[schema["$ref"].rpartition("/")[2]] if "$ref" in schema else schema


def _field(name: str, field: Schema, defs: Mapping[str, Schema], *, is_required: bool) -> SpecField:
    variants = _variants(field, defs)
    return SpecField(
        name=name,
        type=" or ".join(dict.fromkeys(_type(variant, defs) for variant in variants)),
        default="required" if is_required else _default(field, variants),
        bounds="; ".join(_bounds(variant) for variant in variants if _bounds(variant)),
        meaning=_meaning(field),
    )


def _type(schema: Schema, defs: Mapping[str, Schema]) -> str:
    values = schema.get("enum", [schema["const"]] if "const" in schema else [])
    if values:
        return " or ".join(f"`{value}`" for value in values)
    if "properties" in schema:
        return "fields"
    if schema.get("type") == "array":
        return _list_type(schema, defs)
    return TYPE_NAMES.get(schema.get("type", ""), "any value")


def _list_type(schema: Schema, defs: Mapping[str, Schema]) -> str:
    if "prefixItems" in schema:
        return f"[{', '.join(_type(item, defs) for item in schema['prefixItems'])}]"
    return f"list of {_type(_resolved(schema.get('items', {}), defs), defs)}"


def _default(field: Schema, variants: list[Schema]) -> str:
    if "default" not in field:
        return "`{}`" if variants[0].get("type") == "object" else "see there"
    if isinstance(field["default"], dict):
        return "those of its fields"
    return f"`{json.dumps(field['default'])}`"


def _bounds(schema: Schema) -> str:
    return ", ".join(
        words.format(schema[key]) for key, words in BOUNDS.items() if key in schema and "prefixItems" not in schema
    )


def _meaning(schema: Schema) -> str:
    return " ".join(str(schema.get("description", "")).split())


def _markdown(section: SpecSection) -> str:
    lines = [f"## `{section.path}`\n\n{section.meaning}\n"] if section.path else []
    lines += ["| field | type | default | bounds | meaning |", "|---|---|---|---|---|"]
    for field in section.fields:
        cells = (f"`{field.name}`", field.type, field.default, field.bounds, field.meaning)
        row = " | ".join(cell.replace("|", r"\|") for cell in cells)
        lines.append(f"| {row} |")
    return "\n".join(lines) + "\n"
