"""``trocar tremor CSV``: filter a recorded hand and say what the filter did."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from pydantic import TypeAdapter, ValidationError

from kinematics.pose import quat_conj, quat_log, quat_mul
from teleop.errors import TrocarError
from teleop.masters.console_csv import ConsoleCsvSpec, read_console_csv
from teleop.masters.pose_csv import PoseCsvSpec, read_pose_csv
from teleop.masters.recording import PlaybackSpec, Recording
from teleop.tremor.analysis import TremorReport, analyse, step_overshoot, to_json
from teleop.tremor.contract import Array
from teleop.tremor.factory import make_axis_filter, make_pose_filter
from teleop.tremor.picture import draw_spectra
from teleop.tremor.spec import FilterSpec
from teleop.tremor.table_text import format_table

NAMES = ("x", "y", "z", "rx", "ry", "rz")


def run(
    path: Path,
    *,
    filter: str = "kalman_bank",
    hand: str = "right",
    rate_hz: float = 1000.0,
    json: Path | None = None,
    picture: Path | None = None,
) -> int:
    """Filter the recording in ``path`` and print what changed: positions in um, rotations in urad.

    Args:
        path: a recording (.mcap), a pose CSV or a console CSV (told by its header).
        filter: kind of filter, with its defaults.
        hand: ``left`` or ``right``, of a console recording.
        rate_hz: rate the recording is resampled to.
        json: where to write the figures.
        picture: where to draw the spectra, .svg, .png or .pdf.

    Returns:
        exit status: 0 done, 2 bad input (said on stderr).
    """
    try:
        spec = parse_filter(filter)
        recording = read_recording(path, hand)
        t, p, quat_xyzw = resample(recording, rate_hz)
        report = compare(t, p, quat_xyzw, spec)
        print(f"{path.name}: filter {spec.kind}")
        print(format_table(report, NAMES, unit="um (urad)"))
        for note in recording.notes:
            print(note)
        if json is not None:
            json.write_text(to_json(report) + "\n", encoding="utf-8")
        if picture is not None:
            draw_spectra(report, NAMES, picture, unit="m or rad ")
    except (TrocarError, OSError) as error:
        print(f"tremor: {error}", file=sys.stderr)
        return 2
    return 0


def parse_filter(kind: str) -> FilterSpec:
    """The default filter of a kind.

    Raises:
        TrocarError: no such kind; lists those there are.
    """
    adapter: TypeAdapter[FilterSpec] = TypeAdapter(FilterSpec)
    try:
        return adapter.validate_python({"kind": kind})
    except ValidationError as error:
        raise TrocarError(f"no filter {kind!r}: {error.errors()[0]['msg']}") from error


def read_recording(path: Path, hand: str) -> Recording:
    """A recording made by Trocar (.mcap), or a console or pose CSV, told apart by their headers.

    Raises:
        TrocarError: an unknown hand, or a damaged file; with line and column.
    """
    if path.suffix == ".mcap":
        from teleop.recorder.exchange.hand import read_hand

        spec = PlaybackSpec(lead_in_s=0.0)
        return read_hand(path, None if hand == "right" else hand, spec)
    with path.open(encoding="utf-8", errors="replace") as lines:
        header = lines.readline()
    if "sequence_number" not in header:
        return read_pose_csv(path, PoseCsvSpec(kind="pose_csv", path=path))
    if hand == "left":
        return read_console_csv(path, ConsoleCsvSpec(kind="console_csv", path=path, hand="left"))
    if hand == "right":
        return read_console_csv(path, ConsoleCsvSpec(kind="console_csv", path=path, hand="right"))
    raise TrocarError(f"no hand {hand!r} in a console recording: use left or right")


def resample(recording: Recording, rate_hz: float) -> tuple[Array, Array, Array]:
    """Times (n,), positions (n, 3) and orientations (n, 4) on an even grid at ``rate_hz``."""
    seconds = float(recording.t_s[-1])
    t = np.arange(int(seconds * rate_hz) + 1) / rate_hz
    p = np.stack([np.interp(t, recording.t_s, recording.p_m[:, axis]) for axis in range(3)], axis=1)
    nearest = np.clip(np.searchsorted(recording.t_s, t, side="right") - 1, 0, recording.t_s.size - 2)
    span = recording.t_s[nearest + 1] - recording.t_s[nearest]
    share = np.clip((t - recording.t_s[nearest]) / span, 0.0, 1.0)[:, None]
    quat = (1.0 - share) * recording.quat_xyzw[nearest] + share * recording.quat_xyzw[nearest + 1]
    return t, p, np.asarray(quat / np.linalg.norm(quat, axis=1, keepdims=True))


def compare(
    t: Array,
    p: Array,
    quat_xyzw: Array,
    spec: FilterSpec,
    truth: tuple[Array, Array] | None = None,
) -> TremorReport:
    """Filter poses with ``spec`` and analyse the six axes.

    Rotations are compared as rotation vectors summed up from sample to sample, in the hand's frame.

    Args:
        t: even times, s, (n,).
        p: positions, m, (n, 3).
        quat_xyzw: orientations, (n, 4).
        spec: the filter.
        truth: voluntary positions (n, 3) and orientations (n, 4), if known.
    """
    period = float(t[-1] - t[0]) / (t.size - 1)
    poses = make_pose_filter(spec, 1.0 / period)
    p_out, quat_out = np.empty_like(p), np.empty_like(quat_xyzw)
    for i in range(t.size):
        p_out[i], quat_out[i] = poses.step(p[i], quat_xyzw[i], period)
    turned = summed_turns(quat_xyzw)
    raw = np.hstack([p, turned])
    filtered = np.hstack([p_out, turned + turns_between(quat_xyzw, quat_out)])
    meant = None if truth is None else np.hstack([truth[0], turned + turns_between(quat_xyzw, truth[1])])

    def step(x: Array) -> Array:
        axis = make_axis_filter(spec, 1.0 / period, 1)
        return np.array([axis.step(value, period, np.empty(1)) for value in x])

    return analyse(t, raw, filtered, meant, overshoot=step_overshoot(step, 1.0 / period))


def turns_between(a_xyzw: Array, b_xyzw: Array) -> Array:
    """``log(a^-1 b)`` of each pair, rad, shape (n, 3)."""
    pairs = zip(a_xyzw, b_xyzw, strict=True)
    return np.array([quat_log(quat_mul(quat_conj(a), b)) for a, b in pairs]).reshape(-1, 3)


def summed_turns(quat_xyzw: Array) -> Array:
    """Rotation vectors from sample to sample, summed from zero, rad, shape (n, 3)."""
    steps = turns_between(quat_xyzw[:-1], quat_xyzw[1:])
    return np.vstack([np.zeros(3), np.cumsum(steps, axis=0)])
