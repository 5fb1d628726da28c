"""`python -m sagemaker_standin --moto http://127.0.0.1:5000 --image NAME`: serve until SIGINT or SIGTERM."""

import argparse
import signal
import sys
import threading

from sagemaker_standin.server import SageMakerStandIn


def main() -> None:
    """Print the URL on the first line, then serve."""
    parser = argparse.ArgumentParser(prog="sagemaker_standin", description=__doc__)
    parser.add_argument("--moto", required=True, metavar="URL", help="where moto's server is")
    parser.add_argument(
        "--image", action="append", required=True, help="image that stands for the container entry point"
    )
    parser.add_argument("--port", type=int, default=0, help="0 (default) for a free one")
    parser.add_argument("--region", default="us-east-1")
    parser.add_argument("--start-seconds", type=float, default=0.0, help="how long machines take to be there")
    given = parser.parse_args()
    command = [sys.executable, "-m", "packaging_assets.container"]
    stand_in = SageMakerStandIn(
        given.moto,
        dict.fromkeys(given.image, command),
        region=given.region,
        start_seconds=given.start_seconds,
        port=given.port,
    )
    asked_to_end = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: asked_to_end.set())
    with stand_in:
        print(stand_in.url, flush=True)  # noqa: T201 - what started it reads the URL here
        asked_to_end.wait()


if __name__ == "__main__":
    main()
