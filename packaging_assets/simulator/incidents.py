"""The ways in which a week's data can be bad, and how one is asked for: `kind@week[:share]`.

Labels and the catalogue are cumulative, so a fault in one week's new rows alone would drown in a year of good ones.
Faults of product data therefore re-deliver a share of the existing catalogue with the fault, and the week after
re-delivers the same products as they should be. A week is counted from 1.
"""

from types import MappingProxyType
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

PRODUCT_FAULTS: tuple[str, ...] = (
    "cm_to_inch",
    "null_column",
    "foreign_titles",
    "embedding_zeroed",
    "unseen_categories",
)
"""Kinds that re-deliver a share of the catalogue with a fault and repair it the week after."""

INCIDENTS: MappingProxyType[str, str] = MappingProxyType(
    {
        "label_rate_shift": "A share of the tested products fails three further tests of every type; five correct "
        "tests each repair it the week after.",
        "cm_to_inch": "A share of the catalogue is re-delivered with dimensions in inches; repaired the week after.",
        "null_column": "A share of the catalogue is re-delivered without weights (nulls); repaired the week after.",
        "missing_column": "The products file lacks the column weight_kg; the whole file is sent again the week after.",
        "volume_halved": "A share (default one half) of the week's tests and feedback never arrives.",
        "foreign_titles": "A share of the catalogue is re-delivered with German titles; repaired the week after.",
        "embedding_zeroed": "A share of the catalogue is re-delivered with image embeddings of zeros; repaired the "
        "week after.",
        "unseen_categories": "A share of the catalogue is re-delivered under categories never seen before; repaired "
        "the week after.",
        "duplicated_delivery": "Every file of the week is delivered again as it was, and once more renamed and "
        "re-encoded.",
        "late_delivery": "The week's package tests arrive with the next week's delivery.",
    }
)
"""Kind -> what happens, in one sentence."""

DEFAULT_SHARES: MappingProxyType[str, float] = MappingProxyType(
    {"label_rate_shift": 0.3, "volume_halved": 0.5} | dict.fromkeys(PRODUCT_FAULTS, 0.3)
)
"""Kind -> share of products (of rows, for `volume_halved`) that it touches; the other kinds touch whole files."""

_FORM = "write kind@week or kind@week:share, such as cm_to_inch@5:0.3"


class IncidentError(ValueError):
    """An incident is asked for in a way that cannot be understood; the message names the value and the remedy."""


class Incident(BaseModel):
    """One fault in one week. `week` counts from 1; `share` is of products, of rows for `volume_halved`, else unused."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: str
    week: int = Field(ge=1)
    share: float = Field(default=0.3, gt=0, le=1)

    @model_validator(mode="before")
    @classmethod
    def _default_share(cls, values: object) -> object:
        if isinstance(values, dict) and values.get("share") is None:
            return {**values, "share": DEFAULT_SHARES.get(str(values.get("kind")), 1.0)}
        return values

    @model_validator(mode="after")
    def _known_kind(self) -> Self:
        if self.kind not in INCIDENTS:
            raise ValueError(f"unknown incident {self.kind!r}: the kinds are {', '.join(INCIDENTS)}")
        return self


def parse_incident(text: str) -> Incident:
    """`cm_to_inch@5:0.3` as an `Incident`; without `:share` the kind's default share.

    Raises:
        IncidentError: the text is not of that form, or the kind, week or share is not allowed.
    """
    kind, at, rest = text.partition("@")
    week, colon, share = rest.partition(":")
    if kind not in INCIDENTS:
        raise IncidentError(f"incident {text!r}: unknown kind {kind!r}; the kinds are {', '.join(INCIDENTS)}.")
    if not at or not week or (colon and not share):
        raise IncidentError(f"incident {text!r}: {_FORM}.")
    try:
        return Incident.model_validate({"kind": kind, "week": week, "share": share or None})
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"])
        raise IncidentError(f"incident {text!r}: {field} {first['input']!r}: {first['msg']}; {_FORM}.") from None
