"""The spring closed at the device: stale data, garbage, moving planes, energy, slew. No processes."""

from __future__ import annotations

import math

import numpy as np
import pytest

from teleop.haptics.passivity import TANK_J, TANK_W
from teleop.haptics.renderer import FADE_S, Renderer
from teleop.haptics.spec import HapticsSpec
from teleop.wire.messages import ConstraintPlane, ServoCf

from .test_stability import device

T = 1e-3
UP = [0.0, 0.0, 1.0]


def message(
    *planes: tuple[list[float], float],
    stiffness: float = 400.0,
    damping: float = 0.0,
    force: tuple[float, ...] = (0.0, 0.0, 0.0),
    beside: tuple[float, ...] = (0.0, 0.0, 0.0),
    torque: tuple[float, ...] = (0.0, 0.0, 0.0),
    ttl_ms: float = 20.0,
) -> ServoCf:
    return ServoCf(
        schema=1, stream="m/servo_cf", session=bytes(16), seq=0, stamp_ns=0, force_n=list(force),
        torque_nm=list(torque), beside_n=list(beside), ttl_ms=ttl_ms,
        planes=[ConstraintPlane(n, offset, stiffness, damping, "wall") for n, offset in planes],
    )  # fmt: skip


def renderer(name: str = "omega3", **spec: object) -> Renderer:
    return Renderer(device(name), HapticsSpec(**spec), T)  # type: ignore[arg-type]


def settle(r: Renderer, said: ServoCf, p: np.ndarray, ticks: int = 200, start: float = 0.0) -> float:
    """Hold the hand still under fresh messages; the time after."""
    t = start
    for k in range(ticks):
        t = start + k * T
        r.take(said, t)
        r.step(p, np.zeros(3), t)
    return t + T


def test_force_is_stiffness_times_depth_along_the_normal() -> None:
    r = renderer()
    settle(r, message((UP, 0.0)), np.array([0.0, 0.0, -0.005]))
    assert r.force == pytest.approx([0.0, 0.0, 2.0])
    assert r.depth_m == pytest.approx(0.005)


def test_nothing_is_felt_on_the_allowed_side() -> None:
    r = renderer()
    settle(r, message((UP, 0.0)), np.array([0.0, 0.0, 0.005]))
    assert not r.force.any()


def test_a_master_that_closes_no_springs_renders_the_force_as_it_comes() -> None:
    plain = Renderer(device("omega3"), HapticsSpec(), T, local=False)
    settle(plain, message((UP, 0.0), force=(1.0, 0.0, 0.0)), np.array([0.0, 0.0, -0.005]))
    assert plain.force == pytest.approx([1.0, 0.0, 0.0])
    local = renderer()
    settle(local, message((UP, 0.0), force=(9.0, 0.0, 0.0), beside=(1.0, 0.0, 0.0)), np.array([0, 0, -0.005]))
    assert local.force == pytest.approx([1.0, 0.0, 2.0])


def test_a_stiffness_over_the_bound_is_held_to_it_whatever_the_message_says() -> None:
    r = renderer("touch")
    settle(r, message((UP, 0.0), stiffness=1e5), np.array([0.0, 0.0, -0.001]))
    assert r.force[2] == pytest.approx(400.0 * 0.001)


def test_force_is_held_to_what_the_device_can() -> None:
    r = renderer("touch")
    settle(r, message((UP, 0.0)), np.array([0.0, 0.0, -0.05]), ticks=2000)
    assert np.linalg.norm(r.force) == pytest.approx(3.3)


def test_stale_planes_fade_to_zero_in_time_and_without_a_jump() -> None:
    r = renderer()
    p = np.array([0.0, 0.0, -0.02])
    t = settle(r, message((UP, 0.0), torque=(0.0, 0.0, 0.0)), p)
    full = np.linalg.norm(r.force)
    last, gone = full, None
    for k in range(100):
        size = float(np.linalg.norm(r.step(p, np.zeros(3), t + k * T)))
        assert last - size <= 12.0 / (FADE_S / T) * (1 + 1e-9) + 1e-12
        last = size
        if size == 0.0 and gone is None:
            gone = k * T
    print(f"{full:.2f} N gone {1e3 * gone:.0f} ms after the last message")
    assert gone <= 0.020 + FADE_S + 2 * T


