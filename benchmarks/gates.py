"""Error rates of the gates over simulated weeks, against their goals.

Usage: python benchmarks/gates.py [replicates] [seed]
"""

import json
import sys
import time
from pathlib import Path

from packaging_assets.domain.gate_simulation import compare_with_goals, simulate_weeks

RESULT = Path(__file__).parent / "results" / "gates.json"


def main() -> None:
    """Simulate, print and write the figures."""
    asked = [int(text) for text in sys.argv[1:3]]
    replicates, seed = (*asked, *(300, 7)[len(asked) :])
    started = time.perf_counter()
    weeks = simulate_weeks(replicates=replicates, seed=seed)
    result = {
        "name": "gates",
        "seed": seed,
        "seconds": round(time.perf_counter() - started, 1),
        "weeks": [week._asdict() for week in weeks],
        "goals": [goal._asdict() for goal in compare_with_goals(weeks)],
    }
    RESULT.parent.mkdir(exist_ok=True)
    text = json.dumps(result, indent=2, sort_keys=True) + "\n"
    RESULT.write_text(text)
    sys.stdout.write(text)


if __name__ == "__main__":
    main()
