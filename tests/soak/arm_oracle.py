"""Where the arm is, by another route: NumPy products of the Denavit-Hartenberg rows of the profile's TOML.

Nothing of ``kinematics`` is called on the way from joints to points. Only the list of covering spheres is
taken from the model, because a cover is a choice: it is carried over to this chain by three configurations
and then checked, sphere by sphere on the capsules' axes and capsule by capsule for being covered.
"""

from __future__ import annotations

import tomllib
from math import cos, radians, sin
from pathlib import Path

import numpy as np

from kinematics.arm import ArmModel

Array = np.ndarray
ARMS = Path(__file__).parents[2] / "configs" / "arms"


def _x(angle: float, shift: float) -> Array:
    c, s = cos(angle), sin(angle)
    return np.array([[1, 0, 0, shift], [0, c, -s, 0], [0, s, c, 0], [0, 0, 0, 1.0]])


def _z(angle: Array, shift: Array) -> Array:
    out = np.zeros((len(angle), 4, 4))
    c, s = np.cos(angle), np.sin(angle)
    out[:, 0, 0], out[:, 0, 1], out[:, 1, 0], out[:, 1, 1] = c, -s, s, c
    out[:, 2, 2] = out[:, 3, 3] = 1.0
    out[:, 2, 3] = shift
    return out


