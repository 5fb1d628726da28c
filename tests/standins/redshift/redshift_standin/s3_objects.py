"""The S3 side of UNLOAD and COPY."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from redshift_standin.refusals import RedshiftError


@dataclass(frozen=True)
class Location:
    """A bucket and a key, or the beginning of keys."""

    bucket: str
    key: str

    @property
    def url(self) -> str:
        """As SQL and manifests write it."""
        return f"s3://{self.bucket}/{self.key}"

    def __add__(self, end: str) -> "Location":
        return Location(self.bucket, self.key + end)


def location(url: str) -> Location:
    """The location that `s3://bucket/key` names.

    Raises:
        RedshiftError: it names none.
    """
    bucket, _, key = url.removeprefix("s3://").partition("/")
    if not url.startswith("s3://") or not bucket:
        raise RedshiftError(f"The S3 location {url} is not valid; write s3://bucket/prefix", sqlstate="XX000")
    return Location(bucket, key)


class S3Objects:
    """What the stand-in does in S3, through boto3's own client."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def keys(self, prefix: Location) -> list[str]:
        """Every key that begins so, in order."""
        return list(self._pages(prefix))

    def _pages(self, prefix: Location) -> Iterator[str]:
        paginator = self._client.get_paginator("list_objects_v2")
        with self._explained(prefix):
            for page in paginator.paginate(Bucket=prefix.bucket, Prefix=prefix.key):
                yield from (entry["Key"] for entry in page.get("Contents", ()))

    def read(self, place: Location) -> bytes:
        """An object's bytes."""
        with self._explained(place):
            return self._client.get_object(Bucket=place.bucket, Key=place.key)["Body"].read()

    def write(self, place: Location, content: bytes) -> None:
        """Make an object, or replace it."""
        with self._explained(place):
            self._client.put_object(Bucket=place.bucket, Key=place.key, Body=content)

    def write_json(self, place: Location, content: Any) -> None:
        """A manifest."""
        self.write(place, (json.dumps(content, indent=2) + "\n").encode())

    def delete(self, bucket: str, keys: Sequence[str]) -> None:
        """Remove objects."""
        for key in keys:
            self._client.delete_object(Bucket=bucket, Key=key)

    def _explained(self, place: Location) -> "_Explained":
        return _Explained(place)


class _Explained:
    """Turns S3's errors into those of Redshift."""

    def __init__(self, place: Location) -> None:
        self._place = place

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        from botocore.exceptions import BotoCoreError, ClientError

        if isinstance(error, ClientError):
            found = error.response["Error"]
            raise RedshiftError(
                f"S3ServiceException:{found.get('Message', '')},Status "
                f"{error.response['ResponseMetadata']['HTTPStatusCode']},Error {found['Code']} ({self._place.url})",
                sqlstate="XX000",
            ) from error
        if isinstance(error, BotoCoreError):
            raise RedshiftError(f"S3 cannot be reached: {error}", sqlstate="XX000") from error
