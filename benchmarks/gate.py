"""Time of rows and gate: 8 fixtures and 48 spheres on a three-joint arm about a trocar.

python benchmarks/gate.py
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "fixtures"))
import gate_toys as toys

from fixtures import geometry as shapes
from fixtures.kinds.forbidden import ForbiddenRegion
from fixtures.kinds.keep_in import KeepInRegion
from fixtures.scene import Scene


def scene() -> Scene:
    """Eight regions, the arm near three of them."""
    return Scene(
        [
            ForbiddenRegion("floor", shapes.half_space([0, 0, 1], [0, 0, -0.12])),
            ForbiddenRegion("wall", shapes.half_space([-1, 0, 0], [0.05, 0, 0])),
            KeepInRegion("cone of work", shapes.sphere(0.14)),
            ForbiddenRegion("vessel", shapes.capsule([0.04, -0.05, -0.1], [0.04, 0.05, -0.1], 0.004)),
            ForbiddenRegion("ball", shapes.sphere(0.01, [-0.03, 0.02, -0.1])),
            ForbiddenRegion("box", shapes.box([0.02, 0.02, 0.02], [0, 0.06, -0.1])),
            ForbiddenRegion("far ball", shapes.sphere(0.02, [0, 0.3, -0.1])),
            KeepInRegion("room", shapes.box([0.5, 0.5, 0.5])),
        ]
    )


def main() -> None:
    """Drive randomly, hold the speed, and print percentiles."""
    arm = toys.PivotArm(m=48, spacing=1e-3)
    loop = toys.Loop(arm, scene())
    rng = np.random.default_rng(0)
    master = toys.Dives()
    times: dict[str, list[float]] = {"begin": [], "rows": [], "certify": []}
    rows, evaluations = [], []
    for k in range(22000):
        wanted = master(loop, rng)
        loop.refresh()
        t0 = time.perf_counter()
        loop.scene.begin(loop.now)
        t1 = time.perf_counter()
        found = loop.scene.rows(loop.view, loop.v, loop.stop_s, toys.PERIOD)
        t2 = time.perf_counter()
        stop = loop.stop_step()
        best = stop
        if np.all(np.isfinite(wanted)):
            wanted = loop.braked(wanted)
            for share in (1.0, 0.5, 0.2):
                v = stop + share * (wanted - stop)
                t3 = time.perf_counter()
                certificate = loop.certify(v)
                t4 = time.perf_counter()
                if k > 2000:
                    times["certify"].append(t4 - t3)
                    evaluations.append(certificate.evaluations)
                if certificate.certified:
                    best = v
                    break
        loop.q = loop.q + best * toys.PERIOD
        loop.v, loop.stop_s = best, toys.stop_time(best, arm.accel)
        loop.now += toys.PERIOD
        if k > 2000:
            times["begin"].append(t1 - t0)
            times["rows"].append(t2 - t1)
            rows.append(len(found.b))
    for name, t in times.items():
        p = np.percentile(np.array(t) * 1e6, [50, 99, 99.9])
        print(f"{name:8s} p50 {p[0]:6.1f}  p99 {p[1]:6.1f}  p99.9 {p[2]:6.1f} us")
    print(f"rows p50 {np.percentile(rows, 50):.0f} max {max(rows)}")
    print(f"evaluations mean {np.mean(evaluations):.2f} max {max(evaluations)}")


if __name__ == "__main__":
    main()
