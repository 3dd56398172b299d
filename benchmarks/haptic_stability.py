"""Where does a virtual wall give out energy? Stiffness, delay, rate, device, beside a plain spring.

Run: ``python benchmarks/haptic_stability.py [--picture F.png] [--quick]``. A hand of 0.1 kg with the
lightest grip that the bound counts on (1 N s/m) drops from 10 mm onto a wall and leans on it. For each
cell: the bound, the energy that the wall gave out beyond what that damping takes, and how far the handle
still moves in the last half second. *Plain* renders ``f = K depth``; *ours* is asked for the same K and
caps it where the profile is loaded. Force limits are lifted, so that only stability is seen.
"""

from __future__ import annotations

import argparse
import itertools
from dataclasses import dataclass

import numpy as np

from teleop.config.toml import profiles_dir, read_toml, validate
from teleop.devices.device import Velocity
from teleop.devices.sim.model import HandModelSpec, HandOnDevice
from teleop.haptics.device import DeviceSpec
from teleop.haptics.renderer import Renderer
from teleop.haptics.spec import HapticsSpec
from teleop.haptics.stability import passive_bound, springs
from teleop.wire.messages import ConstraintPlane, ServoCf

GRIP = 1.0
HAND = HandModelSpec(mass_kg=0.1, damping_ns_m=GRIP, stiffness_n_m=200.0)
STILL = np.zeros(3)
DEVICES = ("touch", "omega3", "sigma7")
STIFFNESS = (200.0, 400.0, 800.0, 1500.0, 3000.0, 6000.0)
DELAY_S = (0.0, 1e-3, 2e-3, 5e-3)
RATE_HZ = (500.0, 1000.0, 4000.0)
NUMERICAL_J = 1e-6
SECONDS = 3.0
"""The lightest grip rings down from the first blow for two seconds; what still moves after that buzzes."""
Cell = tuple[str, float, float, float]


@dataclass(frozen=True)
class Outcome:
    """What became of one contact: energy given out [J] and movement at the end [m]."""

    given_j: float
    moving_m: float

    @property
    def buzzes(self) -> bool:
        """Whether a hand would feel it."""
        return self.moving_m > 5e-4


def _wall(stiffness: float) -> ServoCf:
    plane = ConstraintPlane([0.0, 0.0, 1.0], 0.0, stiffness, 0.0, "wall")
    return ServoCf(
        schema=1, stream="", session=bytes(16), seq=0, stamp_ns=0, force_n=[0.0] * 3, torque_nm=[0.0] * 3,
        planes=[plane], ttl_ms=1e6,
    )  # fmt: skip


def touch(device: DeviceSpec, stiffness: float, renderer: Renderer | None, seconds: float) -> Outcome:
    """One contact; without a renderer, of the plain spring."""
    handle = HandOnDevice(HAND, device, np.array([0.0, 0.0, 0.01]))
    velocity, period = Velocity(), 1.0 / device.rate_hz
    intent, force = np.array([0.0, 0.0, -0.01]), np.zeros(3)
    given, track = 0.0, []
    if renderer is not None:
        renderer.take(_wall(stiffness), 0.0)
    for k in range(round(seconds / period)):
        p = handle.measured
        if renderer is None:
            force[2] = stiffness * max(0.0, -p[2])
        else:
            force = renderer.step(p, velocity.step(p, period), k * period)
        handle.advance(period, force, intent, STILL)
        damping = device.damping_ns_m + GRIP
        given = max(given, handle.from_device_j - damping * handle.viscous_m2_s)
        track.append(handle.p[2])
    return Outcome(given, float(np.ptp(track[-round(0.5 / period) :])))


def profile(name: str, rate_hz: float, delay_s: float) -> DeviceSpec:
    table = read_toml(profiles_dir() / "devices" / f"{name}.toml")
    spec: DeviceSpec = validate(DeviceSpec, {**table, "rate_hz": rate_hz, "delay_s": delay_s}, name)
    return spec.model_copy(update={"max_force_n": 100.0, "max_stiffness_n_m": 1e5})


