"""Drivers that each break one rule, made from the example driver, to show that the suite catches them.

python -m hil_tests.bad no_watchdog --endpoint ipc:///tmp/arm
python -m hil_tests.bad --list
"""

from hil_tests.bad import admission, lease, publishing, silence, stops  # they enter themselves into BAD
from hil_tests.bad.registry import BAD

__all__ = ["BAD", "admission", "lease", "publishing", "silence", "stops"]
