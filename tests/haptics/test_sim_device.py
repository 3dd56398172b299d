"""Hand, device and renderer in a closed loop: contact, energy, stability. No processes, no controller."""

from __future__ import annotations

import numpy as np
import pytest

from teleop.devices.device import Velocity
from teleop.devices.sim.device import HapticSimSpec, SimDevice
from teleop.devices.sim.model import HandModelSpec, HandOnDevice
from teleop.haptics.renderer import Renderer
from teleop.haptics.spec import HapticsSpec
from teleop.masters.synthetic import synthetic

from .test_renderer import UP, message
from .test_stability import device

STILL = np.zeros(3)


def test_energy_of_the_model_is_conserved() -> None:
    """What hand and device put in is what the mass has and what friction took: by the work of each force."""
    spec = device("omega3", damping_ns_m=0.0, friction_n=0.0)
    handle = HandOnDevice(HandModelSpec(mass_kg=0.1, damping_ns_m=0.0, stiffness_n_m=200.0), spec)
    for k in range(500):
        handle.advance(1e-3, np.array([np.sin(0.02 * k), 0.0, 0.5]), STILL, STILL)
    kinetic = 0.5 * (0.1 + spec.inertia_kg) * float(handle.v @ handle.v)
    stored = handle.worked_j + handle.from_device_j
    assert stored == pytest.approx(kinetic, rel=0.05)
    assert handle.worked_j == pytest.approx(-0.5 * 200.0 * float(handle.p @ handle.p), rel=0.05, abs=1e-4)


def test_a_held_handle_settles_where_spring_and_force_balance() -> None:
    spec = device("omega3", friction_n=0.0)
    handle = HandOnDevice(HandModelSpec(stiffness_n_m=300.0), spec)
    for _ in range(3000):
        handle.advance(1e-3, np.array([0.0, 0.0, 3.0]), STILL, STILL)
    assert handle.p == pytest.approx([0.0, 0.0, 0.01], abs=1e-5)
    counts = handle.measured / spec.resolution_m
    assert counts == pytest.approx(np.round(counts), abs=1e-9)


def test_a_force_is_felt_after_the_delay_and_not_before() -> None:
    handle = HandOnDevice(HandModelSpec(), device("omega3", delay_s=5e-3, friction_n=0.0))
    push = np.array([1.0, 0.0, 0.0])
    for _ in range(5):
        handle.advance(1e-3, push, STILL, STILL)
    assert not handle.p.any()
    handle.advance(1e-3, push, STILL, STILL)
    assert handle.p[0] > 0.0


def test_no_force_beyond_the_motors() -> None:
    handle = HandOnDevice(HandModelSpec(stiffness_n_m=0.0, damping_ns_m=0.0), device("touch", friction_n=0.0))
    handle.advance(1e-3, np.array([100.0, 0.0, 0.0]), STILL, STILL)
    assert handle.v[0] < 3.3 / 0.195 * 1e-3 * 1.01


def contact(
    renderer: Renderer, handle: HandOnDevice, push_m: float, seconds: float = 3.0
) -> tuple[np.ndarray, float]:
    """The hand pushes ``push_m`` behind a plane at z = 0; track of z, and the most energy ever given out."""
    velocity = Velocity()
    z, worst = [], 0.0
    intent = np.array([0.0, 0.0, -push_m])
    said = message((UP, 0.0), stiffness=1e5)
    for k in range(round(seconds / 1e-3)):
        t = k * 1e-3
        renderer.take(said, t)
        p = handle.measured
        f = renderer.step(p, velocity.step(p, 1e-3), t)
        handle.advance(1e-3, f, intent, STILL)
        z.append(handle.p[2])
        # What the wall gave out beyond what the damping that the bound counts on takes.
        damping = handle.device.damping_ns_m + 1.0
        worst = max(worst, handle.from_device_j - damping * handle.viscous_m2_s)
    return np.array(z), worst


@pytest.mark.parametrize("name", ["touch", "touch_x", "omega3", "sigma7", "mtm", "generic"])
def test_contact_with_every_device_is_stable_and_gives_out_no_energy(name: str) -> None:
    spec = device(name)
    # The lightest grip that the bound counts on, and a hand heavy and stiff enough to bounce.
    hand = HandModelSpec(mass_kg=0.1, damping_ns_m=1.0, stiffness_n_m=200.0)
    start = np.array([0.0, 0.0, 0.01])
    z, given = contact(Renderer(spec, HapticsSpec(), 1e-3), HandOnDevice(hand, spec, start), 0.01)
    rest = z[-500:]
    print(f"{name}: at {1e3 * rest.mean():.2f} mm +- {1e6 * np.ptp(rest):.1f} um, gave {1e6 * given:.1f} uJ")
    assert np.ptp(rest) < 2 * spec.resolution_m + 1e-6
    assert given < 1e-5


def test_the_same_hand_feels_and_stops_where_a_numb_one_goes_on() -> None:
    spec = HapticSimSpec(kind="haptic_sim", seed=3, motion_s=10.0)
    profile = device("omega3")
    felt = SimDevice(synthetic(spec), spec.hand, profile)
    numb = SimDevice(synthetic(spec), spec.hand, profile)
    renderer = Renderer(profile, HapticsSpec(), 1e-3)
    velocity = Velocity()
    said = message((UP, -0.003), stiffness=2000.0)
    felt.start(0)
    numb.start(0)
    deepest = [0.0, 0.0]
    for k in range(1, 8000):
        now = k * 1_000_000
        p = felt.read(now).p_m
        renderer.take(said, 1e-9 * now)
        felt.apply(renderer.step(p, velocity.step(p, 1e-3), 1e-9 * now), STILL)
        deepest[0] = min(deepest[0], float(felt.handle.p[2]) + 0.003)
        deepest[1] = min(deepest[1], float(numb.read(now).p_m[2]) + 0.003)
    print(f"deepest behind the plane: {-1e3 * deepest[0]:.2f} mm felt, {-1e3 * deepest[1]:.2f} mm numb")
    assert deepest[1] < -0.003
    assert deepest[0] > 0.35 * deepest[1]


def test_the_same_seed_is_the_same_to_the_bit() -> None:
    def run() -> np.ndarray:
        spec = HapticSimSpec(kind="haptic_sim", seed=7, motion_s=5.0)
        one = SimDevice(synthetic(spec), spec.hand, device("touch"))
        one.start(0)
        for k in range(1, 2000):
            one.read(k * 1_000_000)
            one.apply(np.array([0.1, 0.0, 0.0]), STILL)
        return one.handle.p

    assert (run() == run()).all()
