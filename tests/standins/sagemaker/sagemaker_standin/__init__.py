"""A SageMaker that runs jobs on this machine; ../README.md says what it does and what it does not."""

from sagemaker_standin.server import SageMakerStandIn

__all__ = ["SageMakerStandIn"]
