"""Who drives, and how old what the driver's browser says is. Pure: the caller gives the time."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass

from teleop.console.messages import Hand

REACH_M = 1.0
TAKEOVER_S = 30.0
"""An arm whose driver has neither held nor changed anything for this long may be taken by another, s."""
_WINDOW_NS = 30_000_000_000


class Lateness:
    """How much longer a message took than the quickest of the last half minute: needs no common clock."""

    def __init__(self) -> None:
        """Nothing heard yet."""
        self._quickest: deque[tuple[int, int]] = deque()

    def stamp(self, sent_ns: int, now_ns: int) -> int:
        """When the message was sent, on our clock, were the quickest passage instantaneous, ns."""
        passage = now_ns - sent_ns
        while self._quickest and self._quickest[-1][1] >= passage:
            self._quickest.pop()
        self._quickest.append((now_ns, passage))
        while self._quickest[0][0] < now_ns - _WINDOW_NS:
            self._quickest.popleft()
        return now_ns - (passage - self._quickest[0][1])


@dataclass(slots=True)
class Grip:
    """What goes to the master of one pair."""

    drive: bool = False
    epoch: int = 0
    p: tuple[float, ...] = (0.0, 0.0, 0.0)
    quat: tuple[float, ...] = (0.0, 0.0, 0.0, 1.0)
    gripper_rad: float = 0.0
    present: bool = False
    clutch: bool = False
    stamp_ns: int = 0


class Helm:
    """One driver at a time; everybody else watches.

    Attributes:
        driver: id of the viewer who drives, 0 for nobody.
        person: a person has the hands, also while the deadman is released or the tab closed; otherwise the
            synthetic surgeon.
        grips: what each master was told last.
    """

    def __init__(self, pairs: int) -> None:
        """Nobody drives."""
        self.driver = 0
        self.person = False
        self.grips = [Grip() for _ in range(pairs)]
        self._late = Lateness()
        self._epochs = [-1] * pairs
        self._next_epoch = 1
        self._acted_ns = 0

    def kept_s(self, now_ns: int) -> float:
        """For how long nobody but the driver may take the arm, s."""
        return max(0.0, TAKEOVER_S - (now_ns - self._acted_ns) * 1e-9) if self.driver else 0.0

    def acted(self, now_ns: int) -> None:
        """The driver did something, so the arm stays theirs."""
        self._acted_ns = now_ns

    def take(self, viewer: int, now_ns: int) -> str:
        """Make ``viewer`` the driver; an empty string, or why not. At every change the arm holds."""
        kept_s = self.kept_s(now_ns)
        if self.driver != viewer and kept_s > 0.0:
            return (
                "Somebody else drives, and has been told that you ask. You can take the arm when they give it"
                f" back, or have done nothing for {kept_s:.0f} s more; the e-stop works for everybody."
            )
        if self.driver != viewer:
            self.driver = viewer
            self._late = Lateness()
            self._epochs = [-1] * len(self.grips)
        self.person = True
        self.acted(now_ns)
        for grip in self.grips:
            self._release(grip, now_ns)
            grip.drive = True
        return ""

    def leave(self, viewer: int, now_ns: int, *, surgeon: bool) -> bool:
        """Let go. The hands stay with the absent person unless they are given to the surgeon."""
        if viewer != self.driver:
            return False
        self.driver = 0
        self.person = self.person and not surgeon
        for grip in self.grips:
            self._release(grip, now_ns)
            grip.drive = self.person
        return True

    @staticmethod
    def _release(grip: Grip, now_ns: int) -> None:
        grip.present = grip.clutch = False
        grip.stamp_ns = now_ns

    def hand(self, viewer: int, hand: Hand, now_ns: int) -> Grip | None:
        """Take in a message of the driver's hand; None if it is not the driver's or cannot be believed."""
        if viewer != self.driver or hand.pair >= len(self.grips):
            return None
        numbers = (*hand.p, *hand.quat, hand.gripper_rad)
        length = math.hypot(*hand.quat)
        if not all(map(math.isfinite, numbers)) or max(map(abs, hand.p)) > REACH_M:
            return None
        if abs(length - 1.0) > 1e-3:
            return None
        grip = self.grips[hand.pair]
        if hand.epoch != self._epochs[hand.pair]:
            self._epochs[hand.pair] = hand.epoch
            grip.epoch = self._next_epoch
            self._next_epoch += 1
        grip.p, grip.quat = tuple(hand.p), tuple(c / length for c in hand.quat)
        grip.gripper_rad = hand.gripper_rad
        grip.present, grip.clutch = hand.hold, hand.clutch
        if hand.hold:
            self.acted(now_ns)
        grip.stamp_ns = self._late.stamp(round(hand.t_ms * 1e6), now_ns)
        return grip
