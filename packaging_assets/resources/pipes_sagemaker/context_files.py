"""How a job gets Dagster's context: as a file that SageMaker puts into the container, since variables are too short."""

from __future__ import annotations

import json
import uuid
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import dagster as dg
from dagster_pipes import PipesContextData, PipesDefaultContextLoader, PipesParams

from packaging_assets.resources.pipes_sagemaker.job_kinds import PROCESSING, TRAINING, JobKind

CHANNEL = "dagster_pipes"
FILE = "context.json"
FOLDERS = {TRAINING: f"/opt/ml/input/data/{CHANNEL}", PROCESSING: f"/opt/ml/processing/input/{CHANNEL}"}


class PipesSageMakerContextFiles:
    """Puts the contexts of jobs into S3, each for an input channel of its own: containers need no network for them.

    The environment variable of a training job may have 512 characters and that of a processing job 256, fewer than a
    context often has. The job reads the file with Pipes' default context loader. Transform jobs have no channels; their
    variables are long enough (`PipesEnvContextInjector`).

    Args:
        client: a boto3 S3 client.
        uri: the S3 prefix below which the file is put, such as s3://bucket/pipes; the job's role must be able to read
            it. The file is deleted when the session ends well; a lifecycle rule takes what others leave.
    """

    def __init__(self, client: Any, uri: str) -> None:
        parts = urlsplit(uri)
        if parts.scheme != "s3" or not parts.netloc:
            raise ValueError(f"uri = {uri!r} is not an S3 URI of the form s3://bucket/prefix.")
        self._client = client
        self._bucket, self._prefix = parts.netloc, parts.path.strip("/")

    def for_job(self, kind: JobKind) -> PipesSageMakerContextFile:
        """What injects the context into one job of that kind.

        Raises:
            ValueError: it has no channels.
        """
        if kind not in FOLDERS:
            raise ValueError(f"A {kind.noun} has no input channels: use dagster.PipesEnvContextInjector for it.")
        key = "/".join(part for part in (self._prefix, uuid.uuid4().hex, FILE) if part)
        return PipesSageMakerContextFile(self._client, self._bucket, key, kind)


class PipesSageMakerContextFile(dg.PipesContextInjector):
    """Puts the context of one job at one key, and says what must be added to the job's create parameters."""

    def __init__(self, client: Any, bucket: str, key: str, kind: JobKind) -> None:
        self._client, self._bucket, self._key, self._kind = client, bucket, key, kind

    @contextmanager
    def inject_context(self, context_data: PipesContextData) -> Generator[PipesParams]:
        """Put the context, and delete it when the session ends well: else the job may still have to read it."""
        body = json.dumps(context_data).encode()
        self._client.put_object(Bucket=self._bucket, Key=self._key, Body=body)
        yield {PipesDefaultContextLoader.FILE_PATH_KEY: f"{FOLDERS[self._kind]}/{FILE}"}
        self._client.delete_object(Bucket=self._bucket, Key=self._key)

    def no_messages_debug_text(self) -> str:
        """Where the context was put."""
        return f"Attempted to inject context by s3://{self._bucket}/{self._key} as input channel {CHANNEL}."

    def added_to(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """The create parameters with the channel."""
        uri = f"s3://{self._bucket}/{self._key.rpartition('/')[0]}/"
        if self._kind == TRAINING:
            channel = {
                "ChannelName": CHANNEL,
                "InputMode": "File",
                "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": uri}},
            }
            return {**params, "InputDataConfig": [*params.get("InputDataConfig", []), channel]}
        given = {
            "InputName": CHANNEL,
            "S3Input": {
                "S3Uri": uri,
                "LocalPath": FOLDERS[self._kind],
                "S3DataType": "S3Prefix",
                "S3InputMode": "File",
            },
        }
        return {**params, "ProcessingInputs": [*params.get("ProcessingInputs", []), given]}
