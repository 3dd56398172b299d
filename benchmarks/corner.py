"""Press the tool into concave corners and count how often its velocity turns round.

    python benchmarks/corner.py

Two and three planes at 30, 45 and 70 degrees from the corner's axis; the hand pushes 70 mm beyond. Of the
last half second: turns of the velocity in x, y and z (above 10 um/s), its largest value, how far the tip
moves about, and the exact clearance to each face. At rest there would be no turns.
"""

from __future__ import annotations

import math
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.controller.test_corner import corner_rig, faces, turns
from tests.controller.test_touch import _least, _touching
from tests.soak.solids import Region


def corner(count: int, half_deg: float) -> str:
    """One corner: its figures."""
    rig, tip = corner_rig()
    apex = tip - np.array([0.0, 0.0, 0.02 + 0.012 / math.sin(math.radians(half_deg))])
    planes = faces(count, half_deg, apex)
    _touching(rig, *planes)
    p = []
    for k in range(1300):
        # Off the middle line, so that it slides down one face into the corner.
        rig.hand.p_m = [0.002 * min(k / 400, 1.0), 0.001, -1.2e-4 * min(k, 600)]
        rig.tick()
        p.append(rig.pair.motion.p_world_tip.copy())
    last = np.array(p[-500:])
    fastest = np.abs(np.diff(last, axis=0)).max()
    about = 1e6 * np.linalg.norm(last - np.median(last, axis=0), axis=1).max()
    left = [round(1e6 * _least(rig, Region.of({"bodies": ["tip"], **face})), 2) for face in planes]
    return f"{turns(last):6}{1e6 * fastest:13.2f}{about:12.1f}    {left}"


def main() -> None:
    """Print the table."""
    print("faces  angle   turns  most um/tick    about um    clearance um")
    for count in (2, 3):
        for half_deg in (30.0, 45.0, 70.0):
            print(f"{count:5}{half_deg:7g}{corner(count, half_deg)}", flush=True)


if __name__ == "__main__":
    main()
