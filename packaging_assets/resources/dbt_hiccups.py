"""Which failures of dbt pass by themselves: those of Redshift in which nothing is wrong with model or data.

dbt gives the text of an error and no code, so it is the text that decides here.
"""

import re
from typing import Any

PAUSES_SECONDS = (5.0, 20.0, 60.0)
"""Before each further try. Redshift ends one of two transactions that conflict; the other may take a minute."""

_PASSING = re.compile(
    # https://docs.aws.amazon.com/redshift/latest/dg/c_serial_isolation-serializable-isolation-troubleshooting.html
    r"^\s*(1018|1023)\b"
    r"|serializable isolation violation"
    # Tables that others make, replace or drop meanwhile; dbt's adapter waits for that for some seconds only.
    r"|conflict with concurrent transaction"
    r"|dropped by concurrent transaction"
    r"|could not open relation with OID"
    r"|deadlock detected"
    r"|connection (has been|was|is) closed"
    r"|server closed the connection"
    r"|connection reset by peer"
    r"|broken pipe"
    r"|server socket closed",  # redshift_connector's own words for it: "BrokenPipe: server socket closed. Please ..."
    re.IGNORECASE | re.MULTILINE,
)


def will_pass(result: Any) -> bool:
    """Whether everything that failed may succeed when it is tried again.

    Args:
        result: dbt's `dbtRunnerResult` of a command that failed.
    """
    if result.result is None:
        return bool(_PASSING.search(str(result.exception)))
    failed = [node for node in result.result.results if node.status in ("error", "fail")]
    return bool(failed) and all(node.status == "error" and _PASSING.search(node.message or "") for node in failed)
