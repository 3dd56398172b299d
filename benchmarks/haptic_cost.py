"""What haptics costs: bytes and time of ``servo_cf``, time of the renderer at each sample of the device.

Run: ``python benchmarks/haptic_cost.py``. Baselines in the same run: a ``servo_cf`` of a force alone, and a
penalty spring over one plane in plain numpy. Times interleave, so that a busy machine hits all alike.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import msgspec
import numpy as np

from teleop.config.toml import profiles_dir, read_toml, validate
from teleop.haptics.device import DeviceSpec
from teleop.haptics.renderer import Renderer
from teleop.haptics.spec import HapticsSpec
from teleop.wire.messages import ConstraintPlane, ServoCf

SAMPLES = 5000
RATE_HZ = 1000
COUNTS = (0, 1, 4, 16)


def message(planes: int) -> ServoCf:
    rng = np.random.default_rng(planes)
    made = []
    for _ in range(planes):
        n = rng.normal(size=3)
        n /= np.linalg.norm(n)
        made.append(ConstraintPlane(n.tolist(), -0.01 * float(rng.random()), 800.0, 0.0, "left carotid"))
    return ServoCf(
        schema=1, stream="surgeon/servo_cf", session=bytes(range(16)), seq=123456, stamp_ns=9 * 10**14,
        force_n=rng.normal(size=3).tolist(), torque_nm=[0.0] * 3, beside_n=rng.normal(size=3).tolist(),
        planes=made, ttl_ms=20.0,
    )  # fmt: skip


def penalty(p: np.ndarray, n: np.ndarray, offset: float, stiffness: float) -> np.ndarray:
    return stiffness * max(0.0, offset - float(n @ p)) * n


def main() -> None:
    table = read_toml(profiles_dir() / "devices" / "omega3.toml")
    device: DeviceSpec = validate(DeviceSpec, table, "omega3")
    encode = msgspec.msgpack.Encoder().encode
    decode = msgspec.msgpack.Decoder(ServoCf).decode
    messages = {k: message(k) for k in COUNTS}
    packed = {k: encode(m) for k, m in messages.items()}
    renderers = {k: Renderer(device, HapticsSpec(), 1.0 / RATE_HZ) for k in COUNTS}
    rng = np.random.default_rng(1)
    hand = rng.normal(size=(SAMPLES, 3)) * 0.01
    v, up = np.zeros(3), np.array([0.0, 0.0, 1.0])
    now = 0.0
    tasks: dict[str, Callable[[int], object]] = {
        "penalty spring, 1 plane": lambda i: penalty(hand[i], up, 0.0, 800.0)
    }
    for k in COUNTS:
        tasks[f"encode, {k} planes"] = lambda i, k=k: encode(messages[k])
        tasks[f"decode, {k} planes"] = lambda i, k=k: decode(packed[k])
        tasks[f"take, {k} planes"] = lambda i, k=k: renderers[k].take(messages[k], now)
        tasks[f"render, {k} planes"] = lambda i, k=k: renderers[k].step(hand[i], v, now)
    times = {name: np.zeros(SAMPLES) for name in tasks}
    for name in tasks:
        tasks[name](0)
    for i in range(SAMPLES):
        now += 1.0 / RATE_HZ
        for name, do in tasks.items():
            start = time.perf_counter_ns()
            do(i)
            times[name][i] = 1e-3 * (time.perf_counter_ns() - start)
    base = float(np.median(times["penalty spring, 1 plane"]))
    print("| what | p50 us | p99 us | p99.9 us | p50 / penalty spring |")
    print("|---|---|---|---|---|")
    for name, us in times.items():
        p50, p99, p999 = np.percentile(us, [50, 99, 99.9])
        print(f"| {name} | {p50:.2f} | {p99:.1f} | {p999:.1f} | {p50 / base:.2f} |")
    for k in COUNTS:
        size = len(packed[k])
        print(f"{k:2} planes: {size} bytes a message, {size * RATE_HZ / 1e3:.0f} kB/s at {RATE_HZ} Hz")


if __name__ == "__main__":
    main()
