"""Errors of the teleop package: each says what was wrong, where, what was expected and what to do."""

from __future__ import annotations


class TrocarError(Exception):
    """Base of every error that Trocar raises on purpose."""
