"""The report as a table a person can read."""

from __future__ import annotations

from collections.abc import Sequence

from teleop.tremor.analysis import TremorReport

COLUMNS = (
    "axis", "in 6-14", "out 6-14", "cut", "6-14 dB", "8-12 dB", "3-6 dB",
    "delay 0.5/1/2 Hz", "change", "error", "aligned", "shift",
)  # fmt: skip


def format_table(report: TremorReport, names: Sequence[str], unit: str = "um", per_unit: float = 1e6) -> str:
    """One row an axis, in ``unit`` (``per_unit`` of them to a metre or radian), delays in ms."""

    def number(value: float | None, scale: float = 1.0, digits: int = 1) -> str:
        return "-" if value is None else f"{scale * value:.{digits}f}"

    rows = [list(COLUMNS)]
    for name, axis in zip(names, report.axes, strict=True):
        rows.append(
            [
                name,
                number(axis.tremor_rms_in, per_unit),
                number(axis.tremor_rms_out, per_unit),
                "-" if axis.cut is None else f"{100.0 * axis.cut:.0f} %",
                number(axis.band_db),
                number(axis.core_db),
                number(axis.low_db),
                " / ".join(number(delay, 1e3) for delay in axis.delay_s),
                number(axis.change_rms, per_unit),
                number(axis.error_rms, per_unit),
                number(axis.aligned_error_rms, per_unit),
                number(axis.shift_s, 1e3),
            ]
        )
    widths = [max(len(row[i]) for row in rows) for i in range(len(COLUMNS))]
    lines = ["  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]
    lines.insert(0, f"{report.seconds:.1f} s at {report.rate_hz:.0f} Hz; lengths rms in {unit}, delays in ms")
    if report.overshoot is not None:
        lines.append(f"step overshoot {100.0 * report.overshoot:.0f} %")
    return "\n".join(lines)
