"""Starts, watches and stops the processes of a session, and leaves none behind."""

from teleop.supervisor.plan import ChildSpec, Death
from teleop.supervisor.ready import announce_ready
from teleop.supervisor.supervisor import Outcome, Supervisor

__all__ = ["ChildSpec", "Death", "Outcome", "Supervisor", "announce_ready"]
