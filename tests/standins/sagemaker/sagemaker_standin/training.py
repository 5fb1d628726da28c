"""Training jobs."""

import json
import shutil
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sagemaker_standin.faults import Fault
from sagemaker_standin.job import Job, Site

SYNC_SECONDS = 0.1


class Interrupted(Exception):  # noqa: N818 - the job goes on
    """The spare capacity is wanted elsewhere."""


class TrainingJob(Job):
    """Channels in, model.tar.gz and output.tar.gz out; the image's own entry point gets the argument `train`."""

    kind = "Training"
    log_group = "/aws/sagemaker/TrainingJobs"

    def __init__(self, site: Site, request: dict[str, Any], fault: Fault | None) -> None:
        super().__init__(site, request, fault)
        self._synced: dict[str, dict[str, tuple[int, int]]] = {}
        self._next_sync = 0.0
        self._began = 0.0
        self._has_checkpoint = False

    def prepare(self) -> None:
        """Lay out /opt/ml for every instance."""
        self._began = time.monotonic()
        count = self.request["ResourceConfig"].get("InstanceCount", 1)
        hosts = [f"algo-{number + 1}" for number in range(count)]
        for number, host in enumerate(hosts):
            root = self.scratch / host
            for name in ("input/config", "input/data", "model", "output/data"):
                (root / name).mkdir(parents=True)
            self._fetch_checkpoints(root)
            self._write_configuration(root / "input" / "config", host, hosts)
            for channel in self.request.get("InputDataConfig", []):
                source = channel["DataSource"]["S3DataSource"]
                is_sharded = source.get("S3DataDistributionType") == "ShardedByS3Key"
                folder = root / "input" / "data" / channel["ChannelName"]
                self.site.storage.download(source["S3Uri"], folder, shard=(number, count) if is_sharded else (0, 1))

    def work(self) -> None:
        """Run one container per instance, and on other machines again if these are taken away."""
        while True:
            image = self.request["AlgorithmSpecification"]["TrainingImage"]
            for root in self._roots():
                self.launch(image, ["train"], root, self.request.get("Environment", {}), root.name)
            try:
                self.wait()
            except Interrupted:
                self._change_machines()
            else:
                self._sync_checkpoints()
                return

    def finish(self) -> None:
        """Upload what all instances left, in one archive: of files of one name the last instance's stays."""
        for name, uri in zip(("model", "output/data"), self.outputs(), strict=True):
            folders = [root / name for root in self._roots()]
            if name == "model" or any(any(folder.iterdir()) for folder in folders):
                self.site.storage.upload_archive(folders, uri, self.scratch)

    def outputs(self) -> Sequence[str]:
        """The archives of model and other output."""
        base = f"{self.request['OutputDataConfig']['S3OutputPath'].rstrip('/')}/{self.name}/output"
        return f"{base}/model.tar.gz", f"{base}/output.tar.gz"

    def describe(self) -> dict[str, Any]:
        """With the secondary statuses, and times that are billed."""
        described = super().describe()
        if self.steps:
            described["SecondaryStatus"] = self.steps[-1]["Status"]
            described["SecondaryStatusTransitions"] = list(self.steps)
        described["LastModifiedTime"] = self.steps[-1]["StartTime"] if self.steps else self.created_at
        if self.status == "Completed":
            described["ModelArtifacts"] = {"S3ModelArtifacts": self.outputs()[0]}
        if self.ended_at is not None and self.started_at is not None:
            described["TrainingTimeInSeconds"] = max(1, round(self.ended_at - self.started_at))
            described["BillableTimeInSeconds"] = described["TrainingTimeInSeconds"]
        return described

    def look(self) -> None:
        """Sync checkpoints, and see whether the machines are to be taken away."""
        if time.monotonic() < self._next_sync:
            return
        self._next_sync = time.monotonic() + SYNC_SECONDS
        self._sync_checkpoints()
        if self.fault is None or self.fault.kind != "interrupted" or not self.request.get("EnableManagedSpotTraining"):
            return
        is_late = self.fault.seconds > 0 and time.monotonic() > self._began + self.fault.seconds
        if self._has_checkpoint or is_late:
            self.fault = None
            raise Interrupted

    def _change_machines(self) -> None:
        """SIGTERM, SIGKILL, and all anew but the checkpoints."""
        for container in self.containers:
            container.end(self.site.grace_seconds)
        self._sync_checkpoints()
        self.enter("Interrupted", "Training job interrupted: spot capacity was reclaimed")
        self._close()
        self.containers.clear()
        self._synced.clear()
        for root in self._roots():
            shutil.rmtree(root)
        self.enter("Starting", "Launching requested ML instances")
        self.prepare()
        self.enter("Training", "Container is running")

    def _checkpoint_uri(self) -> str:
        return self.request.get("CheckpointConfig", {}).get("S3Uri", "")

    def _fetch_checkpoints(self, root: Path) -> None:
        if uri := self._checkpoint_uri():
            (root / "checkpoints").mkdir()
            if self.site.storage.keys(f"{uri.rstrip('/')}/"):
                self.site.storage.download(f"{uri.rstrip('/')}/", root / "checkpoints")

    def _sync_checkpoints(self) -> None:
        if uri := self._checkpoint_uri():
            for root in self._roots():
                known = self._synced.setdefault(root.name, {})
                self._has_checkpoint |= self.site.storage.sync(root / "checkpoints", uri, known) > 0

    def _roots(self) -> list[Path]:
        return sorted(self.scratch.glob("algo-*"))

    def _write_configuration(self, folder: Path, host: str, hosts: list[str]) -> None:
        channels = {
            channel["ChannelName"]: {
                "TrainingInputMode": "File",
                "S3DistributionType": channel["DataSource"]["S3DataSource"].get(
                    "S3DataDistributionType", "FullyReplicated"
                ),
                "RecordWrapperType": "None",
            }
            for channel in self.request.get("InputDataConfig", [])
        }
        resources = {"current_host": host, "hosts": hosts, "network_interface_name": "lo"}
        for name, content in (
            ("hyperparameters", self.request.get("HyperParameters", {})),
            ("inputdataconfig", channels),
            ("resourceconfig", resources),
        ):
            (folder / f"{name}.json").write_text(json.dumps(content))
