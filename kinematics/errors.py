"""Errors raised by this package."""


class KinematicsError(ValueError):
    """Base of every error of `kinematics`: an arm, a limit or an input that cannot be used, and why."""
