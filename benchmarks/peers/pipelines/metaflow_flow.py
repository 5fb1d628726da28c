"""Metaflow: a flow with a branch per package type by `foreach`, artifacts as paths, the local datastore.

`python metaflow_flow.py run`, and `python metaflow_flow.py resume` after a failure
(https://docs.metaflow.org/metaflow/debugging). Every task is a process of its own: that is how Metaflow runs flows.
"""

import os
import sys
from pathlib import Path

from metaflow import FlowSpec, step

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

WORK = Path(os.environ["PEER_WORK"])
WAREHOUSE, REGISTRY, DATA = WORK / "warehouse.duckdb", WORK / "registry.db", WORK / "data"


class PackagingFlow(FlowSpec):
    """Labels to predictions."""

    @step
    def start(self):
        self.next(self.labels, self.features, self.inventory)

    @step
    def labels(self):
        import steps

        self.labels_path = DATA / "labels"
        steps.labels(WAREHOUSE, self.labels_path)
        self.next(self.join_data)

    @step
    def features(self):
        import steps

        self.features_path = DATA / "features"
        steps.features(WAREHOUSE, self.features_path)
        self.next(self.join_data)

    @step
    def inventory(self):
        import steps

        self.inventory_path = DATA / "inventory"
        steps.inventory(WAREHOUSE, self.inventory_path)
        self.next(self.join_data)

    @step
    def join_data(self, inputs):
        self.merge_artifacts(inputs)
        self.next(self.each_type)

    @step
    def each_type(self):
        import steps

        self.package_types = list(steps.PACKAGE_TYPES)
        self.next(self.split, foreach="package_types")

    @step
    def split(self):
        import steps

        self.package_type = self.input
        self.split_path = DATA / self.package_type / "split"
        steps.split(self.labels_path, self.features_path, self.package_type, self.split_path)
        self.next(self.train)

    @step
    def train(self):
        import steps

        self.model_path = DATA / self.package_type / "model"
        steps.train(self.split_path, self.model_path)
        self.next(self.evaluate)

    @step
    def evaluate(self):
        import steps

        self.evaluation_path = DATA / self.package_type / "evaluation"
        steps.evaluate(self.split_path, self.model_path, self.package_type, self.evaluation_path)
        self.next(self.judge)

    @step
    def judge(self):
        import steps

        self.verdict_path = DATA / self.package_type / "verdict"
        steps.judge(self.evaluation_path, self.verdict_path)
        self.next(self.register)

    @step
    def register(self):
        import steps

        self.version_path = DATA / self.package_type / "version"
        steps.register(self.model_path, self.verdict_path, self.package_type, REGISTRY, self.version_path)
        self.next(self.champion)

    @step
    def champion(self):
        import steps

        self.champion_path = DATA / self.package_type / "champion"
        steps.champion(self.version_path, self.champion_path)
        self.next(self.predictions)

    @step
    def predictions(self, inputs):
        import steps

        champions = {branch.package_type: branch.champion_path for branch in inputs}
        self.inventory_path = inputs[0].inventory_path
        self.predictions_path = DATA / "predictions"
        steps.predictions(self.inventory_path, champions, self.predictions_path)
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    PackagingFlow()
