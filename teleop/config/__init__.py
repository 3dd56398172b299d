"""TOML in, validated and frozen session out; every mistake at once, with file, key and what was expected."""

from teleop.config.errors import ConfigError
from teleop.config.load import load_session
from teleop.config.schema import ArmEntry, MasterEntry, PairSpec, SessionSpec
from teleop.config.session import Session

__all__ = ["ArmEntry", "ConfigError", "MasterEntry", "PairSpec", "Session", "SessionSpec", "load_session"]
