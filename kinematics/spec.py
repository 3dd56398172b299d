"""The TOML description of an arm (``configs/arms/*.toml``), checked by pydantic. See ``docs/arms.md``."""

from __future__ import annotations

import math
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from kinematics.serial import RESERVED_FRAMES

Positive = Annotated[float, Field(gt=0.0)]
Vector3 = tuple[float, float, float]
Matrix3 = tuple[Vector3, Vector3, Vector3]


class _Spec(BaseModel):
    model_config = ConfigDict(extra="forbid", allow_inf_nan=False, frozen=True)


class RevoluteDh(_Spec):
    """DH row of a joint that turns: ``theta = q + offset_deg``."""

    alpha_deg: float
    a_m: float
    d_m: float
    offset_deg: float = 0.0


class PrismaticDh(_Spec):
    """DH row of a joint that slides: ``d = q + offset_m``."""

    alpha_deg: float
    a_m: float
    theta_deg: float = 0.0
    offset_m: float = 0.0


class RevoluteJoint(_Spec):
    """A joint that turns. In a URDF arm the position and speed limits default to the file's."""

    type: Literal["revolute"]
    name: str
    dh: RevoluteDh | None = None
    q_min_rad: float | None = None
    q_max_rad: float | None = None
    qd_max_rad_s: Positive | None = None
    qdd_max_rad_s2: Positive
    qddd_max_rad_s3: Positive
    home_rad: float
    source: str = ""

    @property
    def values(self) -> tuple[float | None, float | None, float | None, float, float, float]:
        """Lower, upper, speed, acceleration and jerk limit, and home; SI."""
        return (
            self.q_min_rad,
            self.q_max_rad,
            self.qd_max_rad_s,
            self.qdd_max_rad_s2,
            self.qddd_max_rad_s3,
            self.home_rad,
        )

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        _check_range(self.name, "rad", self.q_min_rad, self.q_max_rad, self.home_rad)
        return self


class PrismaticJoint(_Spec):
    """A joint that slides. In a URDF arm the position and speed limits default to the file's."""

    type: Literal["prismatic"]
    name: str
    dh: PrismaticDh | None = None
    q_min_m: float | None = None
    q_max_m: float | None = None
    qd_max_m_s: Positive | None = None
    qdd_max_m_s2: Positive
    qddd_max_m_s3: Positive
    home_m: float
    source: str = ""

    @property
    def values(self) -> tuple[float | None, float | None, float | None, float, float, float]:
        """Lower, upper, speed, acceleration and jerk limit, and home; SI."""
        return (
            self.q_min_m,
            self.q_max_m,
            self.qd_max_m_s,
            self.qdd_max_m_s2,
            self.qddd_max_m_s3,
            self.home_m,
        )

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        _check_range(self.name, "m", self.q_min_m, self.q_max_m, self.home_m)
        return self


def _check_range(name: str, unit: str, low: float | None, high: float | None, home: float) -> None:
    if low is not None and high is not None and not low < high:
        raise ValueError(
            f"joint {name!r}: q_min_{unit} ({low:g}) must be below q_max_{unit} ({high:g}); are they swapped?"
        )
    if (low is not None and home < low) or (high is not None and home > high):
        raise ValueError(
            f"joint {name!r}: home_{unit} ({home:g}) must lie in its range ({low} to {high} {unit})"
        )


Joint = Annotated[RevoluteJoint | PrismaticJoint, Field(discriminator="type")]


class DhChain(_Spec):
    """The arm is given by the ``dh`` rows of its joints."""

    kind: Literal["dh"]
    convention: Literal["standard", "modified"]


class UrdfChain(_Spec):
    """The arm is the chain of joints between two frames of a URDF file; see :meth:`ArmSpec.relative_to`."""

    kind: Literal["urdf"]
    path: Path
    base_frame: str
    tip_frame: str


Chain = Annotated[DhChain | UrdfChain, Field(discriminator="kind")]


class JawSpec(_Spec):
    """The gripper: opening angle and its greatest speed."""

    min_rad: float
    max_rad: float
    qd_max_rad_s: Positive
    source: str = ""

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if not self.min_rad < self.max_rad:
            raise ValueError(f"jaw: min_rad ({self.min_rad:g}) must be below max_rad ({self.max_rad:g})")
        return self


