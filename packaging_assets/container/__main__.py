"""`python -m packaging_assets.container train|process|serve`, as SageMaker starts the image.

Exit codes: 0 the step finished; 1 it raised; 2 the request cannot be run here; 143 stopped by SIGTERM.
"""

import logging
import os
import sys
import time
import traceback
from collections.abc import Callable, Sequence

from packaging_assets.container.ml_folders import HOST_VARIABLE, PORT_VARIABLE, MlFolders
from packaging_assets.container.run_request import run_request
from packaging_assets.container.step_request import REQUEST_FILE, RequestError, StepRequest, step_packages
from packaging_assets.container.termination import ended_by_sigterm
from packaging_assets.domain.checkpoints import checkpoints_in

FAILED, REFUSED = 1, 2

log = logging.getLogger("packaging_assets.container")


def train(folders: MlFolders) -> None:
    """Run the step of a training job; what it writes is the model."""
    request = StepRequest.from_hyperparameters(folders.hyperparameters())
    with checkpoints_in(folders.checkpoints):
        run_request(request, folders.channels, folders.model, step_packages())


def process(folders: MlFolders) -> None:
    """Run the step of a processing job."""
    request = StepRequest.from_file(folders.processing_input / "given" / REQUEST_FILE)
    run_request(request, folders.processing_input, folders.processing_output, step_packages())


def serve(folders: MlFolders) -> None:
    """Answer requests until SIGTERM."""
    from packaging_assets.container.server import make_server

    request = StepRequest.from_file(folders.model / REQUEST_FILE)
    port = int(os.environ.get(PORT_VARIABLE, "8080"))
    host = os.environ.get(HOST_VARIABLE, "0.0.0.0")  # noqa: S104 - SageMaker asks from outside the container
    with make_server(request, folders.model, step_packages(), (host, port)) as server:
        log.info("Serving %s on port %d.", request.step, port)
        server.serve_forever()


COMMANDS: dict[str, Callable[[MlFolders], None]] = {"train": train, "process": process, "serve": serve}


def main(arguments: Sequence[str]) -> int:
    """Run one command, and leave the reason of a failure where SageMaker looks for it."""
    logging.basicConfig(level=logging.INFO, stream=sys.stdout, format="%(asctime)s %(levelname)s %(message)s")
    if len(arguments) != 1 or arguments[0] not in COMMANDS:
        log.error("One command is expected, of %s; got %s.", ", ".join(COMMANDS), " ".join(arguments) or "none")
        return REFUSED
    command, folders = arguments[0], MlFolders.from_environment()

    def tell(reason: str) -> None:
        log.error("%s", reason)
        folders.write_failure(reason, is_processing=command == "process")

    started = time.perf_counter()
    with ended_by_sigterm(tell):
        try:
            COMMANDS[command](folders)
        except RequestError as error:
            tell(str(error))
            return REFUSED
        except Exception as error:  # noqa: BLE001 - it ends the process, with its reason and traceback told
            traceback.print_exc()
            tell(f"{type(error).__name__}: {error}")
            return FAILED
    log.info("Finished in %.1f s.", time.perf_counter() - started)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
