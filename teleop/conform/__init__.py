"""Is this arm driver safe to use? Rules of the protocol, each checked over the wire alone."""

from teleop.conform.bench import Bench, BenchError
from teleop.conform.bounds import Bounds
from teleop.conform.rule import Finding, Needs, Rule, Verdict
from teleop.conform.rules import RULES
from teleop.conform.runner import Result, run_rule, run_rules

__all__ = [
    "RULES",
    "Bench",
    "BenchError",
    "Bounds",
    "Finding",
    "Needs",
    "Result",
    "Rule",
    "Verdict",
    "run_rule",
    "run_rules",
]
