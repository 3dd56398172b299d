"""What console and browser say to each other, as JSON; ``web/src/messages.ts`` is generated from here.

SI units, world frame, quaternions xyzw. A pose is seven numbers: position, then quaternion.
"""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import Meta

Pose = list[float]
Vec3 = Annotated[list[float], Meta(min_length=3, max_length=3)]
Quat = Annotated[list[float], Meta(min_length=4, max_length=4)]
Name = Annotated[str, Meta(max_length=64)]


class CapsuleShape(msgspec.Struct):
    """A part of an arm in frame number ``frame`` of its ``ArmShape.frames``."""

    frame: int
    start: list[float]
    end: list[float]
    radius: float
    body: str


class ArmShape(msgspec.Struct):
    """How to draw an arm. ``rcm``: the remote centre in the world, where it has one."""

    name: str
    title: str
    frames: list[str]
    capsules: list[CapsuleShape]
    joints: list[str]
    prismatic: list[bool]
    jaw: bool
    rcm: list[float] | None


class PairInfo(msgspec.Struct):
    """One pair. ``steerable``: its master takes a hand; ``surgeon``: it moves by itself until then."""

    name: str
    master: str
    arm: ArmShape
    steerable: bool
    surgeon: bool


class Channel(msgspec.Struct):
    """One line of a plot; its place in a bucket's row is its place in the list."""

    pair: int
    group: str
    name: str
    unit: str


class Hello(msgspec.Struct, tag="hello", tag_field="type"):
    """First message to a browser. ``templates``: a new fixture of each kind, to add from a menu.

    ``key`` goes with uploads. ``replay``: the recording that this browser watches; empty for
    the live session.
    """

    version: str
    session: str
    viewer: int
    key: str
    pairs: list[PairInfo]
    channels: list[Channel]
    bucket_s: float
    templates: list[dict[str, Any]]
    max_upload_bytes: int
    recorder: bool
    replay: str = ""


class PairState(msgspec.Struct):
    """One pair now. ``frames``: poses of ``ArmShape.frames`` as measured. ``clamp``: the last one in words.

    ``clearance`` in m by fixture; ages in ms, -1 where not known; ``force`` in N, world frame.
    """

    teleop_state: str
    reason: str
    sentence: str
    action: str
    detail: str
    desired: Pose
    command: Pose
    measured: Pose
    frames: list[Pose]
    q: list[float]
    jaw_rad: float
    arm_state: str
    tracking_error: float
    scale: float
    clutch: bool
    input_age_ms: float
    round_trip_ms: float
    clearance: dict[str, float]
    clamp: str
    clamp_fixture: str
    clamp_age_s: float
    force: list[float]


class State(msgspec.Struct, tag="state", tag_field="type"):
    """The newest of everything; an older one is never worth sending.

    ``silent_s``: how long nothing came from the controller. ``driver``: the viewer who drives, or 0.
    ``kept_s``: how long nobody else can take the arm, unless it is given back; 0 when anybody can.
    """

    seq: int
    stamp_ms: float
    silent_s: float
    tick: int
    state: str
    hz: float
    compute_p99_us: float
    lateness_p99_us: float
    overruns: int
    pairs: list[PairState]
    moving: dict[str, Pose]
    driver: int
    person: bool
    viewers: int
    kept_s: float
    recording: RecordingState | None = None
    replay: ReplayState | None = None


class ReplayState(msgspec.Struct):
    """Where a recording is that the browser watches. ``t_s`` counts from its first tick."""

    name: str
    t_s: float
    duration_s: float
    playing: bool
    speed: float


class RecordingInfo(msgspec.Struct):
    """A recording that can be watched. ``unix_s``: when it was written last."""

    name: str
    bytes: int
    unix_s: float


class RecordingState(msgspec.Struct):
    """What is being recorded. ``dropped``: ticks it missed; ``ours``: the console can end it."""

    name: str
    bytes: int
    ticks: int
    dropped: int
    ours: bool


class FixtureInfo(msgspec.Struct):
    """A fixture as the controller has it. ``geometry``: address of its triangles, or empty."""

    spec: dict[str, Any]
    geometry: str
    complement: bool
    note: str = ""


