"""The simulated arm: its servo against the analytic response, its encoders, and the whole of it."""

from __future__ import annotations

import tomllib
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError
from scipy import signal

from kinematics import ArmModel, ArmSpec
from teleop.drivers.sim.arm import SimArm
from teleop.drivers.sim.servo import Encoders, Servo, natural_frequency
from teleop.drivers.sim.spec import SimArmSpec
from teleop.drivers.sim.tissue import Tissue, TissueSpec
from teleop.errors import TrocarError
from teleop.wire.messages import Request, ServoJp

PSM = Path(__file__).parents[2] / "configs" / "arms" / "psm_lnd_400006.toml"
SESSION = b"s" * 16
LEASE = b"t" * 16
MS = 1_000_000
T = 1e-3


@pytest.fixture(scope="module")
def psm() -> ArmModel:
    return ArmModel.from_spec(ArmSpec.model_validate(tomllib.loads(PSM.read_text())))


def servo(
    *, bandwidth_hz: float, damping_ratio: float, delay: int = 0, rate: float = 1e9, a: float = 1e9
) -> Servo:
    return Servo(
        np.zeros(1),
        period_s=T,
        bandwidth_hz=bandwidth_hz,
        damping_ratio=damping_ratio,
        delay_ticks=delay,
        rate_max=np.array([rate]),
        acceleration_max=np.array([a]),
    )


@pytest.mark.parametrize("damping_ratio", [0.3, 0.7, 1.0, 2.0])
@pytest.mark.parametrize("bandwidth_hz", [5.0, 40.0, 150.0])
def test_the_step_response_is_that_of_the_continuous_second_order_system(
    bandwidth_hz: float, damping_ratio: float
) -> None:
    wn = natural_frequency(bandwidth_hz, damping_ratio)
    t = np.arange(0, 400) * T
    _, expected = signal.step(([wn * wn], [1.0, 2 * damping_ratio * wn, wn * wn]), T=t)
    joint = servo(bandwidth_hz=bandwidth_hz, damping_ratio=damping_ratio)
    got = [0.0]
    for _ in t[1:]:
        joint.step(np.ones(1))
        got.append(float(joint.p[0]))
    np.testing.assert_allclose(got, expected, atol=1e-9)


@pytest.mark.parametrize("damping_ratio", [0.5, 1.0, 1.5])
def test_the_gain_at_the_bandwidth_is_minus_three_decibels(damping_ratio: float) -> None:
    wn = natural_frequency(30.0, damping_ratio)
    _, h = signal.freqs([wn * wn], [1.0, 2 * damping_ratio * wn, wn * wn], worN=[2 * np.pi * 30.0])
    assert abs(h[0]) == pytest.approx(np.sqrt(0.5), rel=1e-12)


def test_the_delay_shifts_the_response_by_whole_periods() -> None:
    quick = servo(bandwidth_hz=30, damping_ratio=1.0)
    slow = servo(bandwidth_hz=30, damping_ratio=1.0, delay=7)
    random = np.random.default_rng(1)
    first, second = [], []
    for u in np.append(np.cumsum(random.normal(size=100)), np.zeros(7)):
        quick.step(np.array([u]))
        slow.step(np.array([u]))
        first.append(quick.p[0])
        second.append(slow.p[0])
    np.testing.assert_array_equal(second[7:], first[:-7])
    assert not np.any(second[:7])


@pytest.mark.parametrize("a", [50.0, 1e9])
def test_rate_and_acceleration_stay_within_the_motors(a: float) -> None:
    joint = servo(bandwidth_hz=100, damping_ratio=1.0, rate=2.0, a=a)
    p, v = [0.0], [0.0]
    for k in range(2000):
        joint.step(np.array([1.0 if k % 1000 < 500 else -1.0]))
        p.append(joint.p[0])
        v.append(joint.v[0])
    assert np.max(np.abs(v)) == pytest.approx(2.0)
    assert np.max(np.abs(np.diff(v))) <= a * T * (1 + 1e-9)
    # Within a period the linear step may be a little faster than at its ends.
    assert np.max(np.abs(np.diff(p))) <= 2.0 * T * 1.03


