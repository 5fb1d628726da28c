"""What a job reads and leaves in S3: below `<prefix>/<job name>/`, inputs in `input/` and results in `output/`.

An input that is in S3 already, as artifacts are there, is read where it is. Everything here can be deleted once its job
is over; a lifecycle rule on the prefix takes what killed runs leave.
"""

from __future__ import annotations

import gzip
import math
import shutil
import tarfile
import tempfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from packaging_assets.artifacts.s3_objects import S3Objects
from packaging_assets.container.step_output import LISTING, OutputError, check_output, read_listing
from packaging_assets.container.step_request import REQUEST_FILE, StepRequest
from packaging_assets.resources.sagemaker_jobs import (
    MAX_CHANNELS,
    MAX_PAYLOAD_MB,
    MEGABYTE,
    JobInput,
    JobKind,
    JobOrder,
)
from packaging_assets.resources.sagemaker_work import PartedStep, Work

_DAMAGED = (tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile)
"""What unpacking raises: tarfile passes on what the compression says of an archive that is cut off or changed."""

GIVEN, PARTS = "given", "parts"
"""Inputs of the container: what was uploaded for the job, and what is divided among machines or requests."""


@dataclass(frozen=True)
class JobData:
    """The data of jobs.

    Args:
        objects: S3 below the prefix of all jobs.
    """

    objects: S3Objects

    def order(self, name: str, work: Work) -> JobOrder:
        """Put what a job reads where it can read it.

        Raises:
            RequestError: the params are too long for a training job.
            ValueError: a part is larger than a request of a transform job may be.
        """
        if work.kind == "transform":
            return self._transform_order(name, work)
        inputs, folders = self._place(name, work)
        request = StepRequest.of(
            work.step,
            work.params,
            folders,
            part_input=None if work.parted is None else work.parted.input,
            extra_modules=work.extra_modules,
        )
        hyperparameters: Mapping[str, str] = {}
        if work.kind == "training":
            hyperparameters = request.as_hyperparameters()
        else:
            self.objects.put(f"{name}/input/{GIVEN}/{REQUEST_FILE}", request.model_dump_json().encode())
            inputs = [self._input(name, GIVEN), *(given for given in inputs if given.name != GIVEN)]
        return JobOrder(
            name=name,
            inputs=inputs,
            output=self.output_of(name, work.kind),
            resources=work.resources,
            tags=work.tags,
            request=hyperparameters,
            checkpoints=self.objects.uri(f"{name}/checkpoints/") if work.resources.use_spot else "",
        )

    def output_of(self, name: str, kind: JobKind) -> str:
        """What a job of that name is told about its output.

        The names of a job's objects follow after a slash of SageMaker's own, so this ends at none.
        """
        return self.objects.uri("" if kind == "training" else f"{name}/output").rstrip("/")

    def result_of(self, name: str, kind: JobKind) -> str:
        """Where the result of a job of that name is."""
        return self.objects.uri(f"{name}/output/{'model.tar.gz' if kind == 'training' else ''}")

    def collect(self, name: str, work: Work, output: Path) -> None:
        """Fetch the result of a job that is completed, and compare it with what its step wrote.

        Raises:
            OutputError: it is not there any more, or not whole.
        """
        if work.parted is None:
            self._collect_one(f"{name}/output", work, output)
            return
        with tempfile.TemporaryDirectory(dir=output.parent) as scratch:
            shards: list[Path] = []
            for number, part in enumerate(work.parts):
                shards.append(Path(scratch) / f"{number:05d}")
                shards[-1].mkdir()
                self._collect_one(f"{name}/output/{part}", work, shards[-1])
            work.parted.load_merge()(shards, work.params, output)

    def clean(self, name: str) -> None:
        """Delete what a job read and left; its output's listing first, since without it the rest counts for nothing."""
        keys = [entry.key for entry in self.objects.entries(f"{name}/")]
        self.objects.delete(sorted(keys, key=lambda key: (not key.endswith(LISTING), key)))

    def _place(self, name: str, work: Work) -> tuple[list[JobInput], dict[str, str]]:
        """The job's inputs, and in which folder the container finds each of the step's."""
        inputs: list[JobInput] = []
        folders: dict[str, str] = {}
        parted = None if work.parted is None else work.parted.input
        if parted is not None:
            inputs.append(self._parts(name, work, parted))
            folders[parted] = PARTS
        has_given = False
        room = MAX_CHANNELS[work.kind] - 1
        for number, input_name in enumerate(work.given.names):
            if input_name == parted:
                continue
            origin = work.given.origin(input_name) if len(inputs) < room else None
            if origin is not None:
                inputs.append(JobInput(name=f"artifact-{number}", uri=origin.uri))
                folders[input_name] = f"artifact-{number}"
                continue
            folder = work.given.folder(input_name)
            has_given |= self.objects.upload_folder(folder, f"{name}/input/{GIVEN}/{input_name}") > 0
            folders[input_name] = f"{GIVEN}/{input_name}"
        if has_given:
            inputs.append(self._input(name, GIVEN))
        return inputs, folders

    def _parts(self, name: str, work: Work, parted: str) -> JobInput:
        """The input that comes in parts: dealt out where it is in S3, if there is nothing else there."""
        origin = work.given.origin(parted)
        if origin is not None and work.given.is_nothing_but_parts(parted):
            return JobInput(name=PARTS, uri=origin.uri, is_sharded=True)
        folder = work.given.folder(parted)
        for part in work.parts:
            self.objects.upload(folder / part, f"{name}/input/{PARTS}/{part}")
        return self._input(name, PARTS, is_sharded=True)

    def _input(self, name: str, given: str, *, is_sharded: bool = False) -> JobInput:
        return JobInput(name=given, uri=self.objects.uri(f"{name}/input/{given}/"), is_sharded=is_sharded)

    def _transform_order(self, name: str, work: Work) -> JobOrder:
        if work.parted is None:
            raise ValueError(
                f"{work.step.__name__} takes no input part by part, so it cannot be a transform job: choose processing."
            )
        largest = max(work.parts, key=lambda part: work.parts[part])
        payload_mb = math.ceil(work.parts[largest] / MEGABYTE)
        if payload_mb > MAX_PAYLOAD_MB:
            raise ValueError(
                f"{largest} has {work.parts[largest]} bytes and a transform job takes {MAX_PAYLOAD_MB} MB a "
                "request: lower PACKAGING_ROWS_PER_CHUNK, or choose processing."
            )
        parts = self._parts(name, work, work.parted.input)
        self._upload_model(name, work, work.parted)
        return JobOrder(
            name=name,
            inputs=[parts],
            output=self.output_of(name, work.kind),
            resources=work.resources,
            tags=work.tags,
            model=self.objects.uri(f"{name}/input/model.tar.gz"),
            payload_mb=max(1, payload_mb),
        )

    def _upload_model(self, name: str, work: Work, parted: PartedStep) -> None:
        """The archive that the server starts with: the request, and every input but the one that comes in requests."""
        folders = {given: given if given == parted.input else f"inputs/{given}" for given in work.given.names}
        request = StepRequest.of(
            work.step, work.params, folders, part_input=parted.input, extra_modules=work.extra_modules
        )
        with tempfile.TemporaryDirectory() as scratch:
            archive, text = Path(scratch) / "model.tar.gz", Path(scratch) / REQUEST_FILE
            text.write_text(request.model_dump_json(), encoding="utf-8")
            with tarfile.open(archive, "w:gz", compresslevel=1) as tar:
                tar.add(text, REQUEST_FILE)
                for given in work.given.names:
                    if given != parted.input:
                        tar.add(work.given.folder(given), folders[given])
            self.objects.upload(archive, f"{name}/input/model.tar.gz")

    def _collect_one(self, place: str, work: Work, output: Path) -> None:
        """Fetch what one run of the step wrote."""
        if work.kind == "processing":
            self._fetch_files(place, output)
        else:
            self._fetch_archive(f"{place}/model.tar.gz" if work.kind == "training" else f"{place}.out", output)
        check_output(output)

    def _fetch_files(self, place: str, output: Path) -> None:
        listing = self.objects.get(f"{place}/{LISTING}")
        if listing is None:
            raise OutputError(
                f"{self.objects.uri(place)} has no {LISTING}, so the output is gone or its step not ended."
            )
        missing = self.objects.download_files(read_listing(listing.body), place, output)
        if missing:
            raise OutputError(f"{self.objects.uri(place)}/{missing[0]} is missing.")
        (output / LISTING).write_bytes(listing.body)

    def _fetch_archive(self, key: str, output: Path) -> None:
        with tempfile.TemporaryDirectory(dir=output.parent) as scratch:
            archive = Path(scratch) / "archive"
            if not self.objects.download(key, archive):
                raise OutputError(f"{self.objects.uri(key)} is missing.")
            try:
                with tarfile.open(archive) as tar:
                    tar.extractall(output, filter="data")
            except _DAMAGED as error:
                raise OutputError(f"{self.objects.uri(key)} cannot be unpacked: {error}.") from error


def empty(folder: Path) -> None:
    """Delete what is in a folder."""
    for path in folder.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()
