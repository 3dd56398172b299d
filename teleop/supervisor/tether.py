"""Becomes another command that dies with its parent: ``python tether.py PARENT_PID COMMAND...``.

A program of its own, because Python code between fork and exec (``preexec_fn``) can deadlock where a library
holds a lock in another thread. Imports nothing of the project, to start fast.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1  # linux/prctl.h


def die_with_parent(parent: int) -> None:
    """Ask the kernel for SIGKILL when the parent ends, and see that it has not ended yet."""
    if ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0:
        sys.exit("the kernel refused PR_SET_PDEATHSIG: this process could outlive its parent")
    if os.getppid() != parent:
        sys.exit("the parent ended before this process began")


def main() -> None:
    """Tie this process to its parent, become COMMAND."""
    parent, *command = sys.argv[1:]
    die_with_parent(int(parent))
    try:
        os.execvp(command[0], command)
    except OSError as error:
        sys.exit(f"cannot start {command[0]}: {error.strerror}")


if __name__ == "__main__":
    main()
