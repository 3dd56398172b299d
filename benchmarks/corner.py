"""Press the tool into concave corners and count how often its velocity turns round.

    python benchmarks/corner.py

Two and three planes at 30, 45 and 70 degrees from the corner's axis; the hand pushes 70 mm beyond. Of the
last half second: turns of the velocity in x, y and z (above 1 um/s), its largest value, how far the tip
moves about, and the exact clearance to each face. At rest there would be no turns.
"""

from __future__ import annotations

import math
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.controller.rig import Rig
from tests.controller.test_touch import ZERO, _fixture, _least, _touching
from tests.soak.solids import Region


def corner(count: int, half_deg: float) -> str:
    """One corner: its figures."""
    rig = Rig(scale=1.0, ramp_s=0.0, orientation="locked")
    half = math.radians(half_deg)
    at = rig.pair.motion.p_world_tip - np.array([0.0, 0.0, 0.02 + 0.012 / math.sin(half)])
    faces = []
    for k in range(count):
        a = 2 * math.pi * k / count + 0.3
        normal = [math.cos(half) * math.cos(a), math.cos(half) * math.sin(a), math.sin(half)]
        faces.append(_fixture(f"face{k}", {"shape": "half_space", "normal": normal, "point_m": ZERO}, at))
    _touching(rig, *faces)
    p = []
    for k in range(1300):
        # Off the middle line, so that it slides down one face into the corner.
        rig.hand.p_m = [0.002 * min(k / 400, 1.0), 0.001, -1.2e-4 * min(k, 600)]
        rig.tick()
        p.append(rig.pair.motion.p_world_tip.copy())
    last = np.array(p[-500:])
    v = np.diff(last, axis=0)
    moving = np.abs(v) > 1e-9
    turns = sum(int((np.diff(np.sign(v[moving[:, c], c])) != 0).sum()) for c in range(3))
    about = 1e6 * np.linalg.norm(last - np.median(last, axis=0), axis=1).max()
    left = [round(1e6 * _least(rig, Region.of({"bodies": ["tip"], **face})), 2) for face in faces]
    return f"{turns:6}{1e6 * np.abs(v).max():13.2f}{about:12.1f}    {left}"


def main() -> None:
    """Print the table."""
    print("faces  angle   turns  most um/tick    about um    clearance um")
    for count in (2, 3):
        for half_deg in (30.0, 45.0, 70.0):
            print(f"{count:5}{half_deg:7g}{corner(count, half_deg)}", flush=True)


if __name__ == "__main__":
    main()
