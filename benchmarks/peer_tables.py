"""What the comparison of orchestrators found, as tables: costs, and what each does when something goes wrong."""

import math
from collections.abc import Callable, Mapping, Sequence

from benchmarks.results_file import Figure
from benchmarks.tables import markdown, significant

COSTS = ("", "version", "wall s", "x floor", "CPU s", "x floor", "peak MB", "again: s", "again: steps that ran")
BEHAVIOUR = (
    "",
    "one evaluation failed: types that finished",
    "resumed: steps that ran",
    "trained again",
    "killed: left running",
    "resumed: steps that ran",
    "trained again",
)
OTHERS = 3
"""Package types whose evaluation does not fail."""


def cost_table(peers: Sequence[Figure]) -> str:
    """What the whole job costs, and the same again with nothing changed. Bold: the least of a column."""
    cells = [
        (
            (None, peer["name"]),
            (None, peer["version"]),
            (peer["ours"], significant(peer["ours"])),
            (peer["ratio"], f"{significant(peer['ratio'])} ± {significant(peer['spread'], digits=2)}"),
            (peer["beside"]["ours_cpu_seconds"], significant(peer["beside"]["ours_cpu_seconds"])),
            (peer["cpu_ratio"], f"{significant(peer['cpu_ratio'])} ± {significant(peer['cpu_spread'], digits=2)}"),
            (peer["beside"]["ours_peak_rss_mb"], f"{peer['beside']['ours_peak_rss_mb']:,.0f}"),
            (peer["again"]["wall_seconds"], significant(peer["again"]["wall_seconds"])),
            (count_of(peer["again"]["computed"]), significant(count_of(peer["again"]["computed"]))),
        )
        for peer in peers
    ]
    least = [min((row[column][0] for row in cells), default=None) if column > 1 else None for column in range(9)]
    rows = [
        [
            f"**{text}**" if value is not None and value == best else text
            for (value, text), best in zip(row, least, strict=True)
        ]
        for row in cells
    ]
    return markdown(COSTS, rows)


def behaviour_table(peers: Sequence[Figure]) -> str:
    """What was lost by a failed evaluation of one package type, and by a kill amid it."""
    rows = []
    for peer in peers:
        failure, kill = peer["failure"], peer["kill"]
        finished = f"{failure['champions_before']} of {OTHERS}"
        left = str(kill["left_running"])
        rows.append((peer["name"], finished, _ran(failure), _trained(failure), left, _ran(kill), _trained(kill)))
    return markdown(BEHAVIOUR, rows)


def configuration_list(peers: Sequence[Figure]) -> str:
    """What was set for each, as a list in Markdown."""
    return "".join(f"- {peer['name']} {peer['version']}: {peer['configured']}\n" for peer in peers)


def count_of(computed: Mapping[str, float]) -> float:
    """How many steps ran."""
    return sum(computed.values())


def _ran(resumed: Figure) -> str:
    count = significant(count_of(resumed["computed"]))
    return count if resumed["exit_code"] == 0 else f"failed with {resumed['exit_code']} after {count}"


def _trained(resumed: Figure) -> str:
    return str(resumed["trained_again"])


def where_a_peer_is_better(peers: Sequence[Figure], ours: str) -> str:
    """Each measure by which another orchestrator did better than ours, as a list in Markdown, whatever the spread."""
    own = next((peer for peer in peers if peer["name"] == ours), None)
    if own is None:
        return "Not measured yet.\n"
    lines = []
    for what, measure in MEASURES.items():
        better = sorted((measure(peer), peer["name"]) for peer in peers if measure(peer) < measure(own))
        if better:
            names = ", ".join(f"{name} {significant(value)}" for value, name in better)
            lines.append(f"- {what}, ours {significant(measure(own))}: {names}")
    return "\n".join(lines or ["- nowhere by these measures"]) + "\n"


MEASURES: Mapping[str, Callable[[Figure], float]] = {
    "wall over the floor": lambda peer: peer["ratio"],
    "CPU over the floor": lambda peer: peer["cpu_ratio"],
    "peak memory of the largest process, MB": lambda peer: peer["beside"]["ours_peak_rss_mb"],
    "seconds of a re-run with nothing changed": lambda peer: peer["again"]["wall_seconds"],
    "steps that ran in it": lambda peer: count_of(peer["again"]["computed"]),
    "package types not finished when another's evaluation failed": lambda peer: (
        OTHERS - peer["failure"]["champions_before"]
    ),
    "steps that ran when resumed after it": lambda peer: _steps_to_complete(peer["failure"]),
    "processes left running by a kill": lambda peer: peer["kill"]["left_running"],
    "steps that ran when resumed after it was killed": lambda peer: _steps_to_complete(peer["kill"]),
}
"""Where less is better."""


def _steps_to_complete(resumed: Figure) -> float:
    """Infinitely many if the job could not be completed."""
    return count_of(resumed["computed"]) if resumed["exit_code"] == 0 else math.inf