class ArmOracle:
    """Frames, spheres and shaft of one profile at many configurations at once."""

    def __init__(self, profile: str, model: ArmModel, T_world_base: Array) -> None:
        """Read the profile anew and carry the model's spheres over."""
        self.table = tomllib.loads((ARMS / f"{profile}.toml").read_text())
        if self.table["chain"] != {"kind": "dh", "convention": "modified"}:
            raise ValueError(f"{profile}: this oracle knows modified DH tables only")
        self.T_world_base = T_world_base
        self.joints = self.table["joints"]
        self.slides = np.array([j["type"] == "prismatic" for j in self.joints])
        self.limits = {
            key: np.array([j[key + (m if s else r)] for j, s in zip(self.joints, self.slides, strict=True)])
            for key, r, m in (
                ("q_min", "_rad", "_m"),
                ("q_max", "_rad", "_m"),
                ("qd_max", "_rad_s", "_m_s"),
                ("qdd_max", "_rad_s2", "_m_s2"),
                ("qddd_max", "_rad_s3", "_m_s3"),
            )
        }
        self._fixed = [_x(radians(j["dh"]["alpha_deg"]), j["dh"]["a_m"]) for j in self.joints]
        tool = self.table["tool"]
        self._tool = np.eye(4)
        self._tool[:3, :3] = tool.get("tip_rotation", np.eye(3))
        self._tool[:3, 3] = tool.get("tip_offset_m", [0, 0, 0])
        self.radii = np.array(model.bodies.radii)
        self.body_names = tuple(b["name"] for b in self.table["bodies"])
        self.body_of = np.array(model.bodies.body_of)
        self._carry_over(model)
        self.by_frame = [(f, np.flatnonzero(self.frame_of == f)) for f in np.unique(self.frame_of)]

    def frames(self, q: Array) -> dict[str, Array]:
        """World poses (k, 4, 4) of base, every joint's frame and the tip at q (k, n)."""
        T = np.broadcast_to(self.T_world_base, (len(q), 4, 4))
        out = {"base": T}
        for j, (joint, fixed) in enumerate(zip(self.joints, self._fixed, strict=True)):
            dh = joint["dh"]
            if self.slides[j]:
                angle, shift = np.full(len(q), radians(dh.get("theta_deg", 0.0))), q[:, j] + dh["offset_m"]
            else:
                angle, shift = q[:, j] + radians(dh["offset_deg"]), np.full(len(q), dh["d_m"])
            T = T @ fixed @ _z(angle, shift)
            out[joint["name"]] = T
        out["tip"] = T @ self._tool
        return out

    def centers(self, q: Array, spheres: Array | None = None) -> Array:
        """World centres (k, m, 3), or (k, len(spheres), 3), at q (k, n)."""
        frames = self.frames(q)
        wanted = np.arange(len(self.radii)) if spheres is None else spheres
        out = np.empty((len(q), len(wanted), 3))
        for frame in np.unique(self.frame_of[wanted]):
            mine = np.flatnonzero(self.frame_of[wanted] == frame)
            T = frames[frame]
            out[:, mine] = self.local[wanted[mine]] @ T[:, :3, :3].transpose(0, 2, 1) + T[:, None, :3, 3]
        return out

    def point(self, q: Array, sphere: Array) -> Array:
        """World centre (k, 3) of sphere[k] at q (k, n)."""
        frames = self.frames(q)
        out = np.empty((len(q), 3))
        names = self.frame_of[sphere]
        for frame in np.unique(names):
            mine = np.flatnonzero(names == frame)
            T = frames[frame][mine]
            out[mine] = np.einsum("kij,kj->ki", T[:, :3, :3], self.local[sphere[mine]]) + T[:, :3, 3]
        return out

    def off_trocar(self, q: Array) -> Array:
        """Distance (k,) of the remote centre from the line of the shaft [m]."""
        shaft = self.table["shaft"]
        T = self.frames(q)[shaft["frame"]]
        point = T[:, :3, :3] @ np.array(shaft["point_m"]) + T[:, :3, 3]
        axis = T[:, :3, :3] @ np.array(shaft["axis"])
        rcm = (self.T_world_base @ [*self.table["rcm"]["p_base_m"], 1.0])[:3]
        return np.linalg.norm(np.cross(rcm - point, axis), axis=1) / np.linalg.norm(axis, axis=1)

    def _carry_over(self, model: ArmModel) -> None:
        rng = np.random.default_rng(0)
        low, high = self.limits["q_min"], self.limits["q_max"]
        q = low + (high - low) * rng.uniform(0.2, 0.8, (3, len(low)))
        there = np.stack([model.sphere_centers(x, np.zeros((len(self.radii), 3))) for x in q])
        frames = self.frames(q)
        self.local = np.zeros((len(self.radii), 3))
        names = np.full(len(self.radii), "", dtype=object)
        for b, body in enumerate(self.table["bodies"]):
            for capsule in body["capsules"]:
                T = frames[capsule["frame"]]
                local = np.einsum("kji,kmj->kmi", T[:, :3, :3], there - T[:, None, :3, 3])
                start, end = np.array(capsule["from_m"]), np.array(capsule["to_m"])
                way = end - start
                t = np.clip(((local - start) @ way) / max(way @ way, 1e-30), 0, 1)
                off = np.abs(local - start - t[..., None] * way).max(axis=(0, 2))
                fits = (off < 1e-12) & (self.body_of == b) & (self.radii >= capsule["radius_m"] - 1e-15)
                take = fits & (names == "")
                names[take] = capsule["frame"]
                self.local[take] = local[0][take]
                _check_cover(local[0][fits], self.radii[fits], start, end, capsule["radius_m"], body["name"])
        if (names == "").any():
            raise AssertionError("a covering sphere lies on no capsule of its body")
        self.frame_of = names


def _check_cover(centers: Array, radii: Array, start: Array, end: Array, radius: float, body: str) -> None:
    """Every point of a capsule must lie in a sphere: 4000 points of its wall and ends, and some inside."""
    rng = np.random.default_rng(1)
    side = rng.normal(size=(4000, 3))
    side *= radius / np.linalg.norm(side, axis=1)[:, None]
    points = start + rng.uniform(-0.2, 1.2, (4000, 1)).clip(0, 1) * (end - start) + side
    gap = (np.linalg.norm(points[:, None] - centers, axis=2) - radii).min(axis=1).max()
    if gap > 1e-9:
        raise AssertionError(f"{body}: its spheres leave {gap * 1e6:.3f} um of a capsule bare")