class Scene(msgspec.Struct, tag="scene", tag_field="type"):
    """All fixtures; sent when they change."""

    revision: int
    fixtures: list[FixtureInfo]
    undo: str
    redo: str
    dirty: bool


class Plots(msgspec.Struct, tag="plots", tag_field="type"):
    """Buckets from number ``first`` on; a row holds minimum and maximum of each channel in turn."""

    first: int
    rows: list[list[float | None]]


class Spectrum(msgspec.Struct, tag="spectrum", tag_field="type"):
    """Amplitude in um against Hz of the hand's motion at the tip, before and after the filter."""

    pair: int
    step_hz: float
    raw_um: list[float]
    filtered_um: list[float]


class Answer(msgspec.Struct, tag="answer", tag_field="type"):
    """The answer to the browser's message with this ``id``."""

    id: int
    ok: bool
    error: str = ""
    result: Any = None


class Notice(msgspec.Struct, tag="notice", tag_field="type"):
    """Something worth a line in the log; ``level`` is info, warning or alarm."""

    level: str
    text: str


ToBrowser = Hello | State | Scene | Plots | Spectrum | Answer | Notice


class Ack(msgspec.Struct, tag="ack", tag_field="type"):
    """State ``seq`` has been taken in; without it no newer one is sent."""

    seq: Annotated[int, Meta(ge=0)]


class Hand(msgspec.Struct, tag="hand", tag_field="type"):
    """What the driver's hand does. ``p`` and ``quat``: since the grip ``epoch`` began, along world axes.

    ``t_ms``: the browser's own monotonic clock when it was read.
    """

    pair: Annotated[int, Meta(ge=0, le=7)]
    epoch: Annotated[int, Meta(ge=0, le=2**31)]
    hold: bool
    clutch: bool
    p: Vec3
    quat: Quat
    gripper_rad: Annotated[float, Meta(ge=-4.0, le=4.0)]
    t_ms: Annotated[float, Meta(ge=0.0, le=1e15)]


class Take(msgspec.Struct, tag="take", tag_field="type"):
    """Become the driver."""

    id: int


class Leave(msgspec.Struct, tag="leave", tag_field="type"):
    """Stop being the driver; ``surgeon``: the synthetic surgeon goes on."""

    id: int
    surgeon: bool


class Op(msgspec.Struct, tag="op", tag_field="type"):
    """A request to the controller, as PROTOCOL names them."""

    id: int
    op: Name
    args: dict[str, Any]


class Edit(msgspec.Struct, tag="edit", tag_field="type"):
    """Set a fixture; edits of one ``gesture`` above 0 are one step to undo."""

    id: int
    fixture: dict[str, Any]
    gesture: int = 0


class Remove(msgspec.Struct, tag="remove", tag_field="type"):
    """Remove a fixture."""

    id: int
    name: Name


class Undo(msgspec.Struct, tag="undo", tag_field="type"):
    """Undo the last edit, or ``redo`` it."""

    id: int
    redo: bool


class Stop(msgspec.Struct, tag="estop", tag_field="type"):
    """Emergency stop: anybody may."""

    id: int


class Record(msgspec.Struct, tag="record", tag_field="type"):
    """Start or stop recording."""

    id: int
    on: bool


class Recordings(msgspec.Struct, tag="recordings", tag_field="type"):
    """Which recordings are there? The answer is a list of ``RecordingInfo``, newest first."""

    id: int


class Replay(msgspec.Struct, tag="replay", tag_field="type"):
    """Watch the recording ``name`` instead of the live session; empty: the live session again."""

    id: int
    name: Annotated[str, Meta(max_length=255)]


class Play(msgspec.Struct, tag="play", tag_field="type"):
    """Play or pause the recording from ``t_s`` on; below zero: from where it is."""

    playing: bool
    speed: Annotated[float, Meta(ge=0.05, le=4.0)]
    t_s: Annotated[float, Meta(ge=-1.0, le=1e7)]


FromBrowser = (
    Ack | Hand | Take | Leave | Op | Edit | Remove | Undo | Stop | Record | Recordings | Replay | Play
)
