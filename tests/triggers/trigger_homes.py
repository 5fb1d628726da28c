"""Homes for tests of triggers, whose runs are a dictionary: what was launched is there at the next look."""

import datetime as dt
import json
from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from packaging_assets.artifacts.s3_objects import S3Objects
from packaging_assets.components.model_set import ModelSet
from packaging_assets.components.model_spec import ModelSpec
from packaging_assets.defs.triggers.look import Outcome, TriggerLook
from packaging_assets.defs.triggers.plan import plan_runs
from packaging_assets.domain.alerts import Alert
from packaging_assets.resources.s3_trigger_folder import S3TriggerFolder
from packaging_assets.resources.trigger_folder import TriggerFolder
from packaging_assets.resources.trigger_queue import SqsQueue
from packaging_assets.resources.triggers import TriggerStore
from packaging_assets.settings import Settings, load_settings

MODELS = ModelSet.of([ModelSpec(package_type="box"), ModelSpec(package_type="mailer", feeds_from=("box",))])


class Home(ABC):
    """Where trigger files lie, and the sensors that look at them."""

    def __init__(self, path: Path) -> None:
        self.settings: Settings = load_settings(path, first_week=dt.date(2025, 1, 6), last_day=dt.date(2025, 2, 2))
        self.runs: dict[str, dict[str, str]] = {}
        self.alerts: list[Alert] = []
        self.later = dt.timedelta()
        self.store = self.new_store()

    @abstractmethod
    def new_store(self) -> TriggerStore:
        """The store as another process has it."""

    @abstractmethod
    def write(self, name: str, content: bytes) -> None:
        """Put a file there."""

    @abstractmethod
    def read(self, name: str) -> bytes:
        """What a file holds."""

    @abstractmethod
    def files(self, folder: str = "") -> list[str]:
        """The names of a folder's files."""

    def now(self) -> dt.datetime:
        return dt.datetime.now(dt.UTC) + self.later

    def drop(self, content: object, name: str = "request.json") -> None:
        self.write(name, content if isinstance(content, bytes) else json.dumps(content).encode())

    def json(self, name: str) -> Any:
        return json.loads(self.read(name))

    def launched(self, trigger: str) -> Mapping[str, str]:
        return self.runs.get(trigger, {})

    def look(self, *, does_launch: bool = True, store: TriggerStore | None = None) -> Outcome:
        outcome = TriggerLook(
            store=store or self.store,
            plan=lambda trigger: plan_runs(trigger, MODELS, self.settings),
            launched=self.launched,
            alert=self.alerts.append,
            now=self.now,
        ).take()
        for launch in outcome.launches if does_launch else []:
            runs = self.runs.setdefault(launch.trigger, {})
            assert launch.run.partition not in runs
            runs[launch.run.partition] = f"run-{launch.run.partition}"
        return outcome


class LocalHome(Home):
    """A folder."""

    def __init__(self, path: Path) -> None:
        self.root = path / "triggers"
        self.root.mkdir(parents=True)
        super().__init__(path)

    def new_store(self) -> TriggerFolder:
        return TriggerFolder(self.root)

    def write(self, name: str, content: bytes) -> None:
        (self.root / name).write_bytes(content)

    def read(self, name: str) -> bytes:
        return (self.root / name).read_bytes()

    def files(self, folder: str = "") -> list[str]:
        return sorted(entry.name for entry in (self.root / folder).iterdir() if folder or entry.is_file())


class S3Home(Home):
    """A prefix of a bucket; with a queue, S3 tells it of new files."""

    def __init__(self, path: Path, client: Any, bucket: str, *, queue: SqsQueue | None = None) -> None:
        self.client, self.bucket, self.queue = client, bucket, queue
        super().__init__(path)

    def new_store(self) -> S3TriggerFolder:
        return S3TriggerFolder(S3Objects(self.client, self.bucket, "prod/triggers"), self.queue, now=self.now)

    def write(self, name: str, content: bytes) -> None:
        self.client.put_object(Bucket=self.bucket, Key=f"prod/triggers/{name}", Body=content)

    def read(self, name: str) -> bytes:
        return self.client.get_object(Bucket=self.bucket, Key=f"prod/triggers/{name}")["Body"].read()

    def files(self, folder: str = "") -> list[str]:
        prefix = f"prod/triggers/{folder}/" if folder else "prod/triggers/"
        answer = self.client.list_objects_v2(Bucket=self.bucket, Prefix=prefix, Delimiter="/")
        return [entry["Key"].removeprefix(prefix) for entry in answer.get("Contents", [])]
