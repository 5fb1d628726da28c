"""Processing jobs."""

import json
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from sagemaker_standin.job import Job
from sagemaker_standin.storage import JobError

ML_ROOT = PurePosixPath("/opt/ml")


class ProcessingJob(Job):
    """Folders in and out at the paths that the request names."""

    kind = "Processing"
    log_group = "/aws/sagemaker/ProcessingJobs"

    def prepare(self) -> None:
        """Lay out /opt/ml for every instance."""
        hosts = [f"algo-{number + 1}" for number in range(self._cluster()["InstanceCount"])]
        for number, host in enumerate(hosts):
            root = self.scratch / host
            (root / "config").mkdir(parents=True)
            resources = {"current_host": host, "hosts": hosts, "network_interface_name": "lo"}
            (root / "config" / "resourceconfig.json").write_text(json.dumps(resources))
            (root / "config" / "processingjobconfig.json").write_text(json.dumps(self.request))
            for given in self.request.get("ProcessingInputs", []):
                source = given["S3Input"]
                is_sharded = source.get("S3DataDistributionType") == "ShardedByS3Key"
                shard = (number, len(hosts)) if is_sharded else (0, 1)
                self.site.storage.download(source["S3Uri"], _local(root, source["LocalPath"]), shard=shard)
            for output in self._outputs():
                _local(root, output["LocalPath"]).mkdir(parents=True, exist_ok=True)

    def work(self) -> None:
        """Run one container per instance."""
        application = self.request["AppSpecification"]
        if "ContainerEntrypoint" in application:
            raise JobError(
                "ClientError: the stand-in runs an image's own entry point only; leave ContainerEntrypoint out"
            )
        arguments, environment = application.get("ContainerArguments", []), self.request.get("Environment", {})
        for root in sorted(self.scratch.glob("algo-*")):
            self.launch(application["ImageUri"], arguments, root, environment, root.name)
        self.wait()

    def finish(self) -> None:
        """Upload what all instances left."""
        for output in self._outputs():
            for root in sorted(self.scratch.glob("algo-*")):
                self.site.storage.upload(_local(root, output["LocalPath"]), output["S3Uri"])

    def outputs(self) -> Sequence[str]:
        """Prefixes of the outputs."""
        return [output["S3Uri"] for output in self._outputs()]

    def describe(self) -> dict[str, Any]:
        """With the message that the container left."""
        described = super().describe()
        described["LastModifiedTime"] = self.ended_at or self.started_at or self.created_at
        if self.message:
            described["ExitMessage"] = self.message
        return described

    def failure(self, code: int) -> str:
        """The reason has the exit code, and the container's own words are the ExitMessage."""
        for path in sorted(self.scratch.glob("*/output/message")):
            self.message = path.read_text(errors="replace")[:1024]
            break
        return f"AlgorithmError: See job logs for more information, exit code: {code}"

    def _cluster(self) -> dict[str, Any]:
        return self.request["ProcessingResources"]["ClusterConfig"]

    def _outputs(self) -> list[dict[str, Any]]:
        return [output["S3Output"] for output in self.request.get("ProcessingOutputConfig", {}).get("Outputs", [])]


def _local(root: Path, path: str) -> Path:
    """Where a path of the container is here."""
    try:
        return root / PurePosixPath(path).relative_to(ML_ROOT)
    except ValueError:
        raise JobError(f"ClientError: LocalPath {path!r} is not below {ML_ROOT}") from None
