"""A real controller drives the rig's arm: how it follows, and what happens when something breaks at contact.

The hand is in this process; motions are a few millimetres. On a rig whose driver is not ours nothing runs
without ``--allow-motion``, and what presses against the virtual floor only where the rig says ``contact``.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator

import numpy as np
import pytest

from hil_tests import fault_matrix as matrix
from hil_tests.conftest import Rig, Story
from hil_tests.fault_tables import HEAD, row
from hil_tests.faults import Outcome
from hil_tests.judge import DataSheet, judge
from hil_tests.stack import SERVO_M, Stack, running_stack
from teleop.conform.plot import Plot
from teleop.conform.probe import DISTURBED_S

SWEEP_HZ, SWEEP_S, SWEEP_M = (0.5, 12.0), 8.0, 0.002
CONTACT_M_S, CONTACT_M = 0.05, 0.030
PATIENCE_S = 60.0
"""For how long a way is tried anew on a machine that is late."""
SKIPPED_SHARE = 0.01
"""A controller that skips more deadlines than this was not given the processor."""


@pytest.fixture(scope="module")
def stack(rig: Rig, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    if rig.bounds is None:
        pytest.skip("needs motion: allow it with --allow-motion")
    real = None if rig.driver is not None else rig.endpoint
    keys = {"profile": rig.table["profile"], "arm": rig.table["name"]}
    with running_stack(tmp_path_factory.mktemp("stack"), real=real, **keys) as stack:
        yield stack


@pytest.fixture
def contact(rig: Rig) -> None:
    if not rig.table.get("contact"):
        pytest.skip("this rig does not allow contact with the virtual floor")


def _begin(stack: Stack) -> np.ndarray:
    stack.follow()
    for _ in range(3):
        stack.lead_tip(matrix.START)
        stack.follow()
    return stack.hand_p.copy()


def _undisturbed(stack: Stack, seconds: float, way: Callable[[np.ndarray, float], np.ndarray]) -> str:
    """Lead the hand along ``way(begin, t)`` and take notes; again where this machine itself stood still.

    A try in which the arm stops following ends there if this machine was late, so that many fit in; if it
    was not, the arm's silence to the end is what is judged.

    Returns:
        how this machine was late in every try, or nothing.
    """
    text, attempt, end_s = "", 0, time.monotonic() + PATIENCE_S
    while not text or time.monotonic() < end_s:
        attempt += 1
        begin = _begin(stack)
        stack.forget()
        began_s = time.monotonic()
        stack.run(
            seconds,
            lambda t, begin=begin: way(begin, t),  # type: ignore[misc]
            until=lambda: bool(stack.notes.ticks) and not stack.following,
        )
        notes = stack.notes
        skipped = notes.ticks[-1].skipped - notes.ticks[0].skipped
        if notes.gap_s <= DISTURBED_S and skipped <= SKIPPED_SHARE * len(notes.ticks):
            stack.run(seconds - (time.monotonic() - began_s))
            return ""
        text = (
            f"disturbed in {attempt} tries: the hand stood still for {1e3 * notes.gap_s:.0f} ms, "
            f"{skipped} deadlines of the controller skipped; {notes.states()}"
        )
    return text


def _resampled(stack: Stack) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Times (s, even, 1 kHz) and x of hand, command and measured tip (m), each from its zero."""
    notes = stack.notes
    begin, end = notes.hand[0][0], notes.hand[-1][0]
    t = np.arange(begin, end, 1e-3)
    measured = [stack.model.forward(s.m["q"])[0, 3] for s in notes.seen]

    def even(at: list[float], x: list[float]) -> np.ndarray:
        return np.asarray(np.interp(t, at, x) - x[0])

    hand = even([a for a, _ in notes.hand], [float(p[0]) for _, p in notes.hand])
    command = even([k.at_s for k in notes.ticks], [k.pair["p_command_m"][0] for k in notes.ticks])
    arm = even([s.at_s for s in notes.seen], [float(x) for x in measured])
    return t - begin, hand, command, arm


