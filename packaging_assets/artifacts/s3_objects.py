"""Objects below one prefix of one bucket: the few things that artifacts and jobs do with S3.

Files are streamed in parts by boto3's transfer manager, so none is ever in memory whole. Whether a small object is
there already is decided by S3 in one conditional request (If-None-Match, If-Match), never by looking first.
"""

from __future__ import annotations

import contextlib
import datetime as dt
from collections.abc import Collection, Generator, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from packaging_assets.artifacts.aws_errors import error_code

PART_BYTES = 16 * 1024 * 1024
"""Of a multipart upload: S3 takes 10,000 parts, so files of up to 160 GB."""

WAITING_CHUNKS = 100
"""Of 256 KB each, between the network and the disk: a slow disk slows a download down, and fills no memory."""

FILES_AT_ONCE = 8
DELETED_AT_ONCE = 1000
"""DeleteObjects takes no more."""

_ABSENT = frozenset({"404", "NoSuchKey", "NotFound"})
_REFUSED = frozenset({"412", "PreconditionFailed", "409", "ConditionalRequestConflict"})
"""412: the condition does not hold. 409: another conditional write came in between; it has won."""


@dataclass(frozen=True)
class StoredObject:
    """A small object's content, and the tag by which S3 knows this content."""

    body: bytes
    etag: str


@dataclass(frozen=True)
class ObjectStart:
    """How an object begins, the tag of its content, and when it was written (UTC)."""

    body: bytes
    etag: str
    modified_at: dt.datetime


@dataclass(frozen=True)
class ListedObject:
    """What a listing says of an object."""

    key: str
    bytes: int
    modified_at: dt.datetime


