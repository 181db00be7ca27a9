"""Starts a replica's command so that it cannot outlive the worker that asked for it.

    python local_replica.py PARENT_PID COMMAND [ARGUMENT ...]

Run by path with the standard library alone: it sets a death signal and becomes the command (the same process
id). `preexec_fn` would do so without an extra start of Python, but is not safe in a process with threads.
"""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def main() -> None:
    """Binds this process to its parent, then replaces itself by the command."""
    parent, command = int(sys.argv[1]), sys.argv[2:]
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # the parent died before the signal was set
        sys.exit(1)
    try:
        os.execvp(command[0], command)
    except OSError as error:
        # 127 is what a shell gives for a command that is not there: permanent for the operator.
        print(f"Expected the command {command[0]} to start, found: {error.strerror}.", file=sys.stderr)
        sys.exit(127)


if __name__ == "__main__":
    main()
