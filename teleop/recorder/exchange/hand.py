"""The hand in a recording, as a master can play it and a filter can be tried on it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
import numpy as np

from teleop.errors import TrocarError
from teleop.masters.recording import PlaybackSpec, Recording
from teleop.recorder.read import Recording as File
from teleop.recorder.read import read_recording
from teleop.wire.messages import MeasuredCp

SUFFIX = "/measured_cp"
_decoder = msgspec.json.Decoder(MeasuredCp, strict=False)


def read_hand(path: Path, name: str | None, playback: PlaybackSpec) -> Recording:
    """One hand of a recorded session, or of a file made by ``trocar import``.

    Samples that the controller would refuse as impossible (not finite, no unit quaternion, not after the one
    before) are left out.

    Args:
        path: the MCAP file.
        name: name of the master or of its pair; may be left out where there is only one.
        playback: how it is played.

    Raises:
        TrocarError: no such hand, or fewer than two samples of it.
    """
    hands = _hands(read_recording(path))
    if name is None and len(hands) == 1:
        name = next(iter(hands))
    if name not in hands:
        known = ", ".join(hands) or "none"
        asked = f"there is no hand {name!r}" if name else "which hand is meant"
        raise TrocarError(f"{path}: {asked}; hands in it: {known}")
    samples, refused = _possible(hands[name])
    if len(samples) < 2:
        raise TrocarError(f"{path}: the hand {name!r} has {len(samples)} samples; at least two are needed")
    stamps = np.array([s.stamp_ns for s in samples], dtype=np.int64)
    quat = np.array([s.quat_xyzw for s in samples])
    notes = (f"{path}: {refused} impossible samples left out",) if refused else ()
    return Recording(
        (stamps - stamps[0]) * 1e-9,
        np.array([s.p_m for s in samples]),
        quat / np.linalg.norm(quat, axis=1, keepdims=True),
        np.array([s.gripper_rad for s in samples]),
        playback,
        present=np.array([s.present.value for s in samples], dtype=bool),
        clutch=np.array([s.clutch.value for s in samples], dtype=bool),
        notes=notes,
    )


def _hands(file: File) -> dict[str, list[MeasuredCp]]:
    """Samples by master; for a recorded session also by pair where that is another name."""
    hands: dict[str, list[MeasuredCp]] = {}
    for topic, messages in file.messages.items():
        if topic.endswith(SUFFIX):
            hands[topic.removesuffix(SUFFIX)] = [_decoder.decode(data) for _, data in messages]
    if hands:
        return hands
    pairs: dict[str, list[MeasuredCp]] = {}
    for tick in file.ticks():
        for pair in tick.pairs:
            if pair.master is not None:
                pairs.setdefault(pair.pair, []).append(pair.master)
    for samples in pairs.values():
        hands[samples[0].stream.removesuffix(SUFFIX)] = samples
    # A pair's name is an alias of its master's.
    return hands if len(hands) == 1 else hands | pairs


def _possible(samples: list[MeasuredCp]) -> tuple[list[MeasuredCp], int]:
    kept: list[MeasuredCp] = []
    for sample in samples:
        numbers = np.array([*sample.p_m, *sample.quat_xyzw, sample.gripper_rad])
        unit = abs(float(np.linalg.norm(sample.quat_xyzw)) - 1.0) < 1e-3
        if np.isfinite(numbers).all() and unit and (not kept or sample.stamp_ns > kept[-1].stamp_ns):
            kept.append(sample)
    return kept, len(samples) - len(kept)


def each_sample(recording: Recording) -> Iterator[tuple[float, list[float], list[float], float, bool, bool]]:
    """Time, position, orientation, gripper, deadman and clutch of each sample of a hand."""
    lead_s = recording.lead_in_s
    for k, t in enumerate(recording.t_s.tolist()):
        hand = recording.sample(lead_s + t)
        yield (
            t,
            recording.p_m[k].tolist(),
            recording.quat_xyzw[k].tolist(),
            float(recording.gripper_rad[k]),
            hand.present,
            hand.clutch,
        )