def test_a_servo_at_rest_stays_at_rest_to_the_last_bit() -> None:
    start = np.array([0.1234567890123])
    joint = Servo(
        start,
        period_s=T,
        bandwidth_hz=40,
        damping_ratio=1.0,
        delay_ticks=2,
        rate_max=np.ones(1),
        acceleration_max=np.ones(1),
    )
    for _ in range(1000):
        joint.step(start)
    assert joint.p.tobytes() == start.tobytes()


def test_encoders_read_whole_counts_with_the_stated_noise() -> None:
    quantum, noise = np.array([1e-4]), np.array([5e-4])
    encoders = Encoders(quantum, noise, seed=5)
    readings = np.array([encoders.read(np.array([0.3])) for _ in range(20_000)])[:, 0]
    counts = readings / quantum
    np.testing.assert_allclose(counts, np.round(counts), atol=1e-6)
    # Rounding adds a uniform error of variance quantum²/12.
    assert np.std(readings) == pytest.approx(np.sqrt(noise[0] ** 2 + quantum[0] ** 2 / 12), rel=0.03)
    assert np.mean(readings) == pytest.approx(0.3, abs=3e-5)


# -- the whole arm ---------------------------------------------------------------------------------------


class Drive:
    """A simulated PSM with a lease, and a clock."""

    def __init__(self, psm: ArmModel, **settings: object) -> None:
        self.sim = SimArm("psm", psm, SimArmSpec(**settings), new_token=lambda: LEASE)  # type: ignore[arg-type]
        self.now = 10**9
        self.seq = 0
        assert self.ask("acquire", session=SESSION)
        assert self.ask("enable")

    def ask(self, op: str, **args: object) -> bool:
        return self.sim.contract.request(b"c", Request(id=1, op=op, args=args), self.now).ok

    def tick(self, q: np.ndarray | None = None, qd: np.ndarray | None = None, jaw_rad: float = 0.0) -> None:
        self.now += MS
        self.seq += 1
        commands = []
        if q is not None:
            commands = [
                ServoJp(
                    schema=1,
                    stream="psm/servo_jp",
                    session=SESSION,
                    seq=self.seq,
                    stamp_ns=self.now,
                    mode="SERVO",
                    q=q.tolist(),
                    qd=(np.zeros_like(q) if qd is None else qd).tolist(),
                    stop_s=0.15,
                    jaw_rad=jaw_rad,
                    ttl_ms=10.0,
                    lease=LEASE,
                )
            ]
        self.sim.step(self.now, commands)


def test_it_homes_from_where_it_starts_and_then_follows(psm: ArmModel) -> None:
    start = psm.home + 0.05 * (psm.limits.q_max - psm.limits.q_min)
    drive = Drive(psm, q_start=start.tolist())
    np.testing.assert_allclose(drive.sim.q, start, atol=1e-4)
    assert drive.ask("home")
    ticks = 0
    while drive.sim.contract.is_busy:
        drive.tick()
        ticks += 1
        assert ticks < 10_000
    assert ticks >= 1000
    for _ in range(100):
        drive.tick(psm.home)
    np.testing.assert_allclose(drive.sim.q, psm.home, atol=1e-4)
    t = np.arange(1000) * T
    swing = 0.1 * (1 - np.cos(2 * np.pi * t))
    for s, ds in zip(swing, np.gradient(swing, T), strict=True):
        drive.tick(psm.home + s * 0.1, np.full(psm.n, ds * 0.1))
    assert drive.sim.contract.state == "ENABLED"
    assert not drive.sim.contract.rejected


