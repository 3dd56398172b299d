"""``trocar import``: a recorded hand from JIGSAWS, a console CSV or a pose CSV as an MCAP file."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import get_args

import msgspec
from mcap.writer import CompressionType, Writer

from teleop.errors import TrocarError
from teleop.masters.console_csv import ConsoleCsvSpec, read_console_csv
from teleop.masters.jigsaws import ARMS, JigsawsSpec, read_jigsaws
from teleop.masters.pose_csv import PoseCsvSpec, read_pose_csv
from teleop.masters.recording import Recording
from teleop.recorder import schemas, text
from teleop.recorder.exchange.hand import SUFFIX, each_sample
from teleop.recorder.sink import Sink
from teleop.recorder.writer import CHUNK_BYTES
from teleop.wire.messages import MeasuredCp, Signal

_HANDS = get_args(ConsoleCsvSpec.model_fields["hand"].annotation)
_NS = 1_000_000_000


def read_source(path: Path) -> dict[str, Recording]:
    """The hands in a file by name, at their own samples; its form is told by its first line.

    Raises:
        TrocarError: it cannot be read, or is none of the forms known; with line and column.
    """
    try:
        with path.open(encoding="utf-8", errors="replace") as lines:
            first = lines.readline()
    except OSError as error:
        raise TrocarError(f"{path}: cannot be read: {error.strerror}") from error
    if "sequence_number" in first:
        return {
            hand: read_console_csv(
                path, ConsoleCsvSpec(kind="console_csv", path=path, hand=hand, lead_in_s=0.0)
            )
            for hand in _HANDS
        }
    if "," in first:
        return {"hand": read_pose_csv(path, PoseCsvSpec(kind="pose_csv", path=path, lead_in_s=0.0))}
    if len(first.split()) == 19 * len(ARMS):
        spec = JigsawsSpec(kind="jigsaws", path=path, lead_in_s=0.0)
        return {arm: read_jigsaws(path, arm, spec) for arm in ARMS}
    raise TrocarError(
        f"{path}: neither a CSV with named columns nor a JIGSAWS file of 76 columns; see docs/masters.md"
    )


def import_file(path: Path, out: Path) -> dict[str, int]:
    """Write the hands of a file as MCAP: ``<hand>/measured_cp`` in JSON, and poses for Foxglove.

    Args:
        path: JIGSAWS kinematics, a console CSV or a pose CSV.
        out: the MCAP file; must not hold anything yet.

    Returns:
        Samples by hand.

    Raises:
        TrocarError: the file cannot be read, or the other one not written.
    """
    hands = read_source(path)
    data = path.read_bytes()
    sink = Sink(out)
    mcap = Writer(sink, chunk_size=CHUNK_BYTES, compression=CompressionType.ZSTD)  # type: ignore[arg-type]
    mcap.start(profile="", library="trocar import")
    cp_schema = mcap.register_schema("trocar.MeasuredCp", "jsonschema", schemas.struct_schema(MeasuredCp))
    pose_schema = mcap.register_schema(schemas.POSE_SCHEMA, "jsonschema", schemas.schema(schemas.POSE_SCHEMA))
    mcap.add_metadata(
        "trocar.import", {"source": path.name, "sha256": hashlib.sha256(data).hexdigest(), **_notes(hands)}
    )
    counts = {}
    for name, recording in hands.items():
        cp = mcap.register_channel(name + SUFFIX, "json", cp_schema)
        pose = mcap.register_channel(f"{name}/pose", "json", pose_schema)
        session = hashlib.sha256(f"{path.name}:{name}".encode()).digest()[:16]
        count = 0
        for t, p, quat, gripper, present, clutch in each_sample(recording):
            stamp = round(t * _NS)
            sample = MeasuredCp(
                schema=1, stream=name + SUFFIX, session=session, seq=count, stamp_ns=stamp, p_m=p,
                quat_xyzw=quat, gripper_rad=gripper, valid=True,
                present=Signal(present, stamp), clutch=Signal(clutch, stamp),
            )  # fmt: skip
            body = {
                "timestamp": {"sec": stamp // _NS, "nsec": stamp % _NS},
                "frame_id": "master",
                "pose": {
                    "position": dict(zip("xyz", p, strict=True)),
                    "orientation": dict(zip("xyzw", quat, strict=True)),
                },
            }
            mcap.add_message(cp, stamp, text.encode(sample), stamp, count)
            mcap.add_message(pose, stamp, msgspec.json.encode(body), stamp, count)
            count += 1
        counts[name] = count
    mcap.finish()  # type: ignore[no-untyped-call]
    try:
        sink.commit()
    except OSError as error:
        raise TrocarError(f"cannot write {out}: {error.strerror}") from error
    sink.close()
    return counts


def _notes(hands: dict[str, Recording]) -> dict[str, str]:
    notes = list(dict.fromkeys(note for recording in hands.values() for note in recording.notes))
    return {f"note_{k}": note for k, note in enumerate(notes)}
