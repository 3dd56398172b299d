"""An arm's policy on silence, judged by its own ticks."""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray
MS = 1_000_000


def keeps_silence(log: list[dict[str, Any]], silent: list[dict[str, Any]]) -> tuple[Array, Array]:
    """Hold the states of ``silent`` to PROTOCOL.md: HOLD after 20 ms, DISABLED after 100 ms of it.

    The tick that took the last command lies between two states of ``log``; the silence is counted from there.
    However late the machine: whenever the arm had a processor, it stood where its silence wants it.

    Returns:
        At least and at most how long it had been silent at each state, ms.
    """
    executed = max(m["echo_seq"] for m in silent)
    before = max(m["stamp_ns"] for m in log if m["echo_seq"] < executed)
    after = min(m["stamp_ns"] for m in log if m["echo_seq"] == executed)
    shortest, longest = (
        np.array([(m["stamp_ns"] - taken) * 1e-6 for m in silent]) for taken in (after, before)
    )
    states = np.array([m["state"] for m in silent])
    print(
        f"after the last command executed, ms: no longer enabled {shortest[states != 'ENABLED'].min():.1f}, "
        f"disabled {shortest[states == 'DISABLED'].min():.1f}"
    )
    assert set(states[longest < 20.0]) <= {"ENABLED"}
    assert "DISABLED" not in states[longest < 100.0]
    assert "ENABLED" not in states[shortest > 21.0]
    assert set(states[shortest > 101.0]) == {"DISABLED"}
    return shortest, longest
