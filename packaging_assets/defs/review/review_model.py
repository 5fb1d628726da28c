"""The job `review_model`: one decision about a version, recorded in the registry, and the champion moved at once."""

from collections.abc import Callable
from enum import Enum
from typing import TypedDict

import dagster as dg
from pydantic import Field, field_validator, model_validator

from packaging_assets.components.assets.champion import champion_materialization
from packaging_assets.components.model_set import ModelSet
from packaging_assets.components.package_model import model_set
from packaging_assets.components.serving import serving_champion
from packaging_assets.domain.registry import RegistryError, Status
from packaging_assets.resources.model_registry import ModelRegistry


class Decision(Enum):
    """What can be decided."""

    approve = "approve"
    reject = "reject"
    pin = "pin"
    unpin = "unpin"
    roll_back = "roll_back"
    undo = "undo"


WITHOUT_VERSION = (Decision.unpin, Decision.undo)
ABOUT_STATUS = (Decision.approve, Decision.reject)
FORM = {"ops": {"decide": {"config": {"model": "", "decision": "approve", "version": None, "reason": "", "actor": ""}}}}
"""What the launchpad begins with: everything to fill in, and refused as it is."""

ABOUT_PINS = (Decision.pin, Decision.unpin, Decision.undo)


class Review(dg.Config):
    """What the person fills in; what does not fit together is refused before anything is decided."""

    model: str = Field(description="The model's name, as `packaging models list` shows it.")
    decision: Decision = Field(
        description="approve or reject a version; pin an approved one as the champion, or unpin; roll_back from the "
        "champion to the version that served before it; undo the last decision."
    )
    version: int | None = Field(
        default=None, ge=1, description="The version it is about; for roll_back the champion. None for unpin and undo."
    )
    reason: str = Field(description="Why, for the next reader; kept in the record.")
    actor: str = Field(description="Your name.")
    expected_status: str | None = Field(
        default=None,
        description="The status you saw (Approved, Rejected, PendingManualApproval), for approve and reject: if "
        "somebody changed it since, nothing is done and you are told.",
    )

    expected_decisions: int | None = Field(
        default=None,
        ge=0,
        description="How many decisions about the model you had seen (packaging models show), for pin, unpin and undo: "
        "if it is another number by now, nothing is done and you are told.",
    )

    @field_validator("reason", "actor")
    @classmethod
    def _is_written(cls, value: str) -> str:
        if not value.strip():
            raise ValueError("it is blank: a decision needs a name and a written reason")
        return value

    @field_validator("expected_status")
    @classmethod
    def _is_status(cls, value: str | None) -> str | None:
        return None if value is None else Status(value).value

    @model_validator(mode="after")
    def _fits_together(self) -> "Review":
        if (self.version is None) != (self.decision in WITHOUT_VERSION):
            how = "must not name" if self.version is not None else "must name"
            raise ValueError(f"{self.decision.value} {how} a version")
        if self.expected_status is not None and self.decision not in ABOUT_STATUS:
            raise ValueError(f"expected_status is for approve and reject, not for {self.decision.value}")
        if self.expected_decisions is not None and self.decision not in ABOUT_PINS:
            raise ValueError(f"expected_decisions is for pin, unpin and undo, not for {self.decision.value}")
        return self


def review_job(models: ModelSet) -> dg.JobDefinition:
    """Build the job for the project's models."""

    @dg.op(description="Record the decision, then report the champion that it leaves.")
    def decide(context: dg.OpExecutionContext, config: Review, model_registry: dg.ResourceParam[ModelRegistry]) -> None:
        """Take one decision.

        Raises:
            dagster.Failure: the registry refuses; the message is its sentence, and there is no retry.
        """
        try:
            _decisions(model_registry)[config.decision](config)
        except RegistryError as error:
            raise dg.Failure(str(error), allow_retries=False) from error
        serving = serving_champion(model_registry, models, config.model)
        if serving is None:
            context.log.info("%s %s by %s: no model is live", config.model, config.decision.value, config.actor)
            return
        live, champion = serving
        details = {"decision": config.decision.value, "actor": config.actor, "reason": config.reason}
        context.log_event(champion_materialization(live, champion, details))
        serves = "no version serves" if champion is None else f"version {champion.version} of {champion.model} serves"
        context.log.info("%s %s by %s: %s", config.model, config.decision.value, config.actor, serves)

    @dg.job(
        config=FORM,
        description="Approve, reject, pin, unpin, roll back or undo, by name and with a reason. The champion moves at "
        "once, and predictions by the former one show as stale. The same config again changes nothing more.",
    )
    def review_model() -> None:
        """One decision about a model's version."""
        decide()

    return review_model


def _decisions(registry: ModelRegistry) -> dict[Decision, Callable[[Review], object]]:
    return {
        Decision.approve: lambda review: registry.approve(
            review.model, _version(review), **_why(review), expected_status=_seen(review)
        ),
        Decision.reject: lambda review: registry.reject(
            review.model, _version(review), **_why(review), expected_status=_seen(review)
        ),
        Decision.pin: lambda review: registry.pin(
            review.model, _version(review), **_why(review), expected_decisions=review.expected_decisions
        ),
        Decision.unpin: lambda review: registry.unpin(
            review.model, **_why(review), expected_decisions=review.expected_decisions
        ),
        Decision.roll_back: lambda review: registry.roll_back(review.model, _version(review), **_why(review)),
        Decision.undo: lambda review: registry.undo(
            review.model, **_why(review), expected_decisions=review.expected_decisions
        ),
    }


def _version(review: Review) -> int:
    assert review.version is not None  # noqa: S101 - `Review` has seen to it
    return review.version


class _Why(TypedDict):
    actor: str
    reason: str


def _why(review: Review) -> _Why:
    return {"actor": review.actor, "reason": review.reason}


def _seen(review: Review) -> Status | None:
    return None if review.expected_status is None else Status(review.expected_status)


@dg.definitions
def review(context: dg.ComponentLoadContext) -> dg.Definitions:
    """Build the job."""
    return dg.Definitions(jobs=[review_job(model_set(context))])
