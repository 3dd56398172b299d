"""Force of the arm over a link that delays, reorders and loses: the link never gives out energy.

The oracle knows nothing of the ends' counters: it integrates, from the way that hand and tool went, the work
that the hand did on the device and the work that the tool did on its surroundings.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from teleop.haptics.channel import RESERVE_J, YIELD_M_S, ArmEnd, Budget, DeviceEnd

T, FINE = 1e-3, 4
SCALE, GAIN = 0.5, 1.0
RATIO = GAIN / SCALE
MOST_N, SLEW_N_S, DAMPING = 5.0, 500.0, 20.0
R = np.array([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
TISSUE_N_M = 1500.0
SERVO_HZ = 40.0
TOOL_M_S = 0.1
"""The controller's own limit; without it a burst after a gap in the messages would be one step."""


class Link:
    """One way: messages come late by a random time, in any order, or never; the newest that came counts."""

    def __init__(self, rng: np.random.Generator, delay_s: float, jitter_s: float, loss: float) -> None:
        self._rng, self._delay, self._jitter, self._loss = rng, delay_s, jitter_s, loss
        self._under_way: list[tuple[float, int, object]] = []
        self._sent, self._newest = 0, -1
        self.message: object = None

    def send(self, now: float, message: object) -> None:
        self._sent += 1
        if self._rng.random() >= self._loss:
            at = now + self._delay + self._rng.random() * self._jitter
            self._under_way.append((at, self._sent, message))

    def receive(self, now: float) -> object:
        for at, number, message in self._under_way:
            if at <= now and number > self._newest:
                self._newest, self.message = number, message
        self._under_way = [m for m in self._under_way if m[0] > now]
        return self.message


@dataclass
class Run:
    """Energies over time, J at the hand; and how far things went."""

    link_j: np.ndarray
    fastest_m_s: float
    most_n: float
    in_contact: float
    offset_m: float


def run(
    seed: int, delay_s: float, jitter_s: float, loss: float, *, tdpa: bool = True, seconds: float = 3.0
) -> Run:
    """A hand that pokes, drags and trembles, a tool on tissue that breathes."""
    rng = np.random.default_rng(seed)
    down, up = Link(rng, delay_s, jitter_s, loss), Link(rng, delay_s, jitter_s, loss)
    device = DeviceEnd(period_s=T, max_force_n=MOST_N, slew_n_s=SLEW_N_S, max_damping=DAMPING)
    arm = ArmEnd(T)
    mass, k_hand, b_hand = 0.25, 300.0, 3.0
    p, v = np.array([0.0, 0.0, 0.004]), np.zeros(3)
    tool = sent = SCALE * R @ p
    rate, phase = rng.uniform(0.3, 3.0, 3), rng.uniform(0, 6.28, 3)
    size = np.array([0.005, 0.005, 0.012])
    hand_j = tissue_j = 0.0
    energies, fastest, most, touched, offset = [], 0.0, 0.0, 0, 0.0
    f_tool = np.zeros(3)
    for k in range(round(seconds / T)):
        now = k * T
        # Device.
        heard = up.receive(now)
        asked = np.zeros(3)
        if heard is not None:
            force, in_j = heard  # type: ignore[misc]
            device.budget.hear(in_j, b"arm")
            asked = GAIN * R.T @ force
        if tdpa:
            f = device.step(asked, p, v).copy()
        else:
            f = asked * min(1.0, MOST_N / max(1e-9, float(np.linalg.norm(asked))))
        down.send(now, (p.copy(), device.budget.in_j))
        before = p.copy()
        intent = size * np.sin(2 * np.pi * rate * now + phase) + np.array([0.0, 0.0, -0.004])
        for _ in range(FINE):
            v += T / FINE / mass * (f + k_hand * (intent - p) - b_hand * v + 0.3 * rng.normal(size=3))
            p = p + T / FINE * v
        hand_j -= float(f @ (p - before))
        # Arm.
        heard = down.receive(now)
        if heard is not None:
            p_hand, in_j = heard  # type: ignore[misc]
            arm.budget.hear(in_j, b"hand")
            desired = SCALE * R @ p_hand
            goal = desired + (arm.step(desired, sent, RATIO) if tdpa else 0.0)
        else:
            goal = tool
        step = goal - sent
        sent = sent + step * min(1.0, TOOL_M_S * T / max(1e-12, float(np.linalg.norm(step))))
        level = 0.0005 * np.sin(2 * np.pi * 0.25 * now)
        for _ in range(FINE):
            was, f_was = tool, f_tool
            tool = tool + (1.0 - np.exp(-2 * np.pi * SERVO_HZ * T / FINE)) * (sent - tool)
            depth = max(0.0, level - tool[2])
            f_tool = np.array([0.0, 0.0, TISSUE_N_M * depth])
            tissue_j -= 0.5 * float((f_was + f_tool) @ (tool - was))
        arm.measure(f_tool, tool, RATIO)
        up.send(now, (f_tool.copy(), arm.budget.in_j))
        energies.append(hand_j - RATIO * tissue_j)
        fastest, most = max(fastest, float(np.linalg.norm(v))), max(most, float(np.linalg.norm(f_tool)))
        touched += f_tool[2] > 0.0
        offset = max(offset, float(np.linalg.norm(arm.offset)))
    return Run(np.array(energies), fastest, most, touched / len(energies), offset)


