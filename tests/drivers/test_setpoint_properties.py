"""Whatever arrives, and whenever: the setpoint is continuous, keeps its limits, stops and stays stopped."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from teleop.drivers.setpoint import Setpoint
from teleop.wire.messages import ServoJp
from tests.drivers.rig import LIMITS, MS, PERIOD_S, Bench, armed

TICKS = 250
# An arm that comes to rest in 100 ms from full speed, as its controller would command it.
ACCELERATION = LIMITS.qd_max / 0.1


class Controller:
    """Moves the arm about inside its limits; the stop of a command is ``max |v| / a``."""

    def __init__(self, arm: Bench, seed: int) -> None:
        self.arm = arm
        self.random = np.random.default_rng(seed)
        self.q = arm.contract.setpoint.q.copy()
        self.v = np.zeros(2)
        self.goal = self.q

    def step(self) -> ServoJp:
        if self.random.random() < 0.02:
            self.goal = self.random.uniform(0.8 * LIMITS.q_min, 0.8 * LIMITS.q_max)
        wish = np.clip(10.0 * (self.goal - self.q), -LIMITS.qd_max, LIMITS.qd_max)
        self.v = self.v + np.clip(wish - self.v, -ACCELERATION * PERIOD_S, ACCELERATION * PERIOD_S)
        self.q = self.q + self.v * PERIOD_S
        stop_s = max(PERIOD_S, float(np.max(np.abs(self.v) / ACCELERATION)))
        return self.arm.command(q=self.q.tolist(), qd=self.v.tolist(), stop_s=stop_s)


def spoil(command: ServoJp, how: str, random: np.random.Generator) -> ServoJp:
    """What a broken sender, a broken link or an attacker makes of a command."""
    bad = ServoJp(**{field: getattr(command, field) for field in command.__struct_fields__})
    match how:
        case "nan":
            bad.q = [math.nan, *command.q[1:]]
        case "inf":
            bad.qd = [math.inf, *command.qd[1:]]
        case "jump":
            bad.q = random.uniform(LIMITS.q_min, LIMITS.q_max).tolist()
        case "velocity":
            bad.qd = random.uniform(-LIMITS.qd_max, LIMITS.qd_max).tolist()
        case "stop":
            bad.stop_s = float(random.choice([-1.0, 0.0, math.nan, 1e9, 0.9]))
        case "old":
            bad.stamp_ns -= 50 * MS
        case "foreign":
            bad.lease = b"guess"
        case "hold":
            bad.mode = "HOLD"
        case "seq":
            bad.seq += int(random.integers(1, 1000))
    return bad


SPOILS = ("nan", "inf", "jump", "velocity", "stop", "old", "foreign", "hold", "seq")
FATES = st.sampled_from(["good"] * 30 + ["lost"] * 4 + ["twice", "earlier", "late"] + list(SPOILS))


def off_its_stop(q: np.ndarray, command: ServoJp) -> float:
    """Distance of ``q`` from the straight segment that ``command`` and the stop after it cover."""
    start = np.array(command.q)
    way = np.array(command.qd) * command.stop_s / 2
    along = np.clip(np.dot(q - start, way) / max(np.dot(way, way), 1e-300), 0.0, 1.0)
    return float(np.linalg.norm(q - start - along * way))


def run(seed: int, fates: list[str], outages: list[tuple[int, int]], jitter: float) -> list[np.ndarray]:
    """Drive an arm through ``fates``; then silence. Checks each step; returns the path.

    Args:
        seed: of the controller, the jitter and what spoils do.
        fates: what happens to the command of each tick.
        outages: (tick, length) of silences.
        jitter: the driver's ticks come this fraction of a period early or late.
    """
    arm = armed()
    random = np.random.default_rng(seed)
    controller = Controller(arm, seed)
    sent: list[ServoJp] = []
    path = [arm.contract.setpoint.q.copy()]
    last: ServoJp | None = None
    silent = {t for start, length in outages for t in range(start, start + length)}
    for k, fate in enumerate([*fates, *["lost"] * 1200]):
        ns = round(MS * (1.0 + jitter * random.uniform(-1.0, 1.0)))
        arm.now_ns += ns
        arriving: list[ServoJp] = []
        if k < len(fates):
            if arm.contract.state != "ENABLED":  # as a controller does: engage again from where the arm is
                arm.ask("enable")
                controller.q, controller.v = arm.contract.setpoint.q.copy(), np.zeros(2)
            command = controller.step()
            sent.append(command)
            if k not in silent and fate != "lost":
                arriving = [spoil(command, fate, random)]
            if fate == "twice":
                arriving = [command, command]
            elif fate == "late":
                arriving = [sent[-min(len(sent), 4)]]
            elif fate == "earlier":
                arriving = [command, sent[int(random.integers(len(sent)))]]
        before, executed = arm.contract.setpoint.q.copy(), arm.contract.executed
        arm.contract.tick(arm.now_ns, before, arriving)
        after = arm.contract.setpoint.q.copy()
        reach = LIMITS.qd_max * ns * 1e-9
        assert np.isfinite(after).all()
        assert (np.abs(after - before) <= reach * (1 + 1e-9) + 1e-12).all(), (k, fate)
        assert (after >= LIMITS.q_min - 1e-8).all()
        assert (after <= LIMITS.q_max + 1e-8).all()
        path.append(after)
        if arm.contract.executed > executed:
            newest = next(command for command in arriving if command.seq == arm.contract.echo_seq)
            last = newest if newest.mode == "SERVO" else last
        if last is not None and (after == arm.contract.setpoint.reference).all():
            assert off_its_stop(after, last) < 1e-9, (k, fate)
    assert arm.contract.state == "DISABLED"
    assert arm.contract.setpoint.at_rest
    assert not arm.contract.powered
    # The longest stop is 1 s; what is left after it is the way to a reference that was refused nothing.
    assert len({tuple(q) for q in path[-150:]}) == 1
    return path


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    fates=st.lists(FATES, min_size=20, max_size=TICKS),
    outages=st.lists(st.tuples(st.integers(0, TICKS), st.integers(1, 150)), max_size=3),
    jitter=st.sampled_from([0.0, 0.3, 0.9]),
)
@example(seed=1, fates=["good"] * TICKS, outages=[(100, 15)], jitter=0.0)
def test_the_setpoint_never_moves_faster_than_its_limit_and_always_comes_to_rest(
    seed: int, fates: list[str], outages: list[tuple[int, int]], jitter: float
) -> None:
    run(seed, fates, outages, jitter)


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), fates=st.lists(FATES, min_size=20, max_size=100))
def test_the_same_input_gives_the_same_bits(seed: int, fates: list[str]) -> None:
    first, second = (run(seed, fates, [], 0.5) for _ in range(2))
    assert np.array(first).tobytes() == np.array(second).tobytes()


@settings(max_examples=60, deadline=None)
@given(
    v=st.tuples(st.floats(-2.0, 2.0), st.floats(-0.5, 0.5)),
    stop_s=st.floats(0.001, 1.0),
    ticks_ns=st.lists(st.integers(1, 3 * MS), min_size=10, max_size=200),
)
def test_in_silence_speed_only_falls_and_the_way_is_that_of_the_stop(
    v: tuple[float, float], stop_s: float, ticks_ns: list[int]
) -> None:
    setpoint = Setpoint(np.zeros(2), LIMITS.qd_max, LIMITS.qdd_max, stall_s=0.02)
    setpoint.advance(0)
    setpoint.command(np.zeros(2), np.array(v), stop_s, 0)
    now, speed = 0, np.abs(np.array(v))
    for ns in ticks_ns:
        now += ns
        setpoint.advance(now)
        slower = np.abs(setpoint.qd)
        assert (slower <= speed + 1e-6).all()
        speed = slower
    while not setpoint.at_rest:
        now += MS
        assert now <= stop_s * 1e9 + 4 * MS
        setpoint.advance(now)
    np.testing.assert_allclose(setpoint.q, np.array(v) * stop_s / 2, atol=1e-12)


def _judder(*, waits: bool, phase: float, seed: int) -> float:
    """How much the setpoint's velocity changes from tick to tick: rms, as a fraction of full speed.

    A sine of 1 Hz, sent and executed at 1 kHz by loops without real time: either wakes up late, the
    controller computes for 250 us and a bit, and the driver's ticks come ``phase`` periods after the
    quickest command could be there. The motion itself changes velocity by 0.0044 in a tick.
    """
    random = np.random.default_rng(seed)
    n, omega, amplitude = 3000, 2 * np.pi, 0.2
    stamps = (np.arange(n) * MS + random.exponential(20_000, n)).astype(int)
    arrivals = stamps + 250_000 + random.exponential(80_000, n).astype(int)
    ticks = (np.arange(n) * MS + 250_000 + phase * MS + random.exponential(40_000, n)).astype(int)
    t = np.arange(n) * PERIOD_S
    arm = armed()
    start = arm.now_ns
    path, newest = [], -1
    for tick in ticks:
        arrived = int(np.searchsorted(arrivals, tick, side="right")) - 1
        commands = []
        if arrived > newest:
            newest = arrived
            moment = t[newest]
            v = amplitude * omega * np.sin(omega * moment)
            arm.seq = newest
            command = arm.command(stamp_ns=start + int(stamps[newest]), stop_s=0.05)
            command.q, command.qd = (
                [amplitude * (1 - np.cos(omega * moment)), 0.0],
                [0.0 if waits else v, 0.0],
            )
            commands = [command]
        path.append(arm.tick(*commands, ns=start + int(tick) - arm.now_ns)[0])
    assert not arm.contract.rejected
    return float(np.sqrt(np.mean(np.diff(path, 2)[200:] ** 2))) / (amplitude * omega * PERIOD_S)


@pytest.mark.parametrize("phase", [0.02, 0.1, 0.3, 0.9])
def test_ordinary_jitter_makes_no_judder(phase: float) -> None:
    """A driver that went to ``q`` and waited there for the next command would stop and leap."""
    runs, waits = (_judder(waits=waits, phase=phase, seed=3) for waits in (False, True))
    print(
        f"phase {phase}: change of velocity in a tick, of full speed: {runs:.3f}; if it waited: {waits:.3f}"
    )
    assert runs < 0.1
    assert runs < 0.5 * waits


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), late_us=st.sampled_from([20, 100, 400]), phase=st.floats(0.0, 1.0))
def test_no_jitter_makes_the_driver_refuse_motion_at_the_velocity_limit(
    seed: int, late_us: int, phase: float
) -> None:
    """Loops that skip what they cannot meet, as ours do: late by any amount, but never in a burst."""
    random = np.random.default_rng(seed)

    def wake_ups(origin: float) -> list[int]:
        times, due = [], origin
        while due < 450 * MS:
            now = due + random.exponential(late_us * 1e3)
            times.append(int(now))
            due += MS * (1 + int((now - due) // MS))
        return times

    arm = armed()
    start = arm.now_ns
    sent = [(t, t + int(random.exponential(100_000))) for t in wake_ups(0.0)]
    speed = np.clip((np.arange(len(sent)) - 20) / 30, 0.0, 1.0)
    way = np.cumsum(speed) * PERIOD_S
    newest = -1
    for now in wake_ups(phase * MS):
        arrived = [k for k, (_, arrival) in enumerate(sent) if arrival <= now and k > newest]
        commands = []
        if arrived:
            newest = arrived[-1]
            command = arm.command(stamp_ns=start + sent[newest][0], stop_s=0.1)
            command.seq = newest
            command.q, command.qd = (
                (way[newest] * LIMITS.qd_max).tolist(),
                (speed[newest] * LIMITS.qd_max).tolist(),
            )
            commands = [command]
        arm.tick(*commands, ns=start + now - arm.now_ns)
    assert not arm.contract.rejected
    assert arm.contract.executed > 250
