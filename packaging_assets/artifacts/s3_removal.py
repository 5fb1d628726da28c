"""How artifacts are removed from a bucket while other processes read and write it.

An artifact is out of sight once its manifest is away from its place; a copy of the manifest below `.aside/` is what
brings it back. Its files stay where they are until it is discarded. A process that works on something keeps an object
below `.work/` young; the one that removes holds the object `.pruning`.
"""

from __future__ import annotations

import datetime as dt
import json
import re
import threading
import uuid
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager
from dataclasses import dataclass, field

from packaging_assets.artifacts.aws_errors import excused
from packaging_assets.artifacts.s3_objects import ListedObject, S3Objects, StoredObject
from packaging_assets.artifacts.store import CONFIRMED, MANIFEST, POINTER, ArtifactError, is_fingerprint, parse_uri

ASIDE = ".aside"
WORK = ".work"
PRUNING = ".pruning"

RENEWED_EVERY_SECONDS = 60.0
GIVEN_UP_AFTER = dt.timedelta(minutes=5)
"""A process that has not renewed its object for so long is taken to be gone."""

PRUNING_TAKES_AT_MOST = dt.timedelta(hours=1)

ATTEMPTS = 20
"""Of a conditional put that others come in between of; each takes one of them to have succeeded."""

_ID = re.compile(r"[0-9a-f]{32}")


@dataclass
class _Place:
    """What a listing shows of one artifact's place: whether it has a manifest, and its folders."""

    has_manifest: bool = False
    folders: dict[str, list[ListedObject]] = field(default_factory=dict[str, list[ListedObject]])


