"""The process of a master: publishes a hand source as ``<name>/measured_cp`` on absolute deadlines.

The pose of a message is the source's at exactly the message's own stamp, as from a device that reads its
sensors when it is asked: a late tick reports where the hand is then, and velocities made from stamps are
true.

**When the motion starts.** Until the first ``servo_cf`` arrives, that is until a controller runs and has
found this master, the hand rests at the first pose with its buttons reported. The stamp of the tick that sees
it is time 0 of the source. With ``start_timeout_s`` the motion starts anyway after that long. It starts once:
a controller that is restarted finds the hand in motion.

``servo_cf`` is received and counted; a recorded hand feels nothing.

A source that a person steers (``kind = "console"``) gets what comes as ``<name>/steer`` before it is sampled.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable
from contextlib import ExitStack

from teleop.loop.realtime import FIFO_PRIORITY, make_realtime
from teleop.loop.schedule import MASTER_PHASE_S, Schedule
from teleop.loop.signals import stop_on_signals
from teleop.masters.console import ConsoleHand
from teleop.masters.source import HandSource
from teleop.wire.endpoints import Participant
from teleop.wire.keys import Keyring
from teleop.wire.messages import MeasuredCp, ServoCf, Signal, Steer
from teleop.wire.sockets import NewestSubscriber, Publisher, new_session, open_context
from teleop.wire.streams import Role

REALTIME_PRIORITY = FIFO_PRIORITY - 5
"""The controller comes first on a full processor: it bridges a late pose, nobody bridges a late command."""

_SPIN_S = 60e-6
"""A sample published late arrives after the controller's tick has begun, and waits for the next one."""

_WARM_UP_S = (0.0, 2.0, 1e9)
"""Times at which the source is tried before the loop, so that nothing is compiled inside it."""


def run_master(
    *,
    name: str,
    source: HandSource,
    endpoint: str,
    rate_hz: float = 1000.0,
    on_ready: Callable[[], None] | None = None,
    seconds: float | None = None,
    start_timeout_s: float | None = None,
    realtime: bool = False,
    say: Callable[[str], None] | None = None,
    keyring: Keyring | None = None,
) -> int:
    """Publish ``source`` until ``seconds`` have passed, or SIGINT or SIGTERM comes.

    After the end of the motion it goes on publishing what the source says then (a released deadman).

    Args:
        name: the master's name in the session.
        source: the hand.
        endpoint: base endpoint; binds its ``measured_cp`` and ``servo_cf``.
        rate_hz: messages a second.
        on_ready: called once when the sockets are bound.
        seconds: when to stop, after being ready; never by itself when left out.
        start_timeout_s: start the motion without a controller after this long; wait for one when left out.
        realtime: ask the system for real-time scheduling, below the controller's priority. What it refuses is
            not repeated here: the controller says it.
        say: gets the source's notes, and a summary at the end; standard error when left out.
        keyring: keys for tcp.

    Returns:
        exit status, 0.

    Raises:
        EndpointError: the endpoint cannot be used.
        ValueError: a rate outside 1 to 10000 Hz.
    """
    say = say or _to_stderr
    for note in source.notes:
        say(f"{name}: {note}")
    participant = Participant(Role.MASTER, name, endpoint)
    schedule = Schedule(rate_hz, spin_s=_SPIN_S if realtime else 0.0, phase_s=MASTER_PHASE_S)
    for t_s in _WARM_UP_S:
        source.sample(t_s)
    with (
        open_context(keyring) as context,
        Publisher(context, participant.channel("measured_cp"), new_session()) as poses,
        NewestSubscriber(context, participant.channel("servo_cf"), ServoCf) as forces,
        stop_on_signals() as stop,
        ExitStack() as stack,
    ):
        steering: NewestSubscriber[Steer] | None = None
        if isinstance(source, ConsoleHand):
            steering = stack.enter_context(NewestSubscriber(context, participant.channel("steer"), Steer))
        if on_ready is not None:
            on_ready()
        if realtime:
            make_realtime(priority=REALTIME_PRIORITY)
        else:
            gc.freeze()
        felt = 0
        echo: ServoCf | None = None
        start_ns: int | None = None
        schedule.start()
        ready_ns = schedule.deadline_ns
        end_ns = None if seconds is None else ready_ns + round(seconds * 1e9)
        timeout_ns = None if start_timeout_s is None else ready_ns + round(start_timeout_s * 1e9)
        try:
            while not stop.asked:
                now = schedule.wait()
                context.admit()
                if end_ns is not None and now >= end_ns:
                    break
                while (force := forces.newest()) is not None:
                    felt += 1
                    echo = force
                if start_ns is None and (felt or (timeout_ns is not None and now >= timeout_ns)):
                    start_ns = now
                if steering is not None and isinstance(source, ConsoleHand):
                    while (steer := steering.newest()) is not None:
                        source.steer(steer)
                t_s = 0.0 if start_ns is None else (now - start_ns) * 1e-9
                poses.send(_message(poses, source, t_s, now, echo))
        finally:
            say(
                f"{name}: {schedule.ticks} poses published, {schedule.skipped} deadlines skipped, "
                f"{felt} servo_cf received, {sum(forces.rejected.values())} refused"
                + ("" if start_ns is not None else "; the motion never started: no controller sent servo_cf")
            )
    return 0


def _message(
    poses: Publisher, source: HandSource, t_s: float, now_ns: int, echo: ServoCf | None
) -> MeasuredCp:
    hand = source.sample(t_s)
    buttons_ns = now_ns if hand.buttons_stamp_ns is None else min(now_ns, hand.buttons_stamp_ns)
    return MeasuredCp(
        **poses.header(now_ns),
        p_m=hand.p_m.tolist(),
        quat_xyzw=hand.quat_xyzw.tolist(),
        gripper_rad=hand.gripper_rad,
        valid=hand.valid,
        present=Signal(hand.present, buttons_ns),
        clutch=Signal(hand.clutch, buttons_ns),
        echo_seq=-1 if echo is None else echo.seq,
        echo_stamp_ns=0 if echo is None else echo.stamp_ns,
    )


def _to_stderr(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
