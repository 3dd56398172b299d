"""Becomes another command that dies with its parent: ``python tether.py PARENT_PID COMMAND...``.

A program of its own, because Python code between fork and exec (``preexec_fn``) can deadlock where a library
holds a lock in another thread. Imports nothing of the project, to start fast.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1  # linux/prctl.h


def main() -> None:
    """Ask the kernel for SIGKILL when the parent ends, see that it has not ended yet, become COMMAND."""
    parent, *command = sys.argv[1:]
    if ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0:
        sys.exit("the kernel refused PR_SET_PDEATHSIG: this process could outlive its supervisor")
    if os.getppid() != int(parent):
        sys.exit("the supervisor ended before this process began")
    try:
        os.execvp(command[0], command)
    except OSError as error:
        sys.exit(f"cannot start {command[0]}: {error.strerror}")


if __name__ == "__main__":
    main()