@dataclass(frozen=True)
class S3Objects:
    """Objects by their keys relative to a prefix.

    Args:
        client: a boto3 S3 client.
        bucket: its name.
        prefix: without a slash at either end; may be empty.
        encryption: what every write says about encryption at rest, see `encryption_arguments`.
    """

    client: Any
    bucket: str
    prefix: str = ""
    encryption: Mapping[str, str] = field(default_factory=dict[str, str])

    def uri(self, key: str) -> str:
        """The S3 URI of a key, or of a prefix if the key ends at a slash."""
        return f"s3://{self.bucket}/{self._full(key)}"

    def upload(self, path: Path, key: str) -> None:
        """Stream a file."""
        self.client.upload_file(
            str(path), self.bucket, self._full(key), ExtraArgs=dict(self.encryption), Config=_transfer()
        )

    def upload_folder(self, folder: Path, prefix: str) -> int:
        """Stream all files of a folder, several at once, and return how many there were."""
        paths = [path for path in sorted(folder.rglob("*")) if path.is_file()]
        _all_at_once(
            (self.upload, path, f"{prefix.rstrip('/')}/{path.relative_to(folder).as_posix()}") for path in paths
        )
        return len(paths)

    def download(self, key: str, path: Path) -> bool:
        """Stream an object into a file; whether it is there."""
        path.parent.mkdir(parents=True, exist_ok=True)
        with _unless(_ABSENT):
            self.client.download_file(self.bucket, self._full(key), str(path), Config=_transfer())
            return True
        return False

    def download_files(self, names: Iterable[str], prefix: str, folder: Path) -> list[str]:
        """Stream objects below a prefix into a folder, several at once, and return the names that are not there."""
        wanted = sorted(names)
        found = _all_at_once((self.download, f"{prefix.rstrip('/')}/{name}", folder / name) for name in wanted)
        return [name for name, is_there in zip(wanted, found, strict=True) if not is_there]

    def get(self, key: str) -> StoredObject | None:
        """A small object, or None where there is none."""
        with _unless(_ABSENT):
            answer = self.client.get_object(Bucket=self.bucket, Key=self._full(key))
            with contextlib.closing(answer["Body"]) as body:
                return StoredObject(body.read(), answer["ETag"])
        return None

    def start(self, key: str, most: int) -> ObjectStart | None:
        """The first `most` bytes of an object that may be of any size, or None where there is none."""
        with _unless(_ABSENT):
            answer = self.client.get_object(Bucket=self.bucket, Key=self._full(key))
            with contextlib.closing(answer["Body"]) as body:
                return ObjectStart(body.read(most), answer["ETag"], answer["LastModified"])
        return None

    def size(self, key: str) -> int | None:
        """Bytes of an object, or None where there is none."""
        with _unless(_ABSENT):
            return int(self.client.head_object(Bucket=self.bucket, Key=self._full(key))["ContentLength"])
        return None

    def put(self, key: str, body: bytes) -> None:
        """Write a small object, whatever was there."""
        self.client.put_object(Bucket=self.bucket, Key=self._full(key), Body=body, **self.encryption)

    def put_new(self, key: str, body: bytes) -> bool:
        """Write a small object where there is none; whether that was done.

        False is no proof that there is one, nor that another has written it: S3 also refuses while somebody else is
        about to write, and when it is asked again because its first answer was lost. Read the object to know.
        """
        return self._put_if(key, body, {"IfNoneMatch": "*"})

    def replace(self, key: str, body: bytes, *, etag: str) -> bool:
        """Write a small object in place of the one with that tag; whether that one was still there."""
        return self._put_if(key, body, {"IfMatch": etag})

    def delete_same(self, key: str, *, etag: str) -> None:
        """Delete an object if it is still the one with that tag."""
        with _unless(_REFUSED | _ABSENT):
            self.client.delete_object(Bucket=self.bucket, Key=self._full(key), IfMatch=etag)

    def delete(self, keys: Iterable[str]) -> None:
        """Delete objects; those that are not there do no harm.

        Raises:
            PermissionError: S3 refuses to delete one of them.
        """
        full = [self._full(key) for key in keys]
        for start in range(0, len(full), DELETED_AT_ONCE):
            answer = self.client.delete_objects(
                Bucket=self.bucket,
                Delete={"Objects": [{"Key": key} for key in full[start : start + DELETED_AT_ONCE]], "Quiet": True},
            )
            for problem in answer.get("Errors", []):
                raise PermissionError(
                    f"s3://{self.bucket}/{problem['Key']} cannot be deleted: {problem.get('Message', problem['Code'])}"
                )

    def entries(self, prefix: str = "") -> Iterator[ListedObject]:
        """Everything below a prefix, by key."""
        return self._listed(self._pages(prefix))

    def names(self, prefix: str) -> Iterator[str]:
        """What comes between a prefix that ends at a slash and the next slash, each once; nothing below is listed."""
        start = len(self._full(prefix))
        for page in self._pages(prefix, Delimiter="/"):
            for entry in page.get("CommonPrefixes", []):
                yield entry["Prefix"][start:-1]

    def directly_below(self, prefix: str = "", *, after: str = "") -> Iterator[ListedObject]:
        """The objects below a prefix that ends at a slash and no further slash, by key, those after `after` only."""
        begin = {"StartAfter": self._full(after)} if after else {}
        return self._listed(self._pages(prefix, Delimiter="/", **begin))

    def _listed(self, pages: Iterable[dict[str, Any]]) -> Iterator[ListedObject]:
        start = len(self._full(""))
        for page in pages:
            for entry in page.get("Contents", []):
                yield ListedObject(entry["Key"][start:], int(entry["Size"]), entry["LastModified"])

    def _pages(self, prefix: str, **more: str) -> Iterator[dict[str, Any]]:
        paginator = self.client.get_paginator("list_objects_v2")
        return iter(paginator.paginate(Bucket=self.bucket, Prefix=self._full(prefix), **more))

    def _put_if(self, key: str, body: bytes, condition: Mapping[str, str]) -> bool:
        with _unless(_REFUSED | _ABSENT):  # If-Match on an object that is gone answers 404
            self.client.put_object(Bucket=self.bucket, Key=self._full(key), Body=body, **condition, **self.encryption)
            return True
        return False

    def _full(self, key: str) -> str:
        return f"{self.prefix}/{key}" if self.prefix else key


def encryption_arguments(kms_key: str | None) -> dict[str, str]:
    """What a write says about encryption at rest: S3's own keys, or a KMS key."""
    if kms_key is None:
        return {"ServerSideEncryption": "AES256"}
    return {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": kms_key}


def _transfer() -> Any:
    from boto3.s3.transfer import TransferConfig

    return TransferConfig(multipart_threshold=PART_BYTES, multipart_chunksize=PART_BYTES, max_io_queue=WAITING_CHUNKS)


@contextlib.contextmanager
def _unless(codes: Collection[str]) -> Generator[None]:
    """Leave the block without an error where S3 answers with one of these codes."""
    from botocore.exceptions import ClientError

    try:
        yield
    except ClientError as error:
        if error_code(error) not in codes:
            raise


def _all_at_once(calls: Iterable[tuple[Any, ...]]) -> list[Any]:
    """What the calls return, in their order; the first error is raised when those that had begun are over."""
    with ThreadPoolExecutor(FILES_AT_ONCE) as pool:
        pending = [pool.submit(*call) for call in calls]
        try:
            return [future.result() for future in pending]
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