def _transfer(x: np.ndarray, y: np.ndarray, hz: np.ndarray) -> np.ndarray:
    """Cross spectrum over power spectrum of a sweep, smoothed over neighbouring frequencies."""
    window = np.hanning(x.size)
    spectrum = np.fft.rfftfreq(x.size, 1e-3)
    fx, fy = np.fft.rfft(x * window), np.fft.rfft(y * window)
    h = []
    for f in hz:
        near = np.abs(spectrum - f) <= max(0.1 * f, 0.25)
        h.append(np.sum(fy[near] * np.conj(fx[near])) / np.sum(np.abs(fx[near]) ** 2))
    return np.array(h)


def test_latency_and_tracking_by_a_sweep(stack: Stack, story: Story) -> None:
    rate = (SWEEP_HZ[1] - SWEEP_HZ[0]) / SWEEP_S

    def hand(begin: np.ndarray, t: float) -> np.ndarray:
        edge = min(1.0, t / 0.5, max(0.0, (SWEEP_S - t) / 0.5))
        phase = 2.0 * math.pi * (SWEEP_HZ[0] * t + 0.5 * rate * t * t)
        return begin + np.array([SWEEP_M * edge * math.sin(phase), 0.0, 0.0])

    disturbed = _undisturbed(stack, SWEEP_S, hand)
    followed = np.mean([k.pair["teleop_state"] == "FOLLOWING" for k in stack.notes.ticks])
    _, x_hand, x_command, x_arm = _resampled(stack)
    hz = np.geomspace(0.8, 10.0, 28)
    servo, whole = _transfer(x_command, x_arm, hz), _transfer(x_hand, x_arm, hz)
    low = hz <= 4.0
    delay = -np.unwrap(np.angle(servo)) / (2.0 * math.pi * hz) * 1e3
    whole_delay = -np.unwrap(np.angle(whole)) / (2.0 * math.pi * hz) * 1e3
    gain = 20.0 * np.log10(np.abs(servo))
    plots = (
        Plot(
            "Bode of the arm: gain", "Hz", "dB",
            (
                ("command to arm", hz.tolist(), gain.tolist()),
                ("hand to arm", hz.tolist(), (20.0 * np.log10(np.abs(whole))).tolist()),
            ),
            log_x=True,
        ),
        Plot(
            "Bode of the arm: phase as time", "Hz", "ms",
            (
                ("command to arm", hz.tolist(), delay.tolist()),
                ("hand to arm", hz.tolist(), whole_delay.tolist()),
            ),
            log_x=True,
        ),
    )  # fmt: skip
    late, flat = float(np.median(delay[low])), float(np.abs(gain[low]).max())
    text = (
        f"command to arm {late:.1f} ms, gain within {flat:.2f} dB to 4 Hz; hand to arm "
        f"{whole_delay[np.argmin(np.abs(hz - 1.0))]:.1f} ms at 1 Hz; "
        f"followed {100 * followed:.0f} %"
    )
    good = late <= 30.0 and flat <= 1.0 and bool(followed > 0.9)
    demanded = "delay <= 30 ms, gain within 1 dB to 4 Hz, followed > 90 %"
    story.tell("Sweep 0.5-12 Hz, 2 mm", text, demanded, good, *plots, disturbed=disturbed)


def test_tracking_of_a_step(stack: Stack, story: Story) -> None:
    size, rise_s = 0.004, 0.12

    def hand(begin: np.ndarray, t: float) -> np.ndarray:
        s = min(max((t - 0.2) / rise_s, 0.0), 1.0)
        return begin + np.array([size * (s**3 * (10.0 - 15.0 * s + 6.0 * s * s)), 0.0, 0.0])

    disturbed = _undisturbed(stack, 1.2, hand)
    t, x_hand, _, x_arm = _resampled(stack)
    end = float(np.median(x_arm[-100:]))
    over = (float(x_arm.max()) - size) / size
    off = np.flatnonzero(np.abs(x_arm - end) > 0.05 * size)
    settled = 1e3 * (t[off[-1]] - 0.2) if off.size else 0.0
    rising = int(np.argmax(x_arm > 0.9 * size))
    late = math.inf
    if rising:
        late = 1e3 * (float(np.interp(0.5 * size, x_arm[:rising], t[:rising])) - 0.2 - rise_s / 2)
    curves = ((name, t.tolist(), (1e3 * x).tolist()) for name, x in (("hand", x_hand), ("arm", x_arm)))
    plot = Plot("A step of 4 mm in 120 ms", "s", "mm", tuple(curves))
    text = (
        f"{late:.0f} ms late at half, overshoot {100 * over:.1f} %, within 5 % after {settled:.0f} ms, "
        f"ends off by {1e6 * (end - size):.0f} um"
    )
    good = bool(late <= 60.0 and over <= 0.25 and settled <= 500.0 and abs(end - size) <= 0.2e-3)
    demanded = "half within 60 ms, overshoot <= 25 %, settled within 500 ms, end within 0.2 mm"
    story.tell("Step", text, demanded, good, plot, disturbed=disturbed)


