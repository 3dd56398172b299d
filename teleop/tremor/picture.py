"""Pictures of a filter: spectra before and after. Needs matplotlib, which is imported only here."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from teleop.errors import TrocarError
from teleop.tremor.analysis import TREMOR_BAND_HZ, TremorReport


def draw_spectra(report: TremorReport, names: Sequence[str], path: Path, unit: str = "m") -> None:
    """Amplitude density of every axis before and after, 0.2 to 50 Hz, written to ``path`` (.svg, .png, .pdf).

    Raises:
        TrocarError: matplotlib is not installed.
    """
    try:
        import matplotlib
    except ImportError as error:
        raise TrocarError("a picture needs matplotlib; install it with: pip install matplotlib") from error
    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    columns = min(3, len(names))
    rows = -(-len(names) // columns)
    figure, grid = plt.subplots(
        rows, columns, figsize=(4.0 * columns, 2.8 * rows), squeeze=False, sharex=True, layout="constrained"
    )
    shown = (report.frequency_hz >= 0.2) & (report.frequency_hz <= 50.0)
    for place, axes in enumerate(grid.flat):
        if place >= len(names):
            axes.set_visible(False)
            continue
        axes.axvspan(*TREMOR_BAND_HZ, color="0.9", lw=0)
        for density, label in ((report.density_in, "measured"), (report.density_out, "filtered")):
            axes.loglog(report.frequency_hz[shown], density[shown, place] ** 0.5, lw=1, label=label)
        axes.set_title(names[place])
        axes.set_xlabel("Hz")
        axes.set_ylabel(f"{unit}/√Hz")
    grid.flat[0].legend()
    figure.savefig(path)
    plt.close(figure)
