"""A tracker that sends the pose of a moving region: late, at uneven times, with or without a twist."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from teleop.wire.messages import Request

from .attacker import MS
from .solids import Region


@dataclass
class Stream:
    """How the poses of one region are sent.

    Attributes:
        twist: sent with them; without it the region is taken to stand, and its whole speed is the error.
        every: ticks from one pose to the next.
        late_ms: age of a pose when it comes.
        gap: ticks in every thousand for which nothing comes.
    """

    twist: bool
    every: int
    late_ms: int
    gap: int

    @classmethod
    def drawn(cls, rng: np.random.Generator) -> Stream:
        """30 to 250 poses a second, up to 10 ms late, silent for up to 60 ms in a second."""
        every, late, gap = (int(rng.integers(*span)) for span in ((4, 34), (0, 11), (0, 61)))
        return cls(bool(rng.random() < 0.5), every, late, gap)

    def speed_error(self, region: Region) -> float:
        """What holds however old a pose is: a twist may have turned round since [m/s]."""
        return region.speed * (2.0 if self.twist else 1.0)

    @property
    def oldest_s(self) -> float:
        """Age that a pose may reach before the next comes, ticks of up to 5 ms counted [s]."""
        return 5e-3 * (self.every + self.gap) + 1e-3 * self.late_ms

    def poses(self, region: Region, k: int, now_ns: int) -> list[Request]:
        """What comes in tick k: where the region was ``late_ms`` ago, and how fast."""
        if k % self.every or k % 1000 > 1000 - self.gap:
            return []
        stamp = now_ns - self.late_ms * MS
        at = np.array([stamp * 1e-9])
        args = {
            "name": region.name,
            "p_m": (region.T[:3, 3] + region.shift(at)[0]).tolist(),
            "quat_xyzw": region.attitude(float(at[0])).as_quat().tolist(),
            "stamp_ns": stamp,
        }
        if self.twist:
            turn = region.turn.velocity(at)[0] if region.turn else np.zeros(3)
            args["twist"] = [*region.velocity(at)[0].tolist(), *turn.tolist()]
        return [Request(id=1, op="set_fixture_pose", args=args)]
