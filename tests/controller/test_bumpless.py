"""Random lives of a session: whatever happens in whatever order, no exception, no step."""

from __future__ import annotations

import math

import numpy as np
import pytest

from .rig import Rig, assert_within_limits

ACTIONS = (
    *("move", "move", "move", "dive", "clutch", "deadman", "scale", "rotation_scale", "filter", "quat_sign"),
    *("pause", "resume", "release", "engage", "disable", "enable", "home", "unhome", "reset_fault", "estop"),
    *("dropout", "nan", "jump", "invalid", "replay", "arm_silence", "new_master", "nonsense"),
)


class Life:
    """A rig and a hand that wanders; each ``live()`` is one random sequence."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.rig = Rig(scale=1.0)
        self.rig.bring_up()
        self.phase = self.rng.uniform(0, 6, 6)
        self.speed = 3.0
        self.following = 0

    def _tick(self, **keys: object) -> None:
        rig = self.rig
        hand = rig.hand
        t = rig.now_ns * 1e-9 * self.speed
        if all(map(math.isfinite, hand.p_m)):
            hand.p_m = [0.04 * math.sin(t + a) for a in self.phase[:3]]
        angle = [0.5 * math.sin(0.7 * t + a) for a in self.phase[3:]]
        norm = math.hypot(*angle) or 1.0
        if math.hypot(*hand.quat_xyzw) < 1.5:
            hand.quat_xyzw = [math.sin(norm / 2) * c / norm for c in angle] + [math.cos(norm / 2)]
        rig.tick(**keys)  # type: ignore[arg-type]
        self.following += rig.pair.machine.state.value == "FOLLOWING"

    def _act(self, action: str) -> dict[str, object]:
        rig, rng = self.rig, self.rng
        hand = rig.hand
        if action == "dive":
            self.speed = float(rng.choice([0.5, 3.0, 30.0]))
        elif action == "clutch":
            hand.clutch = not hand.clutch
        elif action == "deadman":
            hand.present = not hand.present
        elif action == "scale":
            rig.request("set_scale", scale=float(rng.uniform(-0.5, 6.0)))
        elif action == "rotation_scale":
            rig.request("set_scale", rotation_scale=float(rng.uniform(0.1, 2.0)))
        elif action == "filter":
            rig.request("set_filter", filter={"kind": "none"})
        elif action == "invalid":
            hand.valid = not hand.valid
        elif action == "new_master":
            hand.session = rng.bytes(16)
        elif action == "quat_sign":
            hand.quat_xyzw = [-c for c in hand.quat_xyzw]
        elif action == "nonsense":
            rig.request("set_scale", scale="big", colour=[1, None])
        elif action in (
            "pause",
            "resume",
            "release",
            "engage",
            "disable",
            "enable",
            "home",
            "unhome",
            "reset_fault",
        ):
            rig.request(action)
        elif action == "dropout":
            return {"sample": None}
        elif action == "arm_silence":
            return {"arm": False}
        elif action == "estop":
            return {"estops": (("test", "chance"),)}
        elif action in ("nan", "jump", "replay"):
            sample = rig.sample()
            if action == "nan":
                sample.p_m[int(rng.integers(3))] = float(rng.choice([math.nan, math.inf, -math.inf]))
            elif action == "jump":
                sample.p_m[0] += float(rng.choice([-3.0, 3.0, 1e-2]))
            else:
                sample.seq -= 3
            return {"sample": sample}
        return {}

    def live(self) -> None:
        """One random sequence of three acts, and then back to a state in which following is possible."""
        rig = self.rig
        for _ in range(3):
            keys = self._act(str(self.rng.choice(ACTIONS)))
            for _ in range(int(self.rng.integers(1, 20 if keys else 8))):
                self._tick(**keys)
                keys.pop("estops", None)
        hand = rig.hand
        hand.present, hand.clutch, hand.valid = True, False, True
        if rig.pair.machine.state.value != "FOLLOWING" and self.rng.random() < 0.5:
            for op in ("reset_fault", "enable", "resume", "home"):
                rig.request(op)
            for _ in range(60):
                self._tick()
            rig.request("engage")

    def check(self) -> None:
        for segment in self.rig.segments:
            if len(segment) > 4:
                assert_within_limits(self.rig, segment)
        # The last commands stay, so that the seam between two checks is checked too.
        self.rig.segments = [self.rig.segments[-1][-4:]]
        self.rig.sent.clear()
        self.rig.commands.clear()
        self.rig.events.clear()


def _run(seed: int, sequences: int) -> None:
    life = Life(seed)
    for k in range(sequences):
        life.live()
        if k % 50 == 49:
            life.check()
    life.check()
    print(f"seed {seed}: {sequences} sequences, following for {life.following} ticks")
    assert life.following > sequences


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
def test_random_sequences_of_everything_give_no_exception_and_no_step(seed: int) -> None:
    _run(seed, 250)


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(100, 110))
def test_ten_thousand_random_sequences(seed: int) -> None:
    _run(seed, 1000)
