"""An architecture as a team may write its own: found by its import path, in the image as it is here."""

from packaging_assets.domain.architectures.catboost import CatBoostArchitecture


class Shallow(CatBoostArchitecture):
    name = "shallow"

    def __init__(self, features, parameters):
        super().__init__(features, {"depth": 1, "iterations": 5, **parameters})
