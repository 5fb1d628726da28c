"""`python -m redshift_standin --s3 http://127.0.0.1:5000`: serve until SIGINT or SIGTERM."""

import argparse
import json
import signal
import threading

from redshift_standin.server import CLUSTER, DATABASE, PASSWORD, USER, RedshiftStandIn


def main() -> None:
    """Print where everything is as one line of JSON, then serve."""
    parser = argparse.ArgumentParser(prog="redshift_standin", description=__doc__)
    parser.add_argument("--s3", required=True, metavar="URL", help="where S3 is, such as moto's server")
    parser.add_argument("--wire-port", type=int, default=0, help="of the database; 0 (default) for a free one")
    parser.add_argument("--api-port", type=int, default=0, help="of the Data API; 0 (default) for a free one")
    parser.add_argument("--slices", type=int, default=2, help="how many files a parallel UNLOAD writes")
    given = parser.parse_args()
    asked_to_end = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: asked_to_end.set())
    with RedshiftStandIn(given.s3, wire_port=given.wire_port, api_port=given.api_port, slices=given.slices) as stand_in:
        where = {
            "url": stand_in.url,
            "host": "127.0.0.1",
            "port": stand_in.port,
            "cluster": CLUSTER,
            "database": DATABASE,
            "user": USER,
            "password": PASSWORD,
            "environment": dict(stand_in.environment),
        }
        print(json.dumps(where), flush=True)  # noqa: T201 - what started it reads the line here
        asked_to_end.wait()


if __name__ == "__main__":
    main()
