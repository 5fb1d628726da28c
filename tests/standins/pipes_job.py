"""What a container prints that reports to Dagster by Pipes: run by the stand-in as an image of its own.

The stand-in's containers find `/opt/ml` elsewhere, so the path of the context file is read relative to that.
"""

# ruff: noqa: T201 - what is printed is to be seen in the job's log

import os
import signal
import sys
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

from dagster_pipes import (
    PipesDefaultContextLoader,
    PipesEnvVarParamsLoader,
    decode_param,
    encode_param,
    open_dagster_pipes,
)

VARIABLE = "DAGSTER_PIPES_CONTEXT"


def main() -> None:
    given = decode_param(os.environ[VARIABLE])
    if "path" in given:
        given["path"] = str(Path(os.environ["PACKAGING_ML_ROOT"]) / given["path"].removeprefix("/opt/ml/"))
        os.environ[VARIABLE] = encode_param(given)
    print("before the session", flush=True)
    with open_dagster_pipes(
        params_loader=PipesEnvVarParamsLoader(), context_loader=PipesDefaultContextLoader()
    ) as pipes:
        what = pipes.get_extra("what")
        print(f"asked to {what}", flush=True)
        pipes.log.warning("beware")
        if what == "wait":
            time.sleep(60)
        if what == "serve":
            serve()
        if what == "fail":
            raise RuntimeError("the scales are broken")
        pipes.report_asset_materialization(
            metadata={"rows": 3, "note": "ä" * int(pipes.get_extra("length"))}, data_version="v1"
        )
        pipes.report_asset_check("is_whole", passed=True)
    print("after the session", flush=True)


class Answers(BaseHTTPRequestHandler):
    """Answers each object with its length."""

    def do_GET(self) -> None:
        self._answer(b"")

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        print(f"asked about {len(body)} bytes", flush=True)
        self._answer(str(len(body)).encode())

    def _answer(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing."""


def serve() -> None:
    """Until the transform job is over, which SageMaker tells by SIGTERM."""
    signal.signal(signal.SIGTERM, lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with HTTPServer(("127.0.0.1", int(os.environ["SAGEMAKER_BIND_TO_PORT"])), Answers) as server:
        try:
            server.serve_forever(0.05)
        except KeyboardInterrupt:
            print("the job is over", flush=True)


if __name__ == "__main__":
    main()
    sys.exit(0)