def test_it_trails_a_ramp_by_the_servos_own_lag_and_the_delay(psm: ArmModel) -> None:
    """A second-order system trails a ramp of speed v by 2 ζ v / wn; the delay and the held setpoint add."""
    drive = Drive(psm, homed_at_start=True, noise_counts=0.0, bandwidth_hz=20.0, delay_ms=3.0)
    v = np.array([0.5, 0.0, 0.0, 0.0, 0.0, 0.0])
    for k in range(1, 1001):
        drive.tick(psm.home + k * T * v, v)
    lag = 1000 * T * 0.5 - (drive.sim.q[0] - psm.home[0])
    expected = 0.5 * (2.0 / natural_frequency(20.0, 1.0) + 3 * T - T / 2)
    assert lag == pytest.approx(expected, abs=T * 0.5 / 2 + 1e-5)


def test_a_loop_that_wakes_late_and_misses_periods_does_not_shake_the_arm(psm: ArmModel) -> None:
    """A wrist at 10 rad/s: 0.4 ms of lateness, let into the motion, would saturate its motors."""
    a, top, random = 100.0, 10.0, np.random.default_rng(7)
    speed = np.minimum(a * T * np.arange(1, 131), top)
    way = np.cumsum(speed) * T

    def run(late_s: float, missing: float) -> np.ndarray:
        drive, at = Drive(psm, homed_at_start=True, noise_counts=0.0), 0
        place = np.full(len(way), np.nan)
        gone = random.random(len(way)) < missing
        for k in range(len(way)):
            drive.now += MS
            drive.seq += 1
            if gone[k]:
                continue  # the loop slept over this period, and the next command replaced this one
            v = np.zeros(psm.n)
            v[5] = speed[k]
            q = psm.home.copy()
            q[5] += way[k]
            command = ServoJp(
                schema=1, stream="psm/servo_jp", session=SESSION, seq=drive.seq, stamp_ns=drive.now - MS // 2,
                mode="SERVO", q=q.tolist(), qd=v.tolist(), stop_s=max(speed[k] / a, T), jaw_rad=0.0,
                ttl_ms=10.0, lease=LEASE,
            )  # fmt: skip
            wakes = drive.now + round(late_s * random.random() * 1e9)
            drive.sim.step(wakes, [command], k + 1 - at, drive.now)
            at = k + 1
            place[k] = drive.sim.q[5]
        assert not drive.sim.contract.rejected
        return place

    even = run(0.0, 0.0)
    off = np.abs(run(0.4e-3, 0.1) - even)
    assert np.nanmax(off) < 1e-3


def test_the_jaw_moves_at_its_rate_and_keeps_its_grasp_when_commands_fail(psm: ArmModel) -> None:
    assert psm.jaw is not None
    drive = Drive(psm, homed_at_start=True, noise_counts=0.0)
    openings = []
    for _ in range(400):
        drive.tick(psm.home, jaw_rad=1.0)
        openings.append(drive.sim.jaw_rad)
    assert openings[-1] == pytest.approx(1.0, abs=1e-3)
    # The motors of the servo may be this much faster than the limit while they catch up.
    assert np.max(np.abs(np.diff(openings))) <= 1.2 * psm.jaw.qd_max_rad_s * T
    for _ in range(300):
        drive.tick()
    assert drive.sim.jaw_rad == pytest.approx(1.0, abs=1e-3)


def test_the_same_seed_and_inputs_give_the_same_bits(psm: ArmModel) -> None:
    def run(seed: int) -> bytes:
        drive = Drive(psm, homed_at_start=True, seed=seed)
        out = []
        for k in range(500):
            drive.tick(psm.home + 1e-4 * k if k % 7 else None)
            out.append(np.concatenate([drive.sim.q, drive.sim.qd]))
        return np.array(out).tobytes()

    assert run(3) == run(3)
    assert run(3) != run(4)


