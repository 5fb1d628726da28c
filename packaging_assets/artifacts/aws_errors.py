"""What an error of AWS's clients is."""

from typing import Any


def error_code(error: Any) -> str:
    """The code of a botocore ClientError, by which AWS knows it; "" for other errors."""
    return str(getattr(error, "response", {}).get("Error", {}).get("Code", ""))