def report(cells: dict[Cell, tuple[float, Outcome, Outcome]]) -> None:
    """The three sentences that matter."""
    within = [plain.given_j for (*_, k), (bound, plain, _) in cells.items() if k <= bound]
    beyond = [plain for (*_, k), (bound, plain, _) in cells.items() if k > bound]
    ours = [mine for _, _, mine in cells.values()]
    active, buzzing = sum(o.given_j > NUMERICAL_J for o in beyond), sum(o.buzzes for o in beyond)
    most = max(o.given_j for o in ours)
    print()
    print(
        f"{len(within)} cells within the bound: the plain spring gives out {1e6 * max(within):.2f} uJ at most"
    )
    print(f"{len(beyond)} cells beyond: it gives out energy in {active}, and buzzes in {buzzing}")
    print(
        f"ours, asked for all of them: {1e6 * most:.2f} uJ at most, buzzes in {sum(o.buzzes for o in ours)}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--picture", help="write the map as an image")
    parser.add_argument("--quick", action="store_true", help="one device, two rates")
    options = parser.parse_args()
    devices = DEVICES[:1] if options.quick else DEVICES
    rates = RATE_HZ[:2] if options.quick else RATE_HZ
    cells: dict[Cell, tuple[float, Outcome, Outcome]] = {}
    print(f"{'':26}{'':8}{'plain':>18}{'ours':>24}")
    print(f"{'device':8}{'Hz':>6}{'ms':>5}{'K':>7}{'bound':>8}{'uJ':>11}{'mm':>7}{'K':>8}{'uJ':>9}{'mm':>7}")
    for name, rate, delay, stiffness in itertools.product(devices, rates, DELAY_S, STIFFNESS):
        spec = profile(name, rate, delay)
        bound = passive_bound(
            damping_ns_m=spec.damping_ns_m + GRIP,
            virtual_damping_ns_m=0.0,
            period_s=1.0 / rate,
            delay_s=delay,
            friction_n=spec.friction_n,
            resolution_m=spec.resolution_m,
        ).stiffness_n_m
        asked = HapticsSpec(stiffness_n_m=stiffness, grip_damping_ns_m=GRIP, round_trip_ms=0.0)
        got = springs(asked, spec).planes.stiffness_n_m
        plain = touch(spec, stiffness, None, SECONDS)
        ours = touch(spec, stiffness, Renderer(spec, asked, 1.0 / rate), SECONDS)
        cells[name, rate, delay, stiffness] = (bound, plain, ours)
        print(
            f"{name:8}{rate:6.0f}{1e3 * delay:5.0f}{stiffness:7.0f}{bound:8.0f}"
            f"{1e6 * plain.given_j:11.1f}{1e3 * plain.moving_m:7.2f}"
            f"{got:8.0f}{1e6 * ours.given_j:9.1f}{1e3 * ours.moving_m:7.2f}",
            flush=True,
        )
    report(cells)
    if options.picture:
        draw(cells, devices, rates, options.picture)


def draw(
    cells: dict[Cell, tuple[float, Outcome, Outcome]],
    devices: tuple[str, ...],
    rates: tuple[float, ...],
    path: str,
) -> None:
    """One panel a device and rate: K over delay."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    size = (3.4 * len(rates), 2.9 * len(devices))
    figure, axes = plt.subplots(
        len(devices), len(rates), figsize=size, squeeze=False, sharex=True, sharey=True
    )
    for (row, name), (column, rate) in itertools.product(enumerate(devices), enumerate(rates)):
        panel = axes[row][column]
        panel.set_title(f"{name}, {rate:.0f} Hz", fontsize=10)
        panel.set_yscale("log")
        line = []
        for delay, stiffness in itertools.product(DELAY_S, STIFFNESS):
            bound, plain, ours = cells[name, rate, delay, stiffness]
            line.append((1e3 * delay, bound))
            active = plain.given_j > NUMERICAL_J
            colour = "tab:red" if plain.buzzes else "tab:orange" if active else "tab:green"
            panel.plot(1e3 * delay, stiffness, "s", color=colour, markersize=9)
            mark = "x" if ours.buzzes else "o"
            panel.plot(1e3 * delay, stiffness, mark, color="white", markersize=3.5)
        panel.plot(*zip(*sorted(line), strict=True), "k-", linewidth=1)
        panel.set_ylim(150, 9000)
    for panel in axes[-1]:
        panel.set_xlabel("delay [ms]")
    for panel in axes[:, 0]:
        panel.set_ylabel("K asked [N/m]")
    figure.suptitle(
        "square: plain spring: green passive, orange active, red buzzes;  dot: ours is still;  line: bound",
        fontsize=9,
    )
    figure.tight_layout()
    figure.savefig(path, dpi=110)


if __name__ == "__main__":
    main()
