"""Seeded surgeon motion with known truth: two generators built on different models.

:func:`synthesise` follows the literature's recipe (minimum-jerk reaches, FM/AM tremor).
:func:`synthesise_held_out` answers to the same :class:`SurgeonSpec` but shares neither the voluntary nor the
tremor model, so that a filter tuned on the first is judged on motion it was not made for.
"""

from teleop.masters.surgeon.held_out import synthesise_held_out
from teleop.masters.surgeon.spec import SurgeonSpec
from teleop.masters.surgeon.trace import SurgeonTrace, synthesise

__all__ = ["SurgeonSpec", "SurgeonTrace", "synthesise", "synthesise_held_out"]
