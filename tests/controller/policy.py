"""A hand that moves, and links of any length, for the tests of the safety policy."""

from __future__ import annotations

import math

from teleop.wire.messages import MeasuredCp, MeasuredJs

from .rig import MS, Rig


def shake(rig: Rig, ticks: int, **keys: object) -> None:
    """A hand that moves at about 100 mm/s."""
    for _ in range(ticks):
        t = rig.now_ns * 1e-9
        rig.hand.p_m = [0.03 * math.sin(3.0 * t), 0.03 * math.sin(2.5 * t + 1.0), 0.02 * math.sin(4.0 * t)]
        rig.tick(**keys)  # type: ignore[arg-type]


def cycle_clutch(rig: Rig, ticks: int = 60) -> None:
    rig.hand.clutch = True
    shake(rig, ticks)
    rig.hand.clutch = False
    shake(rig, 300)


def follow(**options: object) -> Rig:
    rig = Rig(scale=1.0, **options)  # type: ignore[arg-type]
    rig.bring_up()
    shake(rig, 700)
    assert rig.state == ("FOLLOWING", "none")
    return rig


class LongLink(Rig):
    """The arm's echo, and the master's if it is to give one, are this old."""

    arm_ms = 0.0
    master_ms: float | None = None

    def measured(self) -> MeasuredJs:
        state = super().measured()
        if state.echo_seq >= 0:
            state.echo_stamp_ns -= round(self.arm_ms * MS)
        return state

    def sample(self) -> MeasuredCp:
        sample = super().sample()
        if self.master_ms is not None:
            sample.echo_seq = sample.seq
            sample.echo_stamp_ns = self.now_ns - round(self.master_ms * MS)
        return sample


def linked(arm_ms: float = 0.0, master_ms: float | None = None, **mapping: object) -> LongLink:
    rig = LongLink(ramp_s=0.0, **mapping)
    rig.arm_ms, rig.master_ms = arm_ms, master_ms
    rig.bring_up()
    return rig
