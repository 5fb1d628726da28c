"""What `labels` in a model's YAML says: when evidence becomes a label, and how much a label weighs."""

from pydantic import Field

from packaging_assets.domain.labels import LabelParams


class LabelRules(LabelParams):
    """The rules by which labels are resolved for one model, or for all that have the defaults."""

    maturity_days: int | None = Field(
        default=None,
        ge=0,
        le=366,
        description="Days after shipping until customer feedback counts; by default the setting `maturity_days`.",
    )

    @property
    def params(self) -> LabelParams:
        """What the step gets; the maturity is a bound of the query before it."""
        return LabelParams(**self.model_dump(exclude={"maturity_days"}))
