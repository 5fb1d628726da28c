"""The thresholds of the gates, with their defaults. A model's YAML may change any of them; there is no other place.

Where a threshold comes with a significance, both must be exceeded: the size says that it matters, the significance
that it is not noise. The defaults' error rates were found by simulation (20,000 rows unless said otherwise).
"""

from typing import Self

from pydantic import Field, model_validator

from packaging_assets.domain.label_changes import MAX_VOLUME_WEEKS
from packaging_assets.domain.written_fields import WrittenFields


class GatePolicy(WrittenFields):
    """What a candidate must satisfy to be approved without a person. All shares are fractions of 1."""

    confidence: float = Field(
        default=1.645,
        gt=0,
        le=5,
        description="Standard errors on either side of the difference in PR-AUC; 1.645 leaves 5% on one side.",
    )
    reject_below: float = Field(
        default=-0.005,
        ge=-1,
        le=0,
        description="Reject when even the favourable bound of the difference is below this.",
    )
    approve_above: float = Field(
        default=-0.01,
        ge=-1,
        le=0,
        description="Approve when even the unfavourable bound of the difference is above this.",
    )
    min_minority_rows: int = Field(
        default=400,
        ge=1,
        description="With fewer validation rows of the rarer label the comparison is left to a person; with a split by "
        "groups, with fewer groups that have such rows.",
    )
    min_random_minority_rows: int = Field(
        default=400,
        ge=1,
        description="The randomly chosen package tests alone judge when they hold so many of the rarer label; else "
        "all validation rows do.",
    )
    min_pr_auc: float = Field(default=0.30, ge=0, le=1, description="PR-AUC below which no model is acceptable.")
    max_pr_auc: float = Field(default=0.98, gt=0, le=1, description="PR-AUC above which something must have leaked.")
    max_feature_auc: float = Field(
        default=0.97, gt=0.5, le=1, description="ROC AUC of a single feature above which it gives the label away."
    )

    label_rate_warn: float = Field(
        default=0.2, gt=0, description="Change of the label rate's logit that a person looks at."
    )
    label_rate_error: float = Field(
        default=0.5, gt=0, description="Change of the label rate's logit that is not accepted."
    )
    label_rate_z: float = Field(
        default=3.29, ge=0, description="Standard errors that a changed label rate must exceed too."
    )

    volume_warn_ratio: float = Field(
        default=1.25,
        gt=1,
        description="Factor, either way, between this week's new evidence and the median of earlier weeks.",
    )
    volume_error_ratio: float = Field(default=1.5, gt=1, description="The same factor, not accepted.")
    volume_z: float = Field(
        default=3.29, ge=0, description="Standard errors that the volume's log ratio must exceed too."
    )
    min_volume_weeks: int = Field(
        default=4,
        ge=1,
        le=MAX_VOLUME_WEEKS,
        description="With fewer earlier weeks since evidence began there is no usual volume to compare with.",
    )

    missing_warn: float = Field(default=0.01, ge=0, le=1, description="Increase of a column's share of missing values.")
    missing_error: float = Field(default=0.05, ge=0, le=1, description="The same increase, not accepted.")
    missing_z: float = Field(
        default=4.0,
        ge=0,
        description="Standard errors that such an increase must exceed too; its square over the rows is added to both "
        "limits, so that a few products of a quiet day raise no alarm.",
    )

    psi_warn: float = Field(
        default=0.03, ge=0, description="Population stability index of a numeric feature, before noise."
    )
    psi_error: float = Field(default=0.20, ge=0, description="The same index, not accepted, before noise.")
    psi_noise: float = Field(
        default=30.0,
        ge=0,
        description="Times (1/rows + 1/reference rows), of the rows with a value of the feature, added to both limits "
        "on its index: the noise of sampling. 30 covers the largest of 79 features in 99% of weeks without change, in "
        "97% where between 50 and 150 rows have a value.",
    )
    density_feature: str = Field(
        default="density_kg_per_l",
        min_length=1,
        description="Weight over volume: the feature on which a change of units shows most (1 in = 2.54 cm: 16-fold).",
    )

    unseen_warn: float = Field(
        default=0.02,
        ge=0,
        le=1,
        description="Share of rows with a value unknown to the champion, beyond the expected share.",
    )
    unseen_error: float = Field(default=0.10, ge=0, le=1, description="The same share, not accepted.")
    unseen_z: float = Field(
        default=3.29,
        ge=0,
        description="z: z standard errors of the expected share plus z squared over the rows are added to both limits: "
        "the noise of a sample, down to a handful of rows.",
    )
    word_warn: float = Field(
        default=0.02,
        ge=0,
        le=1,
        description="Share of the words of titles that are unknown to the champion, beyond the expected share.",
    )
    word_error: float = Field(default=0.10, ge=0, le=1, description="The same share, not accepted.")

    score_psi_warn: float = Field(
        default=0.02,
        ge=0,
        description="Population stability index of the champion's scores, now and when it was judged, before noise.",
    )
    score_psi_error: float = Field(default=0.10, ge=0, description="The same index, not accepted, before noise.")
    estimate_drop: float = Field(
        default=0.03,
        gt=0,
        le=1,
        description="Drop of the PR-AUC estimated without labels that a person looks at.",
    )
    estimate_z: float = Field(default=3.29, ge=0, description="Standard errors that such a drop must exceed too.")

    slice_categories: tuple[str, ...] = Field(
        default=("category", "brand"), description="Columns of product_features whose values are slices."
    )
    slice_bands: tuple[str, ...] = Field(
        default=("volume_l", "price_usd"),
        description="Numeric columns of product_features that are cut into bands: size and price.",
    )
    slice_band_count: int = Field(default=4, ge=2, le=20, description="Bands of equally many rows per such column.")
    slice_min_minority_rows: int = Field(
        default=20,
        ge=1,
        description="Slices with fewer rows of the rarer label are not compared; with a split by groups, with fewer "
        "groups that have such rows.",
    )
    slice_significance: float = Field(
        default=0.01,
        gt=0,
        le=0.5,
        description="Chance that any slice at all is called worse when none is (Holm's correction).",
    )
    slice_worse_error: float = Field(
        default=0.02, ge=0, description="Relative growth of a slice's log-loss that is not accepted."
    )

    calibration_ratio: float = Field(
        default=0.10,
        ge=0,
        description="Deviation of observed over expected minority rows from 1 that a person looks at.",
    )
    calibration_z: float = Field(
        default=3.29, ge=0, description="Standard errors that such a deviation must exceed too."
    )

    @model_validator(mode="after")
    def _warn_before_error(self) -> Self:
        for warn, error in (
            ("label_rate_warn", "label_rate_error"),
            ("volume_warn_ratio", "volume_error_ratio"),
            ("missing_warn", "missing_error"),
            ("psi_warn", "psi_error"),
            ("unseen_warn", "unseen_error"),
            ("word_warn", "word_error"),
            ("score_psi_warn", "score_psi_error"),
            ("min_pr_auc", "max_pr_auc"),
        ):
            if getattr(self, warn) > getattr(self, error):
                raise ValueError(
                    f"{warn} = {getattr(self, warn)} lies above {error} = {getattr(self, error)}; lower the first "
                    "or raise the second"
                )
        return self


DEFAULT_POLICY = GatePolicy.model_validate({})
"""Every threshold at its default."""
