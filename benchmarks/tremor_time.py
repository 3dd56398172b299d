"""Time of one pose (six axes) through each tremor filter, re-centring included.

    python benchmarks/tremor_time.py [--samples 60000]

The hand turns about 1 rad/s, so the rotation's reference moves three times a second. Wall time of
``PoseFilter.step`` on whatever machine this is; the largest value is mostly the machine's.
"""

from __future__ import annotations

import argparse
import gc
import time

import numpy as np
from scipy.spatial.transform import Rotation
from tremor_table import FILTERS

from teleop.masters.surgeon import SurgeonSpec, synthesise
from teleop.tremor import make_pose_filter


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--samples", type=int, default=60_000)
    count = parser.parse_args().samples
    made = synthesise(count / 1000.0, 1000.0, 1, SurgeonSpec(f0_hz=9.0))
    turn = Rotation.from_rotvec(np.outer(made.t, [0.6, 0.8, 0.0]))
    quat = (turn * Rotation.from_rotvec(made.measured[:, 3:])).as_quat()
    p = np.ascontiguousarray(made.measured[:, :3])
    print("| filter | p50 us | p99 us | p99.9 us | max us |\n|---|---|---|---|---|")
    for name, spec in FILTERS.items():
        poses = make_pose_filter(spec, 1000.0)
        times = np.empty(count)
        gc.disable()
        for i in range(count):
            start = time.perf_counter_ns()
            poses.step(p[i], quat[i], 1e-3)
            times[i] = time.perf_counter_ns() - start
        gc.enable()
        print(
            f"| {name} | "
            + " | ".join(f"{v:.1f}" for v in np.percentile(times / 1e3, (50, 99, 99.9, 100)))
            + " |"
        )


if __name__ == "__main__":
    main()
