"""Steps that containers run in tests: what the real ones do, in a second."""

import os
import signal
import sys
import time

from pydantic import BaseModel, ConfigDict


class CountParams(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    factor: int = 1
    note: str = ""


class WaitParams(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    seconds: float


def count_words(inputs, params, output):
    total = 0
    for path in sorted(inputs["text"].rglob("*")):
        if path.is_file():
            total += len(path.read_text().split())
    print(f"{total} words were counted", flush=True)  # noqa: T201 - it is to be seen in the job's log
    (output / "model").mkdir()
    (output / "model" / "count.txt").write_text(str(total * params.factor))
    (output / "names.txt").write_text(",".join(sorted(path.name for path in inputs["text"].rglob("*.txt"))))


def write_note(inputs, params, output):
    (output / "note.txt").write_text(params.note)


def refuse(inputs, params, output):
    (output / "half.txt").write_text("half")
    raise RuntimeError("the scales are broken")


def die(inputs, params, output):
    os.kill(os.getpid(), signal.SIGKILL)


def wait(inputs, params, output):
    print("waiting", flush=True)  # noqa: T201 - likewise
    deadline = time.monotonic() + params.seconds
    while time.monotonic() < deadline:
        time.sleep(0.05)
    (output / "waited.txt").write_text("waited")


def compute_without_pause(inputs, params, output):
    print("computing", flush=True)  # noqa: T201 - likewise
    sum(i * i for i in range(10**12))  # one call that no signal handler of Python's gets into


def wait_where_it_begins(inputs, params, output):
    """Its first machine has to be taken away; the second goes on from what that has kept."""
    from packaging_assets.domain.checkpoints import checkpoint_folder

    kept = checkpoint_folder(lambda: "waiting") / "kept.txt"
    if not kept.exists():
        kept.write_text("5")
        wait(inputs, params, output)
    (output / "went_on_from.txt").write_text(kept.read_text())


def tell_environment(inputs, params, output):
    (output / "variables.txt").write_text("\n".join(sorted(os.environ)))
    (output / "modules.txt").write_text("\n".join(sorted(sys.modules)))


def _private(inputs, params, output):
    (output / "a.txt").write_text("1")


def not_a_step(one, two):
    return one, two