@pytest.mark.parametrize(
    ("bad", "why"),
    [
        ({"force": (math.nan, 0.0, 0.0)}, "not_finite"),
        ({"beside": (0.0, math.inf, 0.0)}, "not_finite"),
        ({"ttl_ms": math.nan}, "not_finite"),
        ({"ttl_ms": -1.0}, "negative_ttl"),
        ({"stiffness": -100.0}, "negative_spring"),
        ({"stiffness": math.inf}, "not_finite"),
    ],
)
def test_garbage_is_refused_counted_and_not_rendered(bad: dict[str, object], why: str) -> None:
    r = renderer()
    assert not r.take(message((UP, 0.0), **bad), 0.0)  # type: ignore[arg-type]
    assert r.refused == {why: 1}
    r.step(np.array([0.0, 0.0, -0.01]), np.zeros(3), 0.0)
    assert not r.force.any()


def test_a_normal_that_is_no_direction_is_refused() -> None:
    r = renderer()
    assert not r.take(message(([0.0, 0.0, 5.0], 0.0)), 0.0)
    assert not r.take(message(([0.0, 0.0, 0.0], 0.0)), 0.0)
    assert r.refused == {"non_unit_normal": 2}


@pytest.mark.parametrize("bad", [[math.nan, 0.0, 0.0], [math.inf, 0.0, 0.0]])
def test_a_device_that_does_not_know_where_it_is_is_not_pushed(bad: list[float]) -> None:
    r = renderer()
    p = np.array([0.0, 0.0, -0.01])
    t = settle(r, message((UP, 0.0)), p)
    for k in range(60):
        f = r.step(np.array(bad), np.zeros(3), t + k * T)
        assert np.isfinite(f).all()
    assert not r.force.any()


def test_a_plane_that_appears_around_the_hand_gives_no_more_energy_than_the_tank() -> None:
    """The worst hand: weightless, it goes wherever it is pushed, and keeps what it is given."""
    r = renderer("sigma7")
    m, p, v = 0.2, np.array([0.0, 0.0, -0.05]), np.zeros(3)
    peak = 0.0
    for k in range(400):
        t = k * T
        r.take(message((UP, 0.0), stiffness=3000.0), t)
        f = r.step(p, v, t)
        v = v + f / m * T
        p = p + v * T
        peak = max(peak, 0.5 * m * float(v @ v))
    stored = 0.5 * 3000.0 * 0.05**2
    print(f"the plane stores {1e3 * stored:.0f} mJ, the hand got {1e3 * peak:.2f} mJ")
    assert peak <= 1.1 * (TANK_J + 0.4 * TANK_W)
    assert peak > 0.2 * TANK_J


def test_a_plane_that_moves_to_and_fro_gives_at_most_its_power() -> None:
    r = renderer("sigma7")
    m, p, v = 0.3, np.zeros(3), np.zeros(3)
    damped = given = 0.0
    for k in range(3000):
        t = k * T
        r.take(message((UP, 0.01 * math.sin(2 * math.pi * 4 * t)), stiffness=3000.0), t)
        f = r.step(p, v, t).copy()
        a = (f + np.array([0.0, 0.0, -2.0]) - 1.0 * v) / m
        given += float(f @ v) * T
        damped += float(v @ v) * T
        v = v + a * T
        p = p + v * T
    print(f"given {1e3 * given:.1f} mJ in 3 s; the tank's share is {1e3 * (TANK_J + 3 * TANK_W):.0f} mJ")
    assert given <= TANK_J + 3.0 * TANK_W + 1e-3


def test_force_changes_no_faster_than_the_slew_limit_whatever_comes() -> None:
    r = renderer("omega3", slew_n_s=200.0)
    rng = np.random.default_rng(5)
    last = np.zeros(3)
    for k in range(3000):
        t = k * T
        if rng.random() < 0.7:
            n = rng.normal(size=3)
            n /= np.linalg.norm(n)
            planes = [(n.tolist(), float(rng.normal() * 0.02)) for _ in range(rng.integers(0, 5))]
            r.take(
                message(*planes, beside=tuple(rng.normal(size=3) * 5), stiffness=float(rng.uniform(0, 9e3)),
                        ttl_ms=float(rng.uniform(0, 30))), t,
            )  # fmt: skip
        f = r.step(rng.normal(size=3) * 0.02, rng.normal(size=3), t)
        assert np.linalg.norm(f - last) <= 0.2 * (1 + 1e-9)
        assert np.linalg.norm(f) <= 12.0 * (1 + 1e-9)
        last = f.copy()
