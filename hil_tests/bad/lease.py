"""Drivers that are wrong about who may command."""

from __future__ import annotations

from typing import Any

from hil_tests.bad.registry import Good, caught_by, never


@caught_by("admission.lease", "silence.refused")
class IgnoresLease(Good):
    check_lease = check_session = never


@caught_by("admission.session")
class IgnoresSession(Good):
    check_session = never


@caught_by("lease.single")
class LeasesTwice(Good):
    def acquire(self, client: bytes, args: dict[str, Any], holder: bool) -> Any:
        if len(args.get("session", b"")) == 16:
            self.lease = b""
        return super().acquire(client, args, holder)


@caught_by("lease.lapse")
class KeepsLease(Good):
    def watch(self) -> None:
        self.lease_s = self.now_s
        super().watch()


@caught_by("lease.lapse")
class OneLeaseForAll(Good):
    def acquire(self, client: bytes, args: dict[str, Any], holder: bool) -> Any:
        result = super().acquire(client, args, holder)
        self.lease = b"the only lease  "
        return {**result, "lease": self.lease}


@caught_by("lease.acquire")
class AnySession(Good):
    def acquire(self, client: bytes, args: dict[str, Any], holder: bool) -> Any:
        return super().acquire(client, {**args, "session": args["session"].ljust(16)[:16]}, holder)


@caught_by("lease.stranger", "estop.latch")
class AnybodyIsHolder(Good):
    def holds(self, client: bytes, args: dict[str, Any]) -> bool:
        return True
