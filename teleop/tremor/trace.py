"""What went into a filter and came out of it during a run, kept for the closing summary."""

from __future__ import annotations

from typing import Any

import numpy as np

from teleop.errors import TrocarError
from teleop.tremor.analysis import analyse
from teleop.tremor.contract import Array

_CAPACITY = 120_000


class TremorTrace:
    """The newest two minutes (at 1 kHz) of one hand's position before and after its filter."""

    def __init__(self, capacity: int = _CAPACITY) -> None:
        """Reserve the memory, and touch it, so that no page is missing later."""
        self._rows = np.full((capacity, 7), np.nan)
        self._count = 0

    def add(self, t_s: float, raw: Array, filtered: Array) -> None:
        """Keep one sample: its stamp (s) and the positions (3,), m."""
        row = self._rows[self._count % len(self._rows)]
        row[0] = t_s
        row[1:4] = raw
        row[4:7] = filtered
        self._count += 1

    def summary(self, rate_hz: float) -> list[dict[str, Any]] | None:
        """The figures of each axis, as plain data; ``None`` of a run too short to tell.

        Samples come when they come; they are brought to an even grid of ``rate_hz`` by interpolation.
        """
        kept = min(self._count, len(self._rows))
        rows = (
            self._rows[:kept] if self._count <= len(self._rows) else np.roll(self._rows, -self._count, axis=0)
        )
        if kept < 2:
            return None
        t = np.arange(rows[0, 0], rows[-1, 0], 1.0 / rate_hz)
        even = np.stack([np.interp(t, rows[:, 0], rows[:, k]) for k in range(1, 7)], axis=1)
        try:
            report = analyse(t, even[:, :3], even[:, 3:])
        except TrocarError:
            return None
        return [
            {
                "axis": name,
                "tremor_rms_in_um": 1e6 * axis.tremor_rms_in,
                "tremor_rms_out_um": 1e6 * axis.tremor_rms_out,
                "band_6_14_hz_db": axis.band_db,
                "band_8_12_hz_db": axis.core_db,
                "band_3_6_hz_db": axis.low_db,
                "delay_ms_at_0.5_1_2_hz": [None if d is None else 1e3 * d for d in axis.delay_s],
                "change_rms_um": 1e6 * axis.change_rms,
            }
            for name, axis in zip("xyz", report.axes, strict=True)
        ]
