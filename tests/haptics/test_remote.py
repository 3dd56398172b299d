"""The arm's own force on the hand: off by default, felt where all is well, else refused with a reason."""

from __future__ import annotations

import copy
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from teleop.config import load_session
from teleop.devices.sim.loop import ClosedLoop, Felt
from teleop.drivers.sim.tissue import Tissue, TissueSpec
from teleop.haptics.channel import RESERVE_J
from teleop.haptics.remote import tip_force
from teleop.haptics.spec import HapticsSpec

from .test_closed_loop import DEMO, dive

TISSUE_N_M, REMOTE = 300.0, "pairs[0].haptics.remote={max_round_trip_ms=50.0}"


def loop(tmp_path: Path, *overrides: str, depth_m: float = 0.004, delay_ticks: int = 1) -> ClosedLoop:
    """No fixture at all; tissue begins ``depth_m`` below the tip."""
    nothing = tmp_path / "nothing.toml"
    nothing.write_text("fixture = []\n")
    session = load_session(DEMO, (f'fixtures=["{nothing}"]', "pairs[0].haptics.device=omega3", *overrides))
    made = ClosedLoop(session, delay_ticks=delay_ticks)
    point = made.pair.motion.p_world_tip - np.array([0.0, 0.0, depth_m])
    spec = TissueSpec(point_m=point.tolist(), stiffness_n_m=TISSUE_N_M, damping_ns_m=0.0)
    made.tissue = Tissue(spec, made.controller.pairs[0].arm)
    made.bring_up()
    return made


def withheld(felt: list[Felt]) -> set[str]:
    return {line.who for f in felt for line in f.out.ledger if line.what == "withheld"}


def test_the_force_of_the_tip_is_read_from_the_effort_of_the_joints(tmp_path: Path) -> None:
    arm = loop(tmp_path).pair.arm
    rng = np.random.default_rng(3)
    for _ in range(20):
        q = np.array(arm.home) + rng.uniform(-0.1, 0.1, arm.n) * np.where(arm.prismatic, 0.1, 1.0)
        f = rng.normal(size=3)
        h = 1e-6
        slope = np.array([(arm.forward(q + h * e) - arm.forward(q - h * e))[:3, 3] for e in np.eye(arm.n)])
        got, p = tip_force(arm, q, -slope @ f / (2 * h))
        np.testing.assert_allclose(got, f, rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(p, arm.forward(q)[:3, 3], atol=1e-12)


def test_tissue_is_felt_where_the_session_asks_for_it_and_nowhere_else(tmp_path: Path) -> None:
    for overrides, asked in (((), False), ((REMOTE,), True)):
        made = loop(tmp_path, *overrides)
        way = dive(made, depth_m=0.030, ticks=1500)
        deep = max(0.0, float(made.tissue._point[2] - way[-1].out.T_world_tip[2, 3]))  # type: ignore[union-attr]
        print(f"{way[-1].force.round(3)} N, {1e3 * deep:.2f} mm deep, {withheld(way)}")
        assert not any(f.out.violation for f in way)
        if asked:
            assert deep > 0.001
            assert way[-1].force == pytest.approx([0.0, 0.0, TISSUE_N_M * deep], rel=0.05, abs=0.02)
            assert not withheld(way)
        else:
            assert not any(f.force.any() or f.out.remote_n.any() for f in way)
    made.clutch = True
    after = made.run(60, lambda k: None)
    assert not after[-1].force.any()


@pytest.mark.parametrize("reason", ["the round trip is too long", "the arm measures no effort",
                                    "the master counts no energy"])  # fmt: skip
def test_without_what_it_needs_it_is_refused_with_a_reason_and_fades(tmp_path: Path, reason: str) -> None:
    made = loop(tmp_path, REMOTE)
    before = dive(made, depth_m=0.030, ticks=800)
    assert np.linalg.norm(before[-1].force) > 0.3
    if reason == "the arm measures no effort":
        made.tissue = None
    elif reason == "the master counts no energy":
        made.renderer.__class__ = type("Silent", (type(made.renderer),), {"energy_j": -1.0})
    else:
        made.pair.round_trip.to_arm.update = lambda ns, now: None  # type: ignore[method-assign]
        made.pair.round_trip.to_arm.value_ns = 60e6
    after = made.run(100, lambda k: None)
    assert withheld(after) == {f"remote force: {reason}"}
    steps = [np.linalg.norm(b.force - a.force) for a, b in pairwise(after)]
    assert max(steps) <= 3.0 / 10 + 1e-9, "3 N go within 10 ms, not at once"
    assert not after[-1].force.any()
    assert after[-1].out.teleop.name == "FOLLOWING"


def test_over_a_delay_hand_and_tissue_together_get_no_energy_from_the_link(tmp_path: Path) -> None:
    made = loop(tmp_path, REMOTE, depth_m=0.001, delay_ticks=15)
    ratio = 1.0 / made.pair.mapping.scale
    hand_j = tissue_j = 0.0
    least, most = 0.0, 0.0
    p, tip, push = made.handle.p.copy(), made.pair.motion.p_world_tip.copy(), np.zeros(3)
    for k in range(2500):
        made.intent[2] = -0.012 + 0.012 * np.cos(2 * np.pi * 1.2e-3 * k)
        felt = made.tick()
        now = felt.out.T_world_tip[:3, 3].copy()
        depth = max(0.0, float(made.tissue._point[2] - now[2]))  # type: ignore[union-attr]
        f = np.array([0.0, 0.0, TISSUE_N_M * depth])
        tissue_j -= 0.5 * float((f + push) @ (now - tip))
        # `force` was held while the hand came to where it is.
        hand_j -= float(felt.force @ (felt.p_hand - p))
        p, tip, push = felt.p_hand.copy(), now, f
        least = min(least, hand_j - ratio * tissue_j)
        most = max(most, float(np.linalg.norm(felt.force)))
        assert not felt.out.violation
    print(f"least {1e3 * least:.2f} mJ, up to {most:.2f} N")
    assert most > 0.2
    assert least >= -2.0 * RESERVE_J - 1e-3


def test_a_bound_that_the_stated_delay_breaks_is_refused_when_it_is_read() -> None:
    with pytest.raises(ValidationError, match="the force of the arm would never be passed on"):
        HapticsSpec.model_validate({"round_trip_ms": 80.0, "remote": {}})
    with pytest.raises(ValidationError, match="nothing is felt with enabled = false"):
        HapticsSpec.model_validate({"enabled": False, "remote": {}})
    assert HapticsSpec().remote is None


def test_a_master_that_knows_nothing_of_it_gets_the_same_force_as_before(tmp_path: Path) -> None:
    seen = []
    made = loop(tmp_path, REMOTE)
    made.on_servo_cf = lambda message: seen.append(copy.deepcopy(message)) or [message]  # type: ignore[func-returns-value]
    dive(made, depth_m=0.030, ticks=600)
    assert any(np.linalg.norm(message.remote_n) > 0.3 for message in seen)
    assert not any(any(message.force_n) or any(message.beside_n) for message in seen)