@dataclass(frozen=True)
class S3Removal:
    """Removal from the artifacts of these objects, and what keeps it from harming anybody."""

    objects: S3Objects
    clock: Callable[[], dt.datetime]

    def uris(self) -> list[str]:
        """URIs of all committed artifacts, sorted."""
        return sorted(uri for uri, place in self._places().items() if place.has_manifest)

    def aside(self) -> list[str]:
        """URIs of what is set aside, sorted."""
        return sorted(
            entry.key.removeprefix(f"{ASIDE}/").removesuffix(f"/{MANIFEST}")
            for entry in self.objects.entries(f"{ASIDE}/")
        )

    def pointed(self, uri: str) -> bool:
        """Whether the pointer of the artifact's partition names it."""
        return self._pointer_to(uri) is not None

    def set_aside(self, uri: str, *, even_if_current: bool) -> bool:
        """See `PrunableStore.set_aside`; `S3ArtifactStore.point` says why the pointer is read twice."""
        parse_uri(uri)
        if self.pointed(uri):
            if not even_if_current:
                return False
            self._remove_pointer_to(uri)
        manifest = self.objects.get(f"{uri}/{MANIFEST}")
        if manifest is None:
            return False
        self.objects.put(f"{ASIDE}/{uri}/{MANIFEST}", manifest.body)
        self.objects.delete([f"{uri}/{MANIFEST}"])
        if self.pointed(uri):
            self.put_back(uri)
            return False
        return True

    def put_back(self, uri: str) -> None:
        """See `PrunableStore.put_back`."""
        parse_uri(uri)
        manifest = self.objects.get(f"{ASIDE}/{uri}/{MANIFEST}")
        if manifest is not None:
            put_manifest(self.objects, uri, manifest.body)  # else discarding would take the files as well
            self.discard(uri)

    def discard(self, uri: str) -> None:
        """See `PrunableStore.discard`; the copy of the manifest goes last, so that nothing is forgotten halfway."""
        parse_uri(uri)
        manifest = self.objects.get(f"{ASIDE}/{uri}/{MANIFEST}")
        if manifest is None:
            return
        in_force = self.objects.get(f"{uri}/{MANIFEST}")
        name = folder_of(manifest)
        if in_force is None or folder_of(in_force) != name:
            gone = [entry.key for entry in self.objects.entries(f"{uri}/{name}/")] if name else []
            if in_force is None:
                gone.append(f"{uri}/{CONFIRMED}")
            self.objects.delete(gone)
        self.objects.delete([f"{ASIDE}/{uri}/{MANIFEST}"])

    @contextmanager
    def working(self) -> Generator[None]:
        """Be seen to work for the length of the block.

        A mark that cannot be deleted fails nothing: it grows old, and a prune removes it.
        """
        key, is_over = f"{WORK}/{uuid.uuid4().hex}", threading.Event()
        self._renew(key)
        thread = threading.Thread(target=self._keep_young, args=(key, is_over), daemon=True)
        thread.start()
        try:
            yield
        finally:
            is_over.set()
            thread.join()
            with excused():
                self.objects.delete([key])

    def is_busy(self) -> bool:
        """Whether somebody works."""
        oldest = self.clock() - GIVEN_UP_AFTER
        return any(when >= oldest for when in map(self._renewed_at, self.objects.entries(f"{WORK}/")))

    @contextmanager
    def pruning(self) -> Generator[None]:
        """Be the one process that removes; who takes longer than an hour may get company, which does no harm.

        Raises:
            ArtifactError: another process removes.
        """
        owner = uuid.uuid4().hex
        self._take_turn(owner)
        try:
            yield
        finally:
            held = self.objects.get(PRUNING)
            if held is not None and json.loads(held.body)["owner"] == owner:
                self.objects.delete([PRUNING])

    def leftovers(self, *, untouched_since: dt.datetime) -> dict[str, int]:
        """Folders that no manifest names, and signs of life of processes that are gone: name -> bytes."""
        found: dict[str, int] = {}
        aside = set(self.aside())
        for uri, place in self._places().items():
            for name in self._unnamed(uri, place, is_aside=uri in aside):
                entries = place.folders[name]
                if max(entry.modified_at for entry in entries) < untouched_since:
                    found[f"{uri}/{name}"] = sum(entry.bytes for entry in entries)
        for entry in self.objects.entries(f"{WORK}/"):
            if entry.modified_at < untouched_since and self._renewed_at(entry) < untouched_since:
                found[entry.key] = entry.bytes
        return found

    def discard_leftover(self, name: str) -> None:
        """Delete one of `leftovers`, unless a manifest has come to name it."""
        place, _, last = name.rpartition("/")
        if not _ID.fullmatch(last):
            raise ArtifactError(f"{name!r} is not the name of a leftover.")
        if place == WORK:
            self.objects.delete([name])
            return
        parse_uri(place)
        if last not in self._named(place):
            self.objects.delete([entry.key for entry in self.objects.entries(f"{name}/")])

    def _pointer_to(self, uri: str) -> StoredObject | None:
        """The pointer of the artifact's partition, if it names the artifact."""
        pointer = self.objects.get(_pointer_key(uri))
        names_it = pointer is not None and pointer.body.decode().strip() == uri.rpartition("/")[2]
        return pointer if names_it else None

    def _remove_pointer_to(self, uri: str) -> None:
        """Delete the pointer, unless it has moved on."""
        pointer = self._pointer_to(uri)
        if pointer is not None:
            self.objects.delete_same(_pointer_key(uri), etag=pointer.etag)

    def _places(self) -> dict[str, _Place]:
        places: dict[str, _Place] = {}
        for entry in self.objects.entries():
            split = _split(entry.key)
            if split is None:
                continue
            uri, rest = split
            place = places.setdefault(uri, _Place())
            name, _, below = rest.partition("/")
            if rest == MANIFEST:
                place.has_manifest = True
            elif below and _ID.fullmatch(name):
                place.folders.setdefault(name, []).append(entry)
        return places

    def _unnamed(self, uri: str, place: _Place, *, is_aside: bool) -> Iterable[str]:
        """The folders that no manifest names; where there is one manifest and one folder, it is that one's."""
        if len(place.folders) == place.has_manifest + is_aside == 1:
            return ()
        return place.folders.keys() - self._named(uri)

    def _named(self, uri: str) -> set[str]:
        manifests = (self.objects.get(f"{prefix}{uri}/{MANIFEST}") for prefix in ("", f"{ASIDE}/"))
        return {folder_of(manifest) for manifest in manifests if manifest is not None}

    def _renew(self, key: str) -> None:
        self.objects.put(key, self.clock().isoformat().encode())

    def _keep_young(self, key: str, is_over: threading.Event) -> None:
        while not is_over.wait(RENEWED_EVERY_SECONDS):
            with excused():  # the next time will do
                self._renew(key)

    def _renewed_at(self, entry: ListedObject) -> dt.datetime:
        found = self.objects.get(entry.key)
        return entry.modified_at if found is None else dt.datetime.fromisoformat(found.body.decode())

    def _take_turn(self, owner: str) -> None:
        until = self.clock() + PRUNING_TAKES_AT_MOST
        body = json.dumps({"owner": owner, "until": until.isoformat()}).encode()
        if self.objects.put_new(PRUNING, body):
            return
        held = self.objects.get(PRUNING)
        if held is not None and self._is_free(held, owner) and self.objects.replace(PRUNING, body, etag=held.etag):
            return
        raise ArtifactError(f"Another process is pruning {self.objects.uri('')}: wait until it has finished.")

    def _is_free(self, held: StoredObject, owner: str) -> bool:
        said = json.loads(held.body)
        return said["owner"] == owner or dt.datetime.fromisoformat(said["until"]) < self.clock()


def put_manifest(objects: S3Objects, uri: str, manifest: bytes) -> StoredObject:
    """Put an artifact's manifest at its place, and give the one that is in force: this one, or one that came first.

    Raises:
        ArtifactError: S3 neither has one nor takes this one.
    """
    for _ in range(ATTEMPTS):
        objects.put_new(f"{uri}/{MANIFEST}", manifest)
        found = objects.get(f"{uri}/{MANIFEST}")
        if found is not None:
            return found
    raise ArtifactError(
        f"{objects.uri(uri)}/{MANIFEST} was neither there nor could it be written, {ATTEMPTS} times: run this again."
    )


def folder_of(manifest: StoredObject) -> str:
    """The folder that a manifest names, or "" if it cannot be read."""
    try:
        return str(json.loads(manifest.body)["folder"])
    except (ValueError, KeyError, TypeError):
        return ""


def _pointer_key(uri: str) -> str:
    return f"{uri.rpartition('/')[0]}/{POINTER}"


def _split(key: str) -> tuple[str, str] | None:
    """The artifact's URI and the rest of a key, or None where the key is no artifact's."""
    if key.startswith("."):
        return None
    segments = key.split("/")
    for number, segment in enumerate(segments):
        if is_fingerprint(segment):
            return "/".join(segments[: number + 1]), "/".join(segments[number + 1 :])
    return None