LINKS = {
    "near": (0.001, 0.0, 0.0),
    "20 ms": (0.020, 0.0, 0.0),
    "100 ms": (0.100, 0.0, 0.0),
    "jitter": (0.010, 0.040, 0.0),
    "loss": (0.010, 0.010, 0.5),
    "all of it": (0.060, 0.080, 0.8),
}


def surprise_j(way: Run) -> float:
    """Most that may go out before it is noticed: the force falling at its slew limit, the servo's lag, J."""
    device = 0.5 * min(way.most_n * GAIN, MOST_N) * way.fastest_m_s * MOST_N / SLEW_N_S
    arm = RATIO * way.most_n * TOOL_M_S * (1.0 / (2.0 * np.pi * SERVO_HZ) + T)
    return device + arm


@pytest.mark.parametrize("link", LINKS)
def test_the_link_never_gives_out_energy(link: str) -> None:
    seed = 2
    ours, plain = run(seed, *LINKS[link]), run(seed, *LINKS[link], tdpa=False)
    bound = 2.0 * RESERVE_J + surprise_j(ours)
    least = [1e3 * -min(0.0, float(way.link_j.min())) for way in (plain, ours)]
    print(
        f"| {link} | {least[0]:.0f} | {least[1]:.2f} | {1e3 * bound:.1f} | {plain.most_n:.1f} "
        f"| {ours.most_n:.1f} | {1e3 * ours.offset_m:.1f} |"
    )
    assert ours.in_contact > 0.1, "nothing was felt"
    assert ours.link_j.min() >= -bound
    assert plain.link_j.min() < -10.0 * bound, "the test does not provoke what it is about"


def test_older_news_and_repeated_news_give_no_credit_and_a_new_sender_none_for_before() -> None:
    budget = Budget()
    budget.hear(5.0, b"one")
    assert budget.left_j == pytest.approx(RESERVE_J), "what was before is not known to be unspent"
    for told in (5.2, 5.1, 5.2, float("nan"), -1.0):
        budget.hear(told, b"one")
        assert budget.left_j == pytest.approx(RESERVE_J + 0.2)
    budget.count(-0.3)
    assert budget.left_j == pytest.approx(RESERVE_J - 0.1)
    budget.hear(7.0, b"two")
    assert budget.left_j == pytest.approx(RESERVE_J)


def test_a_damper_pays_debts_and_earns_no_credit() -> None:
    budget = Budget()
    budget.hear(0.0, b"arm")
    budget.count(-0.3)
    budget.dissipated(0.1)
    assert budget.left_j == pytest.approx(RESERVE_J - 0.2)
    budget.dissipated(0.5)
    assert budget.left_j == pytest.approx(RESERVE_J)


def test_a_hand_that_rests_feels_the_whole_force_and_one_that_is_driven_only_what_is_paid_for() -> None:
    force = np.array([0.0, 0.0, 3.0])
    end = DeviceEnd(period_s=T, max_force_n=MOST_N, slew_n_s=SLEW_N_S, max_damping=DAMPING)
    end.budget.hear(0.0, b"arm")
    for _ in range(20):
        end.step(force, np.zeros(3), np.zeros(3))
    assert end.force == pytest.approx(force)
    given, p, v = 0.0, np.zeros(3), np.array([0.0, 0.0, 0.1])
    last = end.force.copy()
    for _ in range(500):
        p = p + T * v
        given += float(end.force @ (T * v))
        end.step(force, p, v)
        assert np.linalg.norm(end.force - last) <= SLEW_N_S * T + DAMPING * 0.1
        last = end.force.copy()
    assert given <= RESERVE_J + 0.5 * 3.0 * 0.1 * 3.0 / SLEW_N_S
    end.budget.hear(1.0, b"arm")
    for _ in range(20):
        p = p + T * v
        end.step(force, p, v)
    assert end.force[2] == pytest.approx(3.0), "energy came from the arm: it may be felt"


def test_a_tool_in_debt_goes_no_further_against_the_force_and_comes_back_slowly() -> None:
    end = ArmEnd(T)
    end.budget.hear(0.0, b"hand")
    push = np.array([0.0, 0.0, 4.0])
    tool, desired = np.zeros(3), np.zeros(3)
    for _ in range(200):
        end.measure(push, tool, RATIO)
        desired = desired + np.array([2e-5, 0.0, -5e-5])
        tool = desired + end.step(desired, tool, RATIO)
    # The reserve lasts for RESERVE / (RATIO f), and the tool slips along the wall as it is asked to.
    assert tool[2] >= -RESERVE_J / (RATIO * 4.0) - 1e-4
    assert tool[0] == pytest.approx(200 * 2e-5)
    end.budget.hear(1.0, b"hand")
    steps, away = [], np.linalg.norm(end.offset)
    for _ in range(1000):
        before = end.offset.copy()
        end.measure(np.zeros(3), tool, RATIO)
        end.step(desired, tool, RATIO)
        steps.append(float(np.linalg.norm(end.offset - before)))
    assert max(steps) <= YIELD_M_S * T * (1 + 1e-9)
    assert np.linalg.norm(end.offset) < 0.25 * away
