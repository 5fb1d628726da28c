"""The table of gates in docs/concepts.md: every check as the code has it, with the limits that its criterion reads."""

import inspect
import re

from packaging_assets.domain import drift_criteria, gate_criteria
from packaging_assets.domain.gate_policy import GatePolicy
from packaging_assets.domain.gates import CHECKS
from packaging_assets.settings import PROJECT_ROOT

PAGE = (PROJECT_ROOT / "docs" / "concepts.md").read_text(encoding="utf-8")
ROW = re.compile(r"^\| `(?P<check>\w+)` \| (?P<severity>WARN|ERROR) \| (?P<asks>.*?) \| (?P<limits>.*?) ?\|$", re.M)


def limits_read(name: str) -> set[str]:
    """Fields of the policy that a criterion reads, itself or through functions of its module."""
    module = drift_criteria if hasattr(drift_criteria, name) else gate_criteria
    own = {each for each, value in vars(module).items() if inspect.getmodule(value) is module and callable(value)}
    sources: dict[str, str] = {}
    waiting = [name]
    while waiting:
        each = waiting.pop()
        sources[each] = inspect.getsource(getattr(module, each))
        called = set(re.findall(r"\b(\w+)\(", sources[each]))
        waiting += sorted((called & own) - sources.keys())
    return {limit for source in sources.values() for limit in re.findall(r"\bpolicy\.(\w+)", source)}


def test_the_page_has_every_check_with_its_severity_and_what_it_asks():
    rows = [(row["check"], row["severity"], row["asks"]) for row in ROW.finditer(PAGE)]
    assert rows == [(check.name, check.severity, check.description) for check in CHECKS]


def test_the_page_names_the_limits_that_each_check_reads():
    named = {row["check"]: set(re.findall(r"`(\w+)`", row["limits"])) for row in ROW.finditer(PAGE)}
    bands = {"slice_categories", "slice_bands", "slice_band_count"}  # read where slices are cut, before the check
    assert named == {
        check.name: limits_read(check.name) | (bands if check.name == "no_slice_is_worse_than_champion" else set())
        for check in CHECKS
    }
    assert set().union(*named.values()) <= GatePolicy.model_fields.keys()
