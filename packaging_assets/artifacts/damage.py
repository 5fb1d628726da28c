"""Which artifact is at fault where the content of one's files cannot be read."""

from collections.abc import Generator, Sequence
from contextlib import contextmanager

from packaging_assets.artifacts.store import Artifact, ArtifactStore


@contextmanager
def damage_told(store: ArtifactStore, artifacts: Sequence[Artifact]) -> Generator[None]:
    """Name the artifact that was changed since it was committed, if what reads the artifacts in the block fails.

    The store looks at the sizes of files alone when it opens them; libraries tell no file, and nothing to do. What is
    added to `artifacts` within the block counts, too.

    Raises:
        ArtifactError: one of them is damaged.
    """
    try:
        yield
    except ValueError:  # of json and of Arrow alike
        for artifact in artifacts:
            store.verify(artifact)
        raise