class ToolSpec(_Spec):
    """What is mounted on the flange: where the controlled point (``tip``) is, and how it is turned.

    ``tip_rotation`` are the rows of R_flange_tip; its columns are the tip's axes in the flange frame.
    """

    name: str
    tip_offset_m: Vector3 = (0.0, 0.0, 0.0)
    tip_rotation: Matrix3 = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))
    jaw: JawSpec | None = None
    source: str = ""

    @field_validator("tip_rotation")
    @classmethod
    def _is_rotation(cls, rows: Matrix3) -> Matrix3:
        R = np.array(rows)
        error = float(np.max(np.abs(R @ R.T - np.eye(3))))
        if error > 1e-9 or np.linalg.det(R) < 0.0:
            raise ValueError(
                "tip_rotation must be a rotation matrix given by rows: orthonormal to 1e-9 "
                f"(off by {error:.1e}) with determinant +1 (got {np.linalg.det(R):+.3f})"
            )
        return rows


class ShaftSpec(_Spec):
    """The line of the instrument's shaft: a point on it and its direction towards the tip, in ``frame``."""

    frame: str = "tip"
    point_m: Vector3 = (0.0, 0.0, 0.0)
    axis: Vector3 = (0.0, 0.0, 1.0)

    @field_validator("axis")
    @classmethod
    def _has_direction(cls, axis: Vector3) -> Vector3:
        if math.hypot(*axis) < 1e-9:
            raise ValueError("shaft axis must not be zero")
        return axis


class RcmSpec(_Spec):
    """Where the shaft passes the body wall, in the base frame, and who keeps it there."""

    kind: Literal["mechanical", "software"]
    p_base_m: Vector3
    source: str = ""


class CapsuleSpec(_Spec):
    """All points within ``radius_m`` of the segment from ``from_m`` to ``to_m``, fixed to ``frame``."""

    frame: str
    from_m: Vector3
    to_m: Vector3
    radius_m: Positive


class BodySpec(_Spec):
    """A part of the arm that fixtures can guard, as capsules; each is covered by spheres.

    ``cover_m`` is how far the spheres may stick out of the capsules, 0.1 um to 1 m: smaller means more
    spheres.
    """

    name: str
    cover_m: Annotated[float, Field(ge=1e-7, le=1.0)] = 1e-3
    capsules: Annotated[list[CapsuleSpec], Field(min_length=1)]
    source: str = ""


class ArmSpec(_Spec):
    """One arm with its tool. See ``docs/arms.md`` for a walk through the file."""

    name: str
    title: str = ""
    sources: list[str] = Field(default_factory=list)
    chain: Chain
    joints: Annotated[list[Joint], Field(min_length=1)]
    tool: ToolSpec
    shaft: ShaftSpec = ShaftSpec()
    rcm: RcmSpec | None = None
    bodies: list[BodySpec] = Field(default_factory=list)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        problems = [
            *_repeated("joint", [j.name for j in self.joints]),
            *_repeated("body", [b.name for b in self.bodies]),
        ]
        for joint in self.joints:
            if joint.name in RESERVED_FRAMES:
                problems.append(
                    f"joint {joint.name!r}: this name is taken; {', '.join(RESERVED_FRAMES)} are frames"
                )
            if self.chain.kind == "urdf" and joint.dh is not None:
                problems.append(
                    f"joint {joint.name!r}: a dh row has no meaning when the chain comes from a URDF"
                )
            if self.chain.kind == "dh" and joint.dh is None:
                problems.append(f"joint {joint.name!r}: its dh row is missing (chain.kind is 'dh')")
            if self.chain.kind == "dh" and None in joint.values:
                problems.append(
                    f"joint {joint.name!r}: q_min, q_max and qd_max must be given when chain.kind is 'dh'"
                )
        if problems:
            raise ValueError("; ".join(problems))
        return self

    @classmethod
    def from_toml(cls, path: str | Path) -> ArmSpec:
        """Read and check a file; a relative URDF path in it starts at the file's folder.

        Raises:
            FileNotFoundError: there is no such file.
            tomllib.TOMLDecodeError: it is not TOML.
            pydantic.ValidationError: all mistakes at once, each with its key.
        """
        path = Path(path)
        with path.open("rb") as file:
            data: dict[str, Any] = tomllib.load(file)
        return cls.model_validate(data).relative_to(path.parent)

    def relative_to(self, folder: Path) -> ArmSpec:
        """The same description with a relative URDF path taken from ``folder``, that of its TOML file."""
        if not isinstance(self.chain, UrdfChain):
            return self
        chain = self.chain.model_copy(update={"path": folder / self.chain.path})
        return self.model_copy(update={"chain": chain})


def _repeated(what: str, names: list[str]) -> list[str]:
    return [f"{what} {name!r} is listed twice" for name in dict.fromkeys(names) if names.count(name) > 1]
