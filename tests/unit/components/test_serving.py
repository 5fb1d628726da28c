"""Which versions serve, and which predict beside them, as models go live, are replaced and step back."""

from registered_versions import register

from packaging_assets.components.assets.champion import data_version
from packaging_assets.components.model_set import ModelSet
from packaging_assets.components.model_spec import ModelSpec
from packaging_assets.components.serving import (
    serving_before,
    serving_champion,
    serving_version,
    serving_versions,
    shadow_versions,
    spec_of_version,
)
from packaging_assets.domain.registry import ModelVersion
from packaging_assets.resources.sqlite_registry import SqliteModelRegistry

WEEKS = ("2025-01-06", "2025-01-13", "2025-01-20")
MAILER = ModelSpec(package_type="mailer", suitable_from=0.4)
BOX = ModelSpec(package_type="box")
TEXT = ModelSpec(package_type="mailer", name="mailer_text", stage="shadow", replaces="mailer", suitable_from=0.6)
AS_SHADOW = ModelSet.of([MAILER, BOX, TEXT])
AS_LIVE = ModelSet.of([MAILER, BOX, TEXT.model_copy(update={"stage": "live"})])


def named(versions: dict[str, ModelVersion]) -> dict[str, tuple[str, int]]:
    return {name: (version.model, version.version) for name, version in versions.items()}


def test_nothing_serves_or_predicts_before_anything_is_registered(registry: SqliteModelRegistry) -> None:
    assert serving_versions(registry, AS_SHADOW) == {}
    assert shadow_versions(registry, AS_SHADOW) == {}
    assert serving_champion(registry, AS_SHADOW, "mailer") == ("mailer", None)


def test_a_shadow_predicts_beside_with_its_newest_version_and_never_serves(registry: SqliteModelRegistry) -> None:
    register(registry, "mailer", WEEKS[0])
    register(registry, "mailer_text", WEEKS[0], stage="shadow")
    register(registry, "mailer_text", WEEKS[1], stage="shadow")
    register(registry, "mailer_text", WEEKS[2], stage="shadow", verdict="reject")
    assert named(serving_versions(registry, AS_SHADOW)) == {"mailer": ("mailer", 1)}
    assert named(shadow_versions(registry, AS_SHADOW)) == {"mailer_text": ("mailer_text", 2)}


def test_going_live_lets_the_old_champion_serve_until_the_new_model_has_one(registry: SqliteModelRegistry) -> None:
    old = register(registry, "mailer", WEEKS[0])
    register(registry, "mailer_text", WEEKS[0], stage="shadow")
    names = AS_LIVE.serving_names("mailer")
    assert names == ("mailer_text", "mailer")
    assert named(serving_versions(registry, AS_LIVE)) == {"mailer": ("mailer", 1)}
    assert serving_before(registry, names, WEEKS[1]) == old
    assert serving_champion(registry, AS_LIVE, "mailer") == ("mailer_text", old)
    assert data_version("mailer_text", old) == "mailer 1"
    # The old champion serves, so it need not be scored beside itself; a newer version of that model is.
    assert named(shadow_versions(registry, AS_LIVE)) == {}
    register(registry, "mailer", WEEKS[1], stage="shadow")
    assert named(shadow_versions(registry, AS_LIVE)) == {"mailer": ("mailer", 2)}

    new = register(registry, "mailer_text", WEEKS[1])
    assert named(serving_versions(registry, AS_LIVE)) == {"mailer": ("mailer_text", 2)}
    assert serving_champion(registry, AS_LIVE, "mailer") == ("mailer_text", new)
    assert (data_version("mailer_text", new), data_version("mailer_text", None)) == ("2", "none")
    assert serving_before(registry, names, WEEKS[1]) == old
    assert serving_before(registry, names, WEEKS[2]) == new


def test_stepping_back_to_shadow_brings_the_old_model_back_at_once(registry: SqliteModelRegistry) -> None:
    register(registry, "mailer", WEEKS[0])
    register(registry, "mailer_text", WEEKS[1])
    assert named(serving_versions(registry, AS_SHADOW)) == {"mailer": ("mailer", 1)}
    assert named(shadow_versions(registry, AS_SHADOW)) == {"mailer_text": ("mailer_text", 1)}


def test_a_version_is_applied_by_its_own_models_limits_or_else_the_live_ones(registry: SqliteModelRegistry) -> None:
    old = register(registry, "mailer", WEEKS[0])
    assert spec_of_version(AS_LIVE, old).suitable_from == 0.4
    without_old = ModelSet.of([TEXT.model_copy(update={"stage": "live"})])
    assert serving_version(registry, without_old.serving_names("mailer")) == old
    assert spec_of_version(without_old, old).suitable_from == 0.6


def test_a_decision_about_a_model_that_has_gone_concerns_the_live_one_of_its_type(
    registry: SqliteModelRegistry,
) -> None:
    old = register(registry, "mailer", WEEKS[0])
    without_old = ModelSet.of([TEXT.model_copy(update={"stage": "live"})])
    assert serving_champion(registry, without_old, "mailer") == ("mailer_text", old)
    assert serving_champion(registry, ModelSet.of([BOX]), "mailer") is None
    assert serving_champion(registry, ModelSet.of([BOX]), "unheard_of") is None
    register(registry, "mailer_text", WEEKS[1])  # whose name is not that of its package type
    assert serving_champion(registry, ModelSet.of([MAILER, BOX]), "mailer_text") == ("mailer", old)
