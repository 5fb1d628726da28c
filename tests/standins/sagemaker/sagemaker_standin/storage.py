"""What SageMaker does with S3 for a job: objects to files before it, files to objects after it."""

import tarfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from sagemaker_standin.errors import validation_error


class JobError(Exception):
    """What ends a job: its message is the FailureReason."""


class Storage:
    """S3 as jobs use it.

    Args:
        s3: a boto3 client of moto's S3.
    """

    def __init__(self, s3: Any) -> None:
        self._s3 = s3

    def keys(self, uri: str) -> list[str]:
        """The keys that begin as the URI says, sorted; like SageMaker's S3Prefix, it need not end at a slash."""
        bucket, prefix = split(uri)
        pages = self._s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
        return sorted(entry["Key"] for page in pages for entry in page.get("Contents", []))

    def download(self, uri: str, folder: Path, *, shard: tuple[int, int] = (0, 1)) -> None:
        """Put the objects of a prefix into a folder; of `shard` (number, of how many) every so-manieth only.

        Raises:
            JobError: there are none at all.
        """
        bucket, prefix = split(uri)
        keys = self.keys(uri)
        if not keys:
            raise JobError(f"ClientError: Data download failed:No S3 objects found under S3 URL {uri!r}")
        folder.mkdir(parents=True, exist_ok=True)
        base = prefix if prefix.endswith("/") else prefix.rpartition("/")[0]
        number, of = shard
        for key in keys[number::of]:
            name = key[len(base) :].lstrip("/")
            if name and not name.endswith("/"):
                path = folder / name
                path.parent.mkdir(parents=True, exist_ok=True)
                self._s3.download_file(bucket, key, str(path))

    def upload(self, folder: Path, uri: str) -> None:
        """Put the files of a folder below a prefix."""
        bucket, prefix = split(uri)
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            name = path.relative_to(folder).as_posix()
            self._s3.upload_file(str(path), bucket, f"{prefix.rstrip('/')}/{name}")

    def sync(self, folder: Path, uri: str, known: dict[str, tuple[int, int]]) -> int:
        """Put those files of a folder below a prefix that are not `known` with this time and size; how many."""
        bucket, prefix = split(uri)
        changed = 0
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            name, state = path.relative_to(folder).as_posix(), path.stat()
            if known.get(name) != (state.st_mtime_ns, state.st_size):
                known[name] = (state.st_mtime_ns, state.st_size)
                self._s3.upload_file(str(path), bucket, f"{prefix.rstrip('/')}/{name}")
                changed += 1
        return changed

    def upload_archive(self, folders: Sequence[Path], uri: str, scratch: Path) -> None:
        """Put what is in the folders, as one gzipped tar archive, at a URI."""
        archive = scratch / "archive.tar.gz"
        with tarfile.open(archive, "w:gz", compresslevel=1) as tar:
            for path in (path for folder in folders for path in sorted(folder.iterdir())):
                tar.add(path, path.name)
        bucket, key = split(uri)
        self._s3.upload_file(str(archive), bucket, key)

    def unpack(self, uri: str, folder: Path, scratch: Path) -> None:
        """Put the content of a gzipped tar archive into a folder."""
        bucket, key = split(uri)
        archive = scratch / "model.tar.gz"
        self._s3.download_file(bucket, key, str(archive))
        with tarfile.open(archive) as tar:
            tar.extractall(folder, filter="data")

    def read(self, bucket: str, key: str) -> bytes:
        """An object's bytes."""
        return self._s3.get_object(Bucket=bucket, Key=key)["Body"].read()

    def write(self, uri: str, body: bytes) -> None:
        """An object."""
        bucket, key = split(uri)
        self._s3.put_object(Bucket=bucket, Key=key, Body=body)

    def lose(self, uris: Sequence[str]) -> None:
        """Delete the last object below the first of the prefixes that has one."""
        for uri, keys in ((uri, self.keys(uri)) for uri in uris):
            if keys:
                self._s3.delete_object(Bucket=split(uri)[0], Key=keys[-1])
                return


def split(uri: str) -> tuple[str, str]:
    """Bucket and key of an S3 URI."""
    parts = urlsplit(uri)
    if parts.scheme != "s3" or not parts.netloc:
        raise validation_error(f"Invalid S3 URI: {uri}")
    return parts.netloc, parts.path.lstrip("/")
