"""The gates on drift, which candidates' weeks and inventories share."""

from packaging_assets.domain import drift_criteria as drift
from packaging_assets.domain.verdicts import Gate

_LOOK_AT_DELIVERIES = "Look at the deliveries and their quarantine; correct them, then run again."

DRIFT_GATES: tuple[Gate, ...] = (
    Gate(
        drift.no_column_went_missing,
        "ERROR",
        "No feature has more missing values than the champion learned with.",
        _LOOK_AT_DELIVERIES,
    ),
    Gate(
        drift.density_is_stable,
        "ERROR",
        "Weight over volume is distributed as in the champion's training rows.",
        "Look for deliveries in other units (inches, pounds, grams); correct them, then run again.",
    ),
    Gate(
        drift.feature_distributions_are_stable,
        "ERROR",
        "Numeric features are distributed as in the champion's training rows.",
        _LOOK_AT_DELIVERIES,
    ),
    Gate(
        drift.categories_are_known,
        "ERROR",
        "Categorical features have values that the champion learned from.",
        _LOOK_AT_DELIVERIES,
    ),
    Gate(
        drift.title_words_are_known,
        "ERROR",
        "Titles are made of words that the champion's products had.",
        "Look for titles in another language or with broken characters; correct them, then run again.",
    ),
)
"""What is asked of the features of products."""

SCORE_GATE = Gate(
    drift.scores_are_distributed_as_before,
    "ERROR",
    "The champion's scores are distributed as they were when it was judged.",
    "Look for changed products or features: the drift checks of the same partition name them.",
)
"""What is asked of the champion's scores."""
