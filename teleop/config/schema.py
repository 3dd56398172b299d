"""What a session's TOML file may say: pairs, operator, fixtures, bad networks, keys."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, model_validator

from fixtures.spec import AnyFixture
from teleop.controller.arm_link import ArmLinkSpec
from teleop.controller.hand import HandSpec
from teleop.drivers.sim.spec import SimArmSpec
from teleop.haptics.spec import HapticsSpec
from teleop.impair.spec import ImpairSpec
from teleop.mapping import MappingSpec
from teleop.masters.spec import MasterSpec
from teleop.safety.round_trip import RoundTripSpec
from teleop.tremor import FilterSpec, KalmanBankSpec
from teleop.wire.keys import CONTROLLER, OPERATOR, RECORDER

_CONFIG = ConfigDict(extra="forbid", allow_inf_nan=False, frozen=True)

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,31}$")]
Vec3 = tuple[float, float, float]
Quat = tuple[float, float, float, float]

RATE_HZ = 1000.0


class LoopSpec(BaseModel):
    """How the processes keep time.

    Attributes:
        realtime: ask the system for SCHED_FIFO, locked memory and pinning; what it refuses is said once.
        controller_cpu: processor the controller is pinned to; ``None`` leaves it to the system.
        spin_us: the last part of each wait is spent spinning, us.
    """

    model_config = _CONFIG

    realtime: bool = True
    controller_cpu: Annotated[int, Field(ge=0, le=1023)] | None = None
    spin_us: Annotated[float, Field(ge=0.0, le=150.0)] = 100.0


class MasterEntry(BaseModel):
    """One master: its name on the wire and where its motion comes from.

    Attributes:
        name: first part of its streams' names, ``<name>/measured_cp``.
        profile: name or file of a profile under ``configs/masters``; or say ``source``.
        source: the motion itself, see ``docs/masters.md``.
        endpoint: base endpoint; by default an ipc address in the session's runtime folder.
        external: a driver that somebody else starts; ``trocar run`` then starts none.
    """

    model_config = _CONFIG

    name: Name
    profile: str | None = None
    source: MasterSpec | None = None
    endpoint: str | None = None
    external: bool = False

    @model_validator(mode="after")
    def _one_source(self) -> MasterEntry:
        if self.external == (self.profile is not None or self.source is not None):
            raise ValueError(
                "give `profile` or `source`, or `external = true` for a driver started elsewhere"
            )
        if self.profile is not None and self.source is not None:
            raise ValueError("give `profile` or `source`, not both")
        return self


class ArmEntry(BaseModel):
    """One arm: its name on the wire, its model, where it stands, and the simulated driver's parameters.

    Attributes:
        name: first part of its streams' names, ``<name>/servo_jp``.
        profile: name or file of a profile under ``configs/arms``.
        p_world_base_m: position of the base in the world, m.
        quat_world_base_xyzw: orientation of the base in the world.
        endpoint: base endpoint; by default an ipc address in the session's runtime folder.
        external: a driver that somebody else starts; ``trocar run`` then starts none.
        sim: parameters of the simulated driver.
    """

    model_config = _CONFIG

    name: Name
    profile: str
    p_world_base_m: Vec3 = (0.0, 0.0, 0.0)
    quat_world_base_xyzw: Quat = (0.0, 0.0, 0.0, 1.0)
    endpoint: str | None = None
    external: bool = False
    sim: SimArmSpec = SimArmSpec()


class PairSpec(BaseModel):
    """One master-arm pair.

    Attributes:
        name: name of the pair.
        master: the master.
        arm: the arm.
        mapping: hand to tip.
        filter: tremor filter.
        hand: what is accepted from the master.
        link: what is accepted from the arm driver.
        round_trip: from when on a long round trip slows and stops the pair.
        haptics: what the hand feels.
    """

    model_config = _CONFIG

    name: Name
    master: MasterEntry
    arm: ArmEntry
    mapping: MappingSpec = MappingSpec()
    filter: FilterSpec = KalmanBankSpec()
    hand: HandSpec = HandSpec()
    link: ArmLinkSpec = ArmLinkSpec()
    round_trip: RoundTripSpec = RoundTripSpec()
    haptics: HapticsSpec = HapticsSpec()


class OperatorSpec(BaseModel):
    """What ``trocar run`` does in the operator's place.

    Attributes:
        auto: enable, home and engage as soon as that is possible, and again after a loss.
        restart: start a driver again that ended by itself.
    """

    model_config = _CONFIG

    auto: bool = True
    restart: bool = True


class ImpairEntry(ImpairSpec):
    """A bad network between the controller and one participant; ``trocar run`` starts the proxy.

    Attributes:
        participant: name of a master or an arm of this session.
    """

    participant: Name


class SecuritySpec(BaseModel):
    """Keys for tcp, see ``docs/security.md``. Secrets are in files of their own and never in a session.

    Attributes:
        keys_dir: folder of the key files, as `trocar keys` makes them; relative to the session's file.
        operators: names of keys that may give orders to the controller and stop everything.
        viewers: names of keys that may look on.
    """

    model_config = _CONFIG

    keys_dir: Annotated[str, Field(min_length=1)] = "keys"
    operators: tuple[Name, ...] = (OPERATOR,)
    viewers: tuple[Name, ...] = ()


class SessionSpec(BaseModel):
    """A whole session as its TOML file says it.

    Attributes:
        name: name of the session; its runtime folder is named after it.
        pairs: the master-arm pairs.
        loop: how the processes keep time.
        operator: what is done in the operator's place.
        fixtures: names or files of fixture profiles under ``configs/fixtures``.
        fixture: further fixtures, written in the session itself.
        impair: bad networks, for tests, between the controller and masters or arms.
        controller_endpoint: base endpoint of the controller; by default an ipc address in the runtime folder.
        recorder_endpoint: base endpoint of the recorder; likewise.
        runtime_dir: folder of the ipc sockets; by default one per user and session.
        security: keys for tcp; needed as soon as an endpoint leaves this host.
    """

    model_config = _CONFIG

    name: Name
    pairs: Annotated[tuple[PairSpec, ...], Field(min_length=1, max_length=8)]
    loop: LoopSpec = LoopSpec()
    operator: OperatorSpec = OperatorSpec()
    fixtures: tuple[str, ...] = ()
    fixture: tuple[AnyFixture, ...] = ()
    impair: tuple[ImpairEntry, ...] = ()
    controller_endpoint: str | None = None
    recorder_endpoint: str | None = None
    runtime_dir: str | None = None
    security: SecuritySpec | None = None

    @model_validator(mode="after")
    def _names_differ(self) -> SessionSpec:
        for what, names in (
            ("pairs", [p.name for p in self.pairs]),
            ("masters and arms", [n for p in self.pairs for n in (p.master.name, p.arm.name)]),
            ("impaired participants", [entry.participant for entry in self.impair]),
        ):
            twice = sorted({name for name in names if names.count(name) > 1})
            if twice:
                raise ValueError(f"names of {what} must differ; used more than once: {', '.join(twice)}")
        ours = sorted(
            {CONTROLLER, RECORDER, OPERATOR} & {n for p in self.pairs for n in (p.master.name, p.arm.name)}
        )
        if ours:
            raise ValueError(
                f"no master or arm can be called {', '.join(ours)}: that is one of our own programs"
            )
        return self

    def key_names(self) -> list[str]:
        """Everybody who needs keys, if anybody does."""
        security = self.security or SecuritySpec()
        names = [CONTROLLER, RECORDER, *security.operators, *security.viewers]
        names += [name for pair in self.pairs for name in (pair.master.name, pair.arm.name)]
        return list(dict.fromkeys(names))

    def endpoints(self) -> list[tuple[str, str]]:
        """Key and value of every endpoint that the session declares."""
        declared = [
            ("controller_endpoint", self.controller_endpoint),
            ("recorder_endpoint", self.recorder_endpoint),
        ]
        for k, pair in enumerate(self.pairs):
            declared.append((f"pairs[{k}].master.endpoint", pair.master.endpoint))
            declared.append((f"pairs[{k}].arm.endpoint", pair.arm.endpoint))
        return [(key, value) for key, value in declared if value is not None]
