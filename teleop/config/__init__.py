"""TOML in, validated and frozen session out; every mistake at once, with file, key and what was expected."""

from teleop.config.errors import ConfigError
from teleop.config.session import ArmEntry, MasterEntry, PairSpec, Session, SessionSpec, load_session

__all__ = ["ArmEntry", "ConfigError", "MasterEntry", "PairSpec", "Session", "SessionSpec", "load_session"]
