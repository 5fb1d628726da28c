"""The generated parts of docs/benchmarks.md: what stands between markers comes from the results, the rest by hand."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.peer_tables import behaviour_table, configuration_list, cost_table, where_a_peer_is_better
from benchmarks.results_file import LATEST, Figure, read_results
from benchmarks.scaling import Rates, limits_table
from benchmarks.scaling import table as scaling_table
from benchmarks.tables import markdown_table
from deploy.costs import Figures

PAGE = Path(__file__).resolve().parents[1] / "docs" / "benchmarks.md"
IMAGES = PAGE.parent / "images"
PEERS = LATEST.with_name("peers.json")
NOT_MEASURED = "Not measured yet.\n"
RATIOS = "\n![Ratio of each figure as a share of its goal](images/benchmarks-ratios.png)\n"
COSTS = "\n![Wall and CPU of each orchestrator over the floor](images/benchmarks-peers.png)\n"
OURS = "this platform"
"""Its name in `PEERS`."""


def write_page(figures: Sequence[Figure], page: Path = PAGE, images: Path = IMAGES) -> None:
    """Replace the generated parts and draw the plots anew."""
    from benchmarks import plots

    peers = read_results(PEERS)
    parts = generated_parts(figures, peers)
    page.write_text(with_parts(page.read_text(encoding="utf-8"), parts), encoding="utf-8")
    if figures:
        plots.plot_ratios(figures, images / "benchmarks-ratios.png")
    if peers:
        plots.plot_peers(peers, images / "benchmarks-peers.png")
    plots.plot_scaling(Rates.of_figures(Figures()), images / "benchmarks-scaling.png")


def generated_parts(figures: Sequence[Figure], peers: Sequence[Figure]) -> dict[str, str]:
    """Markdown by the name of its markers."""
    rates = Rates.of_figures(Figures())
    return {
        "machine": machine_line([*figures, *peers]),
        "results": markdown_table(figures) + RATIOS if figures else NOT_MEASURED,
        "notes": "".join(f"- **{figure['name']}**: {figure['note']}\n" for figure in figures if figure.get("note")),
        "peers": cost_table(peers) + COSTS if peers else NOT_MEASURED,
        "behaviour": behaviour_table(peers) if peers else NOT_MEASURED,
        "better": where_a_peer_is_better(peers, OURS),
        "configuration": configuration_list(peers) if peers else NOT_MEASURED,
        "scaling": scaling_table(rates),
        "limits": limits_table(rates),
    }


def with_parts(text: str, parts: Mapping[str, str]) -> str:
    """The page with each part between `<!-- name: begin -->` and `<!-- name: end -->`.

    Raises:
        ValueError: the page lacks the markers of a part.
    """
    for name, part in parts.items():
        begin, end = f"<!-- {name}: begin -->\n", f"<!-- {name}: end -->"
        pattern = re.compile(re.escape(begin) + ".*?" + re.escape(end), re.DOTALL)
        text, count = pattern.subn(lambda _, whole=f"{begin}\n{part}\n{end}": whole, text)
        if count != 1:
            raise ValueError(f"the page has the markers of {name!r} {count} times: put {begin.strip()} and {end} once.")
    return text


def machine_line(figures: Sequence[Figure]) -> str:
    """On what the figures were taken; one line for each machine and set of versions, and when."""
    lines: dict[str, list[str]] = {}
    for figure in figures:
        if "machine" in figure:
            lines.setdefault(_machine(figure), []).append(figure["measured_at"][:10])
    loads = [figure["load_before"] for figure in figures if "load_before" in figure]
    if not lines:
        return NOT_MEASURED
    text = "".join(f"- {_days(days)}: {machine}\n" for machine, days in lines.items())
    return f"{text}\nProcesses that wanted a core before a measurement began, per core: at most {max(loads):.1f}.\n"


def _machine(figure: Figure) -> str:
    machine = figure["machine"]
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    return f"{machine['cores']} cores of {machine['processor']}, {machine['memory_gb']} GB; {versions}"


def _days(days: Sequence[str]) -> str:
    first, last = min(days), max(days)
    return first if first == last else f"{first} to {last}"
