"""Run as a script by `WarmImage`: imports modules once, and forks a process that has them already for each container.

Standard input is the control channel. One byte, sent with two descriptors, asks for a container: a connection of its
own, and where its output goes. On the connection comes one line of JSON (arguments, folder, environment); back go the
process's id and, when it has ended, how, four bytes each. A connection that is closed from the other side kills the
container, the end of the control channel ends this script: nothing outlives who started it.
"""

import contextlib
import gc
import importlib
import json
import os
import runpy
import select
import signal
import socket
import struct
import sys
import warnings
from typing import Any

CONTROL = 0


def main() -> None:
    """Argument 1 is the module that containers run as a program, the others are what they find imported."""
    program, *modules = sys.argv[1:]
    for name in modules:
        importlib.import_module(name)
    gc.collect()
    gc.freeze()  # or the first collection in each container would copy every page
    # What was imported has threads of its own (OpenBLAS); they are idle, and see to forks themselves.
    warnings.filterwarnings("ignore", message=".*multi-threaded.*fork", category=DeprecationWarning)
    asked = _wait_to_be_a_container()
    if asked is not None:
        os.chdir(asked["folder"])
        os.environ.clear()
        os.environ.update(asked["environment"])
        sys.argv[1:] = asked["arguments"]
        runpy.run_module(program, run_name="__main__", alter_sys=True)


def _wait_to_be_a_container() -> dict[str, Any] | None:
    """Fork whenever asked to; returns in the containers, with what they were asked, and with None at the end."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # who minds a container is no zombie afterwards
    with socket.socket(fileno=os.dup(CONTROL)) as control:
        while True:
            said, descriptors, _, _ = socket.recv_fds(control, 1, 2)
            if not said:
                return None
            if os.fork() == 0:
                break
            for descriptor in descriptors:
                os.close(descriptor)
    return _mind_a_container(socket.socket(fileno=descriptors[0]), descriptors[1])


def _mind_a_container(connection: socket.socket, output: int) -> dict[str, Any]:
    """Fork the container, which this returns in; the process that came in sees to its end, and exits."""
    asked = json.loads(connection.makefile("rb").readline())
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(writer)
    container = os.fork()
    if container == 0:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        for descriptor in (reader, writer, connection.detach()):
            os.close(descriptor)
        _stand_alone(output)
        return asked
    os.close(output)
    os.setpgid(container, container)  # before its id is known to anybody who may send signals to its group
    with contextlib.suppress(OSError):
        connection.sendall(_as_bytes(container))
        if connection not in select.select([connection, reader], [], [])[0]:
            _, status = os.waitpid(container, 0)
            connection.sendall(_as_bytes(os.waitstatus_to_exitcode(status)))
            os._exit(0)
    os.killpg(container, signal.SIGKILL)
    os._exit(0)


def _as_bytes(number: int) -> bytes:
    return struct.pack("<i", number)


def _stand_alone(output: int) -> None:
    """A process group of its own, nothing to read, and one place to write to."""
    os.setpgid(0, 0)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.close(nothing)
    os.close(output)


if __name__ == "__main__":
    main()
