"""The process of a device: reads it, renders what ``servo_cf`` says, publishes ``measured_cp``, at 1 kHz.

A device that is lost is said to be lost: the poses go on with ``valid`` and ``present`` false, and it is
sought again twice a second. After that its buttons count only once they were seen released. Whatever ends
the process, the device is left without force.
"""

from __future__ import annotations

import gc
import math
import sys
from collections.abc import Callable

import numpy as np

from teleop.devices.device import Device, DeviceError, DeviceLostError, Reading, Velocity
from teleop.haptics.renderer import Renderer
from teleop.loop.realtime import FIFO_PRIORITY, make_realtime
from teleop.loop.schedule import MASTER_PHASE_S, Schedule
from teleop.loop.signals import stop_on_signals
from teleop.wire.endpoints import Participant
from teleop.wire.keys import Keyring
from teleop.wire.messages import MeasuredCp, ServoCf, Signal
from teleop.wire.sockets import NewestSubscriber, Publisher, new_session, open_context
from teleop.wire.streams import Role

_SPIN_S = 60e-6
_SEEK_NS = 500_000_000


class DeviceLoop:
    """One tick at a time: no clock and no sockets, so that tests can step it.

    Attributes:
        lost: the device is gone.
        reading: what it said last.
        losses: how often it was lost.
    """

    def __init__(self, device: Device, renderer: Renderer, say: Callable[[str], None]) -> None:
        """The device has been opened."""
        self._device = device
        self._renderer = renderer
        self._say = say
        self._velocity = Velocity()
        self._last_ns = 0
        self._seek_ns = 0
        self.lost = False
        self.losses = 0
        self.reading = Reading(np.zeros(3), np.array([0.0, 0.0, 0.0, 1.0]), valid=False)

    def tick(self, now_ns: int, message: ServoCf | None) -> Reading:
        """Read, render, and say what to publish."""
        now_s = 1e-9 * now_ns
        if message is not None:
            self._renderer.take(message, now_s)
        try:
            if self.lost:
                self._seek(now_ns)
            if not self.lost:
                self._follow(now_ns, now_s)
        except DeviceLostError as error:
            self.lost = True
            self.losses += 1
            self._seek_ns = now_ns + _SEEK_NS
            self._velocity.reset()
            self._device.close()
            self._say(f"device lost: {error}; looking for it")
        if self.lost:
            self.reading.valid = self.reading.present = False
        return self.reading

    def _seek(self, now_ns: int) -> None:
        if now_ns < self._seek_ns:
            return
        self._seek_ns = now_ns + _SEEK_NS
        try:
            self._device.open()
        except (DeviceError, DeviceLostError):
            return
        self.lost = False
        self._say("device found again")

    def _follow(self, now_ns: int, now_s: float) -> None:
        reading = self._device.read(now_ns)
        numbers = (*reading.p_m.tolist(), *reading.quat_xyzw.tolist(), reading.gripper_rad)
        if not all(map(math.isfinite, numbers)) or not 0.9 < math.hypot(*numbers[3:7]) < 1.1:
            # Keep what was believed last: a pose made of garbage is nowhere.
            self.reading.valid = self.reading.present = False
            self._velocity.reset()
        else:
            self.reading = reading
            self._velocity.step(reading.p_m, 1e-9 * (now_ns - self._last_ns))
        self._last_ns = now_ns
        if self._device.renders:
            p = self.reading.p_m if self.reading.valid else np.full(3, np.nan)
            self._renderer.step(p, self._velocity.v, now_s)
            self._device.apply(self._renderer.force, self._renderer.torque)


def run_device(
    *,
    name: str,
    device: Device,
    renderer: Renderer,
    endpoint: str,
    rate_hz: float = 1000.0,
    on_ready: Callable[[], None] | None = None,
    seconds: float | None = None,
    keyring: Keyring | None = None,
    realtime: bool = False,
    say: Callable[[str], None] | None = None,
    start: Callable[[int], None] | None = None,
) -> int:
    """Run until ``seconds`` have passed, or SIGINT or SIGTERM comes.

    Args:
        name: the master's name in the session.
        device: the device; opened and closed here.
        renderer: what turns ``servo_cf`` into force.
        endpoint: base endpoint; binds its ``measured_cp`` and ``servo_cf``.
        rate_hz: ticks a second.
        on_ready: called once when the sockets are bound and the device is open.
        seconds: when to stop, after being ready; never by itself when left out.
        keyring: keys for tcp.
        realtime: ask the system for real-time scheduling, below the controller's priority.
        say: gets notes and a summary; standard error when left out.
        start: told the time of the first ``servo_cf``.

    Returns:
        exit status, 0.

    Raises:
        DeviceError: the device cannot be used.
        EndpointError: the endpoint cannot be used.
    """
    tell = say or _to_stderr
    for note in device.notes:
        tell(f"{name}: {note}")
    participant = Participant(Role.MASTER, name, endpoint)
    schedule = Schedule(rate_hz, spin_s=_SPIN_S if realtime else 0.0, phase_s=MASTER_PHASE_S)
    renderer.warm_up()
    with (
        open_context(keyring) as context,
        Publisher(context, participant.channel("measured_cp"), new_session()) as poses,
        NewestSubscriber(context, participant.channel("servo_cf"), ServoCf) as forces,
        stop_on_signals() as stop,
    ):
        try:
            device.open()
            loop = DeviceLoop(device, renderer, lambda text: tell(f"{name}: {text}"))
            if on_ready is not None:
                on_ready()
            if realtime:
                make_realtime(priority=FIFO_PRIORITY - 5)
            else:
                gc.freeze()
            felt, most_n = 0, 0.0
            echo: ServoCf | None = None
            schedule.start()
            end_ns = None if seconds is None else schedule.deadline_ns + round(seconds * 1e9)
            while not stop.asked:
                now = schedule.wait()
                context.admit()
                if end_ns is not None and now >= end_ns:
                    break
                message = None
                while (newer := forces.newest()) is not None:
                    message = echo = newer
                    felt += 1
                if felt and start is not None:
                    start(now)
                    start = None
                reading = loop.tick(now, message)
                most_n = max(most_n, math.hypot(*renderer.force.tolist()))
                poses.send(_message(poses, reading, now, echo, renderer.energy_j))
            tell(
                f"{name}: {schedule.ticks} poses published, {schedule.skipped} deadlines skipped, {felt} "
                f"servo_cf received, {sum(forces.rejected.values())} refused, "
                f"{sum(renderer.refused.values())} not rendered, largest force {most_n:.2f} N, "
                f"device lost {loop.losses} times"
            )
        finally:
            device.close()
    return 0


def _message(
    poses: Publisher, reading: Reading, now_ns: int, echo: ServoCf | None, energy_j: float
) -> MeasuredCp:
    return MeasuredCp(
        **poses.header(now_ns),
        p_m=reading.p_m.tolist(),
        quat_xyzw=reading.quat_xyzw.tolist(),
        gripper_rad=reading.gripper_rad,
        valid=reading.valid,
        present=Signal(reading.present, now_ns),
        clutch=Signal(reading.clutch, now_ns),
        echo_seq=-1 if echo is None else echo.seq,
        echo_stamp_ns=0 if echo is None else echo.stamp_ns,
        energy_j=energy_j,
    )


def _to_stderr(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
