"""A region that changes its shape while the arm works beside it, through the whole controller."""

from __future__ import annotations

import math

import numpy as np

from .rig import Rig

SPEED = 0.01
FRAME_TICKS = 40
CENTER = np.array([0.0, 0.0, -0.142])


def _radius(t: np.ndarray | float) -> np.ndarray | float:
    """The true radius at time t [s] of the controller's clock: never faster than SPEED."""
    return 0.010 + SPEED / (2 * math.pi) * np.sin(2 * math.pi * np.asarray(t))


def _shape(radius_m: float, stamp_ns: int) -> dict[str, object]:
    return {
        "kind": "forbidden",
        "name": "organ",
        "geometry": {"shape": "sphere", "center_m": CENTER.tolist(), "radius_m": radius_m},
        "deforms": {"speed_m_s": SPEED, "stamp_ns": stamp_ns},
    }


def test_an_organ_that_is_imaged_25_times_a_second_is_never_touched() -> None:
    rig = Rig(scale=1.0)
    rig.run(5)
    arm = rig.pair.arm
    centers = np.zeros((arm.bodies.count, 3))
    least, nearest = math.inf, math.inf
    p = np.zeros(3)
    rig.request("set_fixture", fixture=_shape(float(_radius(rig.now_ns * 1e-9)), rig.now_ns))
    rig.bring_up()
    previous = rig.sent[-1]
    for k in range(2400):
        if k % FRAME_TICKS == 0:  # imaged 15 ms before it arrives
            stamp_ns = rig.now_ns - 15_000_000
            reply = rig.request("set_fixture", fixture=_shape(float(_radius(stamp_ns * 1e-9)), stamp_ns))
            assert reply.ok, reply.error
        p += np.clip(np.array([0.01 * math.sin(k * 2e-3), 0.0, -0.05]) - p, -5e-5, 5e-5)
        rig.hand.p_m = p.tolist()
        began = rig.now_ns * 1e-9
        rig.tick()
        command = rig.commands[-1]
        q, qd = np.array(command.q), np.array(command.qd)
        for s in (0.5, 1.0):
            ways = [(began + s * 1e-3, previous + s * (q - previous))]
            ways += [(began + 1e-3 + s * command.stop_s, q + qd * command.stop_s * s * (1 - s / 2))]
            for t, way in ways:
                arm.sphere_centers(way, centers)
                away = np.linalg.norm(centers - CENTER, axis=1) - arm.bodies.radii
                least = min(least, float(away.min() - _radius(t)))
        if k > 1200:
            nearest = min(nearest, float(away.min() - _radius(t)))
        previous = q
    print(f"smallest clearance {1e6 * least:.1f} um")
    assert least >= 0.0
    assert nearest < SPEED * 0.15  # it works beside it


def test_a_shape_from_the_future_or_long_ago_is_refused() -> None:
    rig = Rig()
    rig.run(2)
    for stamp_ns in (rig.now_ns + 1_000_000_000, rig.now_ns - 2_000_000_000):
        reply = rig.request("set_fixture", fixture=_shape(0.01, stamp_ns))
        assert not reply.ok
        assert "stamp_ns" in reply.error
    assert rig.scene.names == ()