def test_contact_at_speed(stack: Stack, story: Story, contact: None) -> None:
    seconds = CONTACT_M / CONTACT_M_S

    def hand(begin: np.ndarray, t: float) -> np.ndarray:
        return np.asarray(begin - np.array([0.0, 0.0, CONTACT_M * min(1.0, t / seconds)]))

    disturbed = _undisturbed(stack, seconds + 0.5, hand)
    notes = stack.notes
    commanded = min(stack.clearance(np.array(k.pair["q_command"])) for k in notes.ticks) * 1e6
    measured = [stack.clearance(np.array(s.m["q"])) * 1e6 for s in notes.seen]
    k = int(np.argmin(measured))
    before, at = notes.seen[max(0, k - 10)], notes.seen[k]
    qd = (np.array(at.m["q"]) - np.array(before.m["q"])) / max(at.at_s - before.at_s, 1e-3)
    error = DataSheet.simulated(stack.q_min, stack.q_max).error_um(stack, np.array(at.m["q"]), qd)
    named = {line["who"] for k in notes.ticks for line in k.pair["ledger"]}
    t0 = notes.seen[0].at_s
    height = ("arm", [s.at_s - t0 for s in notes.seen], [1e-3 * c for c in measured])
    plot = Plot("Contact at 50 mm/s", "s", "height of the lowest body, mm", (height,))
    text = (
        f"commands stay {commanded:.1f} um away, the arm {min(measured):.1f} um, it ends "
        f"{measured[-1]:.0f} um above; the ledger names {', '.join(sorted(named))}"
    )
    # However late the machine: what was sent stays outside. Only whether it got there is a matter of time.
    safe = commanded >= 1e6 * SERVO_M and min(measured) >= -error
    good = safe and measured[-1] < 500.0 and "floor" in named
    demanded = (
        f"no command below {1e6 * SERVO_M:.0f} um, the arm not below its own error, -{error:.1f} um, "
        "at the floor in the end, and said so"
    )
    story.tell("Contact at speed", text, demanded, good, plot, disturbed=disturbed if safe else "")


def _outage(stream: str, role: str, seconds: float) -> Callable[[Stack], None]:
    return matrix.network(matrix.NetworkFault("outage", {"outage": True}, seconds), stream, role)


FAULTS = (
    ("Commands lost at contact, 60 ms", "servo_jp", "contact", _outage("servo_jp", "arm", 0.06)),
    ("Hand lost at contact, 300 ms", "measured_cp", "contact", _outage("measured_cp", "master", 0.3)),
    ("Driver restarted", "arm driver", "free", matrix.kill_arm),
    ("Controller restarted", "controller", "free", matrix.kill_controller),
)


@pytest.mark.parametrize(("what", "stream", "condition", "do"), FAULTS, ids=[f[0] for f in FAULTS])
def test_fault(
    what: str,
    stream: str,
    condition: str,
    do: Callable[[Stack], None],
    stack: Stack,
    rig: Rig,
    story: Story,
) -> None:
    if condition == "contact" and not rig.table.get("contact"):
        pytest.skip("this rig does not allow contact with the virtual floor")
    if stream == "arm driver" and not stack.own_arm:
        pytest.skip("somebody else starts this driver")
    demanded = "no jump, no violation, follows again"
    try:
        outcome = judge(stack, matrix.try_fault(stack, Outcome(what, stream, condition), do))
    except matrix.NotReached as error:
        story.tell(what, "not tried", demanded, False, disturbed=str(error))
        return
    cells = dict(zip(HEAD, row(outcome), strict=True))
    text = (
        f"{cells['detected']} by {cells['by'] or 'nobody'}; step {cells['step']}, arm {cells['arm step']}, "
        f"clearance {cells['arm']}; back: {cells['way back']}; {cells['verdict']}"
    )
    plots = (outcome.plot,) if outcome.plot else ()
    story.tell(what, text, demanded, not outcome.wrong, *plots)
