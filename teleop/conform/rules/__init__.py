"""All rules in the order they are tried: from what touches nothing to what stops an arm at speed."""

from teleop.conform.rule import Rule
from teleop.conform.rules import admission, estop, garbage, identity, jaw, lease, motion, restart, silence

RULES: tuple[Rule, ...] = (
    *identity.RULES,
    *lease.RULES,
    *garbage.RULES,
    *motion.RULES,
    *admission.RULES,
    *silence.RULES,
    *jaw.RULES,
    *estop.RULES,
    *restart.RULES,
)
