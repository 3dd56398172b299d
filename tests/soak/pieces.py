"""Random pieces of scenes: bodies, rooms, how they move or swell, and where they are put."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.spatial.transform import Rotation

from .plan import WRISTED, ArmPlace, Array, Plan, Rng, Table, clearance_at_home
from .solids import Mesh, Region


def direction(rng: Rng) -> Array:
    """A unit vector (3,)."""
    v = rng.normal(size=3)
    return v / np.linalg.norm(v)


def vec(v: Array) -> list[float]:
    """As TOML takes it."""
    return [float(x) for x in v]


def margin(rng: Rng) -> Table:
    """Often none, else 0.2 mm."""
    return {"registration_m": float(rng.choice([0.0, 0.0, 2e-4]))}


def some_bodies(rng: Rng, arm: ArmPlace) -> list[str]:
    """Bodies that a region guards."""
    choices = [["all"], ["tip"], ["tip", "jaw", "shaft"]]
    if "wrist" in arm.oracle.body_names:
        choices.append(list(WRISTED))
    return choices[int(rng.integers(len(choices)))]


def any_shape(rng: Rng) -> Table:
    """A body about its own origin, 4 to 40 mm."""
    r = float(10 ** rng.uniform(-2.7, -1.9))
    axis = direction(rng) * rng.uniform(0.5, 2.0) * r
    ends = {"start_m": vec(-axis), "end_m": vec(axis)}
    zero = [0.0, 0.0, 0.0]
    match int(rng.integers(6)):
        case 0:
            return {"shape": "sphere", "center_m": zero, "radius_m": r}
        case 1:
            return {"shape": "box", "center_m": zero, "size_m": vec(r * rng.uniform(0.5, 2.5, 3))}
        case 2:
            return {"shape": "capsule", **ends, "radius_m": r}
        case 3:
            return {"shape": "cylinder", **ends, "radius_m": r}
        case 4:
            return {
                "shape": "frustum",
                **ends,
                "start_radius_m": r,
                "end_radius_m": r * rng.uniform(0.1, 0.9),
            }
    return {"shape": "half_space", "normal": vec(direction(rng)), "point_m": zero}


def thin_wall(rng: Rng) -> Table:
    """A sheet of 0.2 to 1 mm."""
    size = [rng.uniform(2e-4, 1e-3), rng.uniform(0.01, 0.05), rng.uniform(0.01, 0.05)]
    return {"shape": "box", "center_m": [0.0, 0.0, 0.0], "size_m": vec(np.array(size))}


def place(rng: Rng, plan: Plan, fixture: Table, mesh: Mesh | None = None, least: float | None = None) -> bool:
    """Slide a fixture from afar towards the tip of an arm, until it is as near as drawn, and take it."""
    arm = plan.arms[int(rng.integers(len(plan.arms)))]
    gap = least if least is not None else float(10 ** rng.uniform(-2.9, -1.9))
    way = direction(rng)
    way[2] = -abs(way[2]) if rng.random() < 0.7 else way[2]
    turned = vec(Rotation.random(random_state=rng).as_quat())
    far, near = 0.25, 0.0

    def at(s: float) -> Table:
        return {**fixture, "pose": {"position_m": vec(arm.tip + s * way), "quat_xyzw": turned}}

    if clearance_at_home(plan.arms, Region.of(at(far), mesh)) < gap:
        return False
    for _ in range(18):
        middle = 0.5 * (far + near)
        if clearance_at_home(plan.arms, Region.of(at(middle), mesh)) >= gap:
            far = middle
        else:
            near = middle
    return plan.add(at(far), mesh)


def forbid(rng: Rng, plan: Plan, name: str, shape: Table, **keys: Any) -> bool:
    """Put a forbidden region near the arm; False if it leaves the arm no room."""
    for _ in range(8):
        fixture = {
            "kind": "forbidden", "name": name, "geometry": shape, "bodies": some_bodies(rng, plan.arms[0]),
            "margin": margin(rng), **keys,
        }  # fmt: skip
        if place(rng, plan, fixture):
            return True
    return False


def room(rng: Rng, plan: Plan, name: str = "room", **keys: Any) -> bool:
    """Something to stay inside: its inner edges are concave corners."""
    arm = plan.arms[0]
    guarded = list(WRISTED) if "wrist" in arm.oracle.body_names else ["tip", "jaw"]
    mask = arm.mask(tuple(guarded))
    low = (arm.centers[mask] - arm.oracle.radii[mask, None]).min(axis=0)
    high = (arm.centers[mask] + arm.oracle.radii[mask, None]).max(axis=0)
    middle, size = 0.5 * (low + high), (high - low) + 2 * rng.uniform(3e-3, 0.02, 3)
    zero = [0.0, 0.0, 0.0]
    reach = float(np.linalg.norm(high - low) / 2 + rng.uniform(3e-3, 0.02))
    axis = direction(rng) * reach
    match int(rng.integers(4)):
        case 0:
            shape: Table = {"shape": "box", "center_m": zero, "size_m": vec(size)}
        case 1:
            shape = {"shape": "sphere", "center_m": zero, "radius_m": reach}
        case 2:
            shape = {"shape": "cylinder", "start_m": vec(-axis), "end_m": vec(axis), "radius_m": reach}
        case _:
            shape = {
                "shape": "frustum", "start_m": vec(-axis * 1.5), "end_m": vec(axis * 1.5),
                "start_radius_m": 2 * reach, "end_radius_m": 0.8 * reach,
            }  # fmt: skip
    pose = {"position_m": vec(middle)}
    fixture = {
        "kind": "keep_in", "name": name, "geometry": shape, "bodies": guarded, "pose": pose,
        "margin": margin(rng), **keys,
    }  # fmt: skip
    return plan.add(fixture)


def beat(rng: Rng, speed: float | None = None) -> Table:
    """A sine at up to 50 mm/s, half of them at that, unless ``speed`` [m/s] says how fast."""
    rate = float(rng.uniform(0.3, 5.0))
    if speed is None:
        speed = 0.05 if rng.random() < 0.5 else float(rng.uniform(0.005, 0.05))
    amplitude = direction(rng) * speed / (2 * np.pi * rate)
    wave = {"amplitude_m": vec(amplitude), "rate_hz": rate, "phase_rad": float(rng.uniform(0, 6))}
    return {"type": "periodic", "waves": [wave]}


def turning(rng: Rng, rate: float) -> Table:
    """To and fro about a random axis, at up to 1 rad/s."""
    angle = float(10 ** rng.uniform(-1.5, 0.0)) / (2 * np.pi * rate)
    return {"axis": direction(rng), "angle": angle, "rate": rate, "phase": float(rng.uniform(0, 6))}


def swelling(rng: Rng, rest: Table) -> Table:
    """Geometry and frames of a body whose radius beats: imaged 12 to 60 times a beat, at up to 20 mm/s.

    ``Region.of`` takes the frames' first harmonic for the truth.
    """
    rate, speed = float(rng.uniform(0.3, 2.0)), float(rng.uniform(0.002, 0.02))
    amplitude = min(speed / (2 * np.pi * rate), 0.5 * rest["radius_m"])
    count, phase = int(rng.integers(12, 61)), rng.uniform(0, 2 * np.pi)
    radii = rest["radius_m"] + amplitude * np.sin(2 * np.pi * np.arange(count) / count + phase)
    frames = [
        {"at_s": k / count / rate, "geometry": {**rest, "radius_m": float(radii[k])}} for k in range(1, count)
    ]
    deforms = {"speed_m_s": 2 * np.pi * rate * amplitude, "period_s": 1 / rate, "frames": frames}
    return {"shape": {**rest, "radius_m": float(radii[0])}, "deforms": deforms}


def mesh_fixture(name: str, path: str, **keys: Any) -> Table:
    """A mesh from a file, in mm."""
    geometry = {"shape": "mesh", "path": path, "units": "mm", **keys}
    return {"kind": "forbidden", "name": name, "geometry": geometry, "bodies": ["all"]}
