"""Which artifacts nothing needs any more, and how they are removed while other processes work.

Kept are: what a pointer names; what the caller says is referenced (the registry's versions); whatever these were made
from, as far as the store has it; and what is young. An artifact is first set aside, then the references are read once
more, and what has come to be referenced meanwhile is put back; only then is anything deleted.
"""

import datetime as dt
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Set
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, cast

from packaging_assets.artifacts.store import Artifact, ArtifactError, ArtifactStore, MissingArtifactError, PrunableStore

EXPERIMENTS = "experiments/"
"""Beginning of the URIs of experiments, which are made to be thrown away."""

References = Callable[[], Set[str]]
"""Gives the URIs that must stay, as they are at the moment of the call."""


@dataclass(frozen=True, kw_only=True)
class PrunePolicy:
    """How much may go.

    `older_than`: age from which on an artifact that nothing needs may go. `keep`: so many of the newest of each
    partition stay anyway. `grace`: nothing younger goes, since a run may have committed it and not yet pointed at it.
    `experiments`: experiments go too, by age alone; without it they stay.
    """

    older_than: dt.timedelta = dt.timedelta(days=30)
    keep: int = 0
    grace: dt.timedelta = dt.timedelta(hours=1)
    experiments: bool = False

    @property
    def age(self) -> dt.timedelta:
        """The age from which on something may go."""
        return max(self.older_than, self.grace)


@dataclass(frozen=True, kw_only=True)
class PrunePlan:
    """What would go, in bytes by URI and by name, what must stay, and what cannot be judged since it is damaged."""

    artifacts: Mapping[str, int]
    leftovers: Mapping[str, int]
    needed: frozenset[str]
    young: frozenset[str]
    damaged: Mapping[str, str] = field(default_factory=dict[str, str])

    @property
    def total_bytes(self) -> int:
        """Bytes of all that would go."""
        return sum(self.artifacts.values()) + sum(self.leftovers.values())


def plan_prune(store: PrunableStore, references: References, policy: PrunePolicy, *, now: dt.datetime) -> PrunePlan:
    """Look what may go; nothing is changed."""
    listing = Listing.of(store)
    times = _Times.of(store, listing)
    old_enough = {uri for uri, made_at in times.made_at.items() if now - made_at >= policy.age}
    needed = frozenset(_needed(store, listing, references(), policy, old_enough))
    newest = _newest(listing, times, policy.keep)
    idle = [
        artifact
        for uri, artifact in listing.artifacts.items()
        if uri not in needed and uri not in newest and (policy.experiments or not is_experiment(uri))
    ]
    old = [artifact for artifact in idle if artifact.uri in old_enough]
    return PrunePlan(
        artifacts={artifact.uri: artifact.total_bytes for artifact in old},
        leftovers=store.leftovers(untouched_for=policy.grace),
        needed=needed,
        young=frozenset(artifact.uri for artifact in idle) - old_enough - times.damaged.keys(),
        damaged={**listing.damaged, **times.damaged},
    )


def prune(store: PrunableStore, references: References, policy: PrunePolicy, *, now: dt.datetime) -> PrunePlan:
    """Remove what may go, and give back what really went.

    Artifacts that an earlier prune had set aside when it was killed are decided on as well.

    Raises:
        ArtifactError: another process is pruning.
    """
    with store.pruning():
        settle_aside(store, references)
        plan = plan_prune(store, references, policy, now=now)
        aside = {
            uri: size
            for uri, size in plan.artifacts.items()
            if store.set_aside(uri, even_if_current=_may_go_though_current(uri, policy))
        }
        kept = settle_aside(store, references)
        for name in plan.leftovers:
            store.discard_leftover(name)
    gone = {uri: size for uri, size in aside.items() if uri not in kept}
    return PrunePlan(
        artifacts=gone, leftovers=plan.leftovers, needed=plan.needed, young=plan.young, damaged=plan.damaged
    )


def settle_aside(store: PrunableStore, references: References) -> Set[str]:
    """Put back what is referenced, delete the rest of what is set aside, and return what was put back.

    What a pointer names goes back as well: whoever set it aside was killed before looking for a pointer again.
    """
    aside = store.aside()
    referenced = references() if aside else frozenset[str]()
    kept = frozenset(uri for uri in aside if uri in referenced or store.pointed(uri))
    for uri in aside:
        if uri in kept:
            store.put_back(uri)
        else:
            store.discard(uri)
    return kept


