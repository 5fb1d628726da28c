"""Dagster Pipes for SageMaker: run a job, pass it the context, and get its logs, materializations and checks back.

It needs boto3, Dagster and nothing else: nothing in here knows of the rest of this project.
"""

from packaging_assets.resources.pipes_sagemaker.client import PipesSageMakerClient, PipesSageMakerJobError
from packaging_assets.resources.pipes_sagemaker.context_files import PipesSageMakerContextFiles
from packaging_assets.resources.pipes_sagemaker.log_reader import PipesSageMakerLogReader

__all__ = [
    "PipesSageMakerClient",
    "PipesSageMakerContextFiles",
    "PipesSageMakerJobError",
    "PipesSageMakerLogReader",
]
