"""What jobs and their tags may be called."""

import re

from packaging_assets.artifacts.step import Step

NAME_CHARACTERS = 63
FINGERPRINT_CHARACTERS = 32
"""128 bits of it: enough to tell any two apart."""

TAG_CHARACTERS = 256

PREFIX = "packaging"
"""What all names begin with, before the environment: roles are allowed what is called so."""


def environment_prefix(environment: str) -> str:
    """What the names of an environment's jobs begin with: `packaging-prod` for `prod` and for `packaging-prod`."""
    is_prefixed = environment == PREFIX or environment.startswith(f"{PREFIX}-")
    return environment if is_prefixed else f"{PREFIX}-{environment}"


def job_name(environment: str, step: Step, fingerprint: str, number: int) -> str:
    """The name of a fingerprint's job: letters, digits and hyphens, at most 63; readable first, unique last.

    Args:
        environment: see `environment_prefix`.
        step: the step that it runs.
        fingerprint: of its work, of which the first half is used.
        number: 0 to 99, which of the jobs for this work it is.
    """
    unique = f"-{fingerprint[:FINGERPRINT_CHARACTERS]}-{number}"
    readable = re.sub(r"[^a-zA-Z0-9]+", "-", f"{environment_prefix(environment)}-{step.__name__}").strip("-")
    room = NAME_CHARACTERS - FINGERPRINT_CHARACTERS - len("--99")
    return readable[:room].rstrip("-") + unique


def tag_value(text: str) -> str:
    """A text as the value of a tag, which takes letters, digits, spaces and _.:/=+-@, at most 256 of them."""
    return re.sub(r"[^\w\s.:/=+\-@]", "_", text)[:TAG_CHARACTERS]