def is_experiment(uri: str) -> bool:
    """Whether an artifact is an experiment's."""
    return uri.startswith(EXPERIMENTS)


@dataclass(frozen=True)
class Listing:
    """Every artifact of a store by URI, and what is wrong with those that cannot be read."""

    artifacts: Mapping[str, Artifact]
    damaged: Mapping[str, str]

    @classmethod
    def of(cls, store: ArtifactStore) -> "Listing":
        """Read all manifests."""
        artifacts: dict[str, Artifact] = {}
        damaged: dict[str, str] = {}
        for uri in store.uris():
            try:
                artifacts[uri] = store.get(uri)
            except MissingArtifactError:
                continue  # removed since it was listed
            except ArtifactError as error:
                damaged[uri] = str(error)
        return cls(artifacts, damaged)


@dataclass(frozen=True)
class _Times:
    """When artifacts were made, by URI, and what is wrong with those that do not say; such a one stays."""

    made_at: Mapping[str, dt.datetime]
    damaged: Mapping[str, str]

    @classmethod
    def of(cls, store: ArtifactStore, listing: Listing) -> "_Times":
        made_at: dict[str, dt.datetime] = {}
        damaged: dict[str, str] = {}
        for uri, artifact in listing.artifacts.items():
            try:
                made_at[uri] = store.computed_at(artifact)
            except ArtifactError as error:
                damaged[uri] = str(error)
        return cls(made_at, damaged)


def made_from(store: ArtifactStore, listing: Listing, roots: Iterable[str]) -> set[str]:
    """The roots and all artifacts that they were made from, directly or not, as far as the listing has them.

    An artifact is known to be an input by its content, so of several with the same content all count, experiments only
    where nothing else has it. A model card also names its sources' URIs.
    """
    by_content: dict[str, list[str]] = defaultdict(list)
    for uri, artifact in sorted(listing.artifacts.items(), key=lambda item: is_experiment(item[0])):
        if not is_experiment(uri) or all(map(is_experiment, by_content[artifact.content_hash])):
            by_content[artifact.content_hash].append(uri)
    found: set[str] = set()
    waiting = [uri for uri in roots if uri in listing.artifacts]
    while waiting:
        uri = waiting.pop()
        if uri in found:
            continue
        found.add(uri)
        with suppress(ArtifactError):  # set aside or damaged meanwhile
            parts = store.parts(listing.artifacts[uri])
            waiting += [source for content in parts.inputs.values() for source in by_content[content]]
            waiting += [source for source in _lineage(parts.params) if source in listing.artifacts]
    return found


def _needed(
    store: PrunableStore, listing: Listing, referenced: Set[str], policy: PrunePolicy, old_enough: Set[str]
) -> set[str]:
    pointed = {
        uri
        for uri in listing.artifacts
        if store.pointed(uri) and not (_may_go_though_current(uri, policy) and uri in old_enough)
    }
    return made_from(store, listing, pointed | referenced)


def _may_go_though_current(uri: str, policy: PrunePolicy) -> bool:
    return policy.experiments and is_experiment(uri)


def _newest(listing: Listing, times: _Times, keep: int) -> set[str]:
    """The newest `keep` of each partition."""
    partitions: dict[tuple[str, str | None], list[str]] = defaultdict(list)
    for uri in times.made_at:
        artifact = listing.artifacts[uri]
        partitions[artifact.asset_key, artifact.partition].append(uri)
    newest: set[str] = set()
    for uris in partitions.values():
        newest.update(sorted(uris, key=lambda uri: (times.made_at[uri], uri), reverse=True)[:keep])
    return newest


def _lineage(params: Mapping[str, Any]) -> list[str]:
    """URIs that a model card's params name."""
    entries = params.get("lineage")
    if not isinstance(entries, list):
        return []
    return [
        str(cast("Mapping[str, Any]", entry).get("uri"))
        for entry in cast("list[Any]", entries)
        if isinstance(entry, Mapping)
    ]