def test_settings_that_do_not_fit_the_arm_say_so(psm: ArmModel) -> None:
    def build(**settings: object) -> None:
        SimArm("left", psm, SimArmSpec(**settings), new_token=lambda: LEASE)  # type: ignore[arg-type]

    with pytest.raises(TrocarError, match=r"left: q_start of joint pitch is 3, not within .* -0.925"):
        build(q_start=[0, 3, 0.12, 0, 0, 0])
    with pytest.raises(TrocarError, match="q_start has 2 numbers, the arm has 6 joints"):
        build(q_start=[0, 0])
    with pytest.raises(TrocarError, match="joint 0: q_max = -2 must be above q_min"):
        build(limits={"q_max": [-2, 1, 1, 1, 1, 1]})
    with pytest.raises(TrocarError, match=r"home of joint insertion is 0\.12"):
        build(limits={"q_max": [1, 1, 0.1, 1, 1, 1]})
    with pytest.raises(ValidationError, match=r"lease_ttl_s = 0.05 must be above 0.1"):
        build(lease_ttl_s=0.05)
    with pytest.raises(ValidationError, match="finite"):
        build(bandwidth_hz=float("nan"))


def test_the_driver_keeps_its_own_limits_where_they_are_tighter(psm: ArmModel) -> None:
    drive = Drive(psm, homed_at_start=True, limits={"qd_max": [0.1] * 6})
    drive.tick(psm.home)
    drive.tick(psm.home + np.array([2e-4, 0, 0, 0, 0, 0]))
    assert drive.sim.contract.rejected == {"step": 1}


def test_effort_is_what_a_virtual_displacement_costs(psm: ArmModel) -> None:
    q0 = np.array(psm.home)
    tip = psm.forward(q0)[:3, 3]
    normal = np.array([1.0, 2.0, 2.0]) / 3.0
    depth, k = 0.004, 500.0
    point = tip + depth * normal
    tissue = TissueSpec(point_m=point.tolist(), normal=(7.0 * normal).tolist(), stiffness_n_m=k)
    sim = SimArm("PSM1", psm, SimArmSpec(tissue=tissue, noise_counts=0.0), new_token=lambda: LEASE)
    assert sim.effort is not None

    def stored(q: np.ndarray) -> float:
        inside = max(0.0, float((point - psm.forward(q)[:3, 3]) @ normal))
        return 0.5 * k * inside * inside

    # Held still, the motors give the slope of the energy that the tissue stores.
    h = 1e-6
    slope = [(stored(q0 + h * e) - stored(q0 - h * e)) / (2 * h) for e in np.eye(psm.n)]
    np.testing.assert_allclose(sim.effort, slope, atol=1e-6)
    assert np.abs(sim.effort).max() > 0.05


def test_tissue_damps_and_never_pulls_and_effort_is_zero_outside_and_none_without(psm: ArmModel) -> None:
    q = np.array(psm.home)
    tip = psm.forward(q)[:3, 3]
    J = psm.at(q).jacobian[:3].copy()
    spec = TissueSpec(
        point_m=(tip + np.array([0.0, 0.0, 0.002])).tolist(), stiffness_n_m=500.0, damping_ns_m=10.0
    )
    touched = Tissue(spec, psm)
    for v, force in ((-0.05, 1.5), (0.0, 1.0), (0.05, 0.5), (0.2, 0.0)):
        touched.effort(q, np.linalg.pinv(J) @ [0.0, 0.0, v])
        assert touched.force == pytest.approx([0.0, 0.0, force], abs=1e-9)
    away = Tissue(TissueSpec(point_m=(tip - np.array([0.0, 0.0, 0.002])).tolist()), psm)
    assert not away.effort(q, np.zeros(psm.n)).any()
    assert SimArm("PSM1", psm, SimArmSpec(), new_token=lambda: LEASE).effort is None
    with pytest.raises(ValidationError, match="has no direction"):
        TissueSpec(point_m=[0.0, 0.0, 0.0], normal=[0.0, 0.0, 0.0])
