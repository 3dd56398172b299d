"""Device profiles, and the bound that every profile is held to when it is loaded."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from teleop.config import ConfigError, load_session
from teleop.config.toml import profiles_dir, read_toml, validate
from teleop.haptics.device import DeviceSpec
from teleop.haptics.spec import HapticsSpec
from teleop.haptics.stability import HapticsError, passive_bound, springs

PROFILES = sorted((profiles_dir() / "devices").glob("*.toml"))
DEMO = profiles_dir() / "sessions" / "demo.toml"


def device(name: str = "touch", **changes: object) -> DeviceSpec:
    table = read_toml(profiles_dir() / "devices" / f"{name}.toml")
    spec: DeviceSpec = validate(DeviceSpec, {**table, **changes}, name)
    return spec


@pytest.mark.parametrize("path", PROFILES, ids=lambda p: p.stem)
def test_every_device_profile_loads_and_gets_a_spring(path: Path) -> None:
    spec: DeviceSpec = validate(DeviceSpec, read_toml(path), path)
    both = springs(HapticsSpec(), spec)
    print(f"{path.stem:8} force {both.force.stiffness_n_m:6.0f}  planes {both.planes.stiffness_n_m:6.0f} N/m")
    assert 0.0 < both.force.stiffness_n_m <= both.planes.stiffness_n_m <= spec.max_stiffness_n_m
    for spring in (both.force, both.planes):
        assert spring.reason or spring.stiffness_n_m == spec.max_stiffness_n_m


def test_a_number_without_a_source_is_refused_by_name(tmp_path: Path) -> None:
    table = read_toml(profiles_dir() / "devices" / "touch.toml")
    del table["sources"]["friction_n"]
    with pytest.raises(ConfigError, match="friction_n"):
        validate(DeviceSpec, table, "touch")


def colgate_schenkel(stiffness: float, damping: float, period: float) -> float:
    """Least device damping for a sampled wall, by the integral condition itself (1997, eq. 5; no delay).

    ``b > sup_w T / (2 (1 - cos w T)) Re[(1 - e^-jwT) H(e^jwT)]`` with ``H = K + B (z - 1) / (T z)``.
    """
    w = np.linspace(1e-3, math.pi, 200_000) / period
    z = np.exp(1j * w * period)
    H = stiffness + damping * (z - 1) / (period * z)
    needed = period / (2 * (1 - np.cos(w * period))) * np.real((1 - 1 / z) * H)
    return float(needed.max())


@pytest.mark.parametrize(
    ("stiffness", "damping"), [(400.0, 0.0), (1000.0, 0.0), (1000.0, 0.5), (5000.0, 2.0)]
)
def test_the_bound_is_the_integral_condition_without_delay(stiffness: float, damping: float) -> None:
    period = 1e-3
    needed = colgate_schenkel(stiffness, damping, period)
    bound = passive_bound(
        damping_ns_m=needed, virtual_damping_ns_m=damping, period_s=period, delay_s=0.0, friction_n=1.0,
        resolution_m=0.0,
    )  # fmt: skip
    assert bound.stiffness_n_m == pytest.approx(stiffness, rel=1e-3)


def test_a_delay_of_two_milliseconds_costs_four_fifths_of_the_stiffness() -> None:
    def at(delay_s: float) -> float:
        return passive_bound(
            damping_ns_m=1.0, virtual_damping_ns_m=0.0, period_s=1e-3, delay_s=delay_s, friction_n=9.0,
            resolution_m=1e-6,
        ).stiffness_n_m  # fmt: skip

    assert at(2e-3) == pytest.approx(at(0.0) / 5)


def test_too_stiff_a_spring_is_capped_and_the_reason_names_the_numbers() -> None:
    both = springs(HapticsSpec(stiffness_n_m=2000.0), device("omega3"))
    assert both.planes.stiffness_n_m == 2000.0
    assert both.planes.reason == ""
    assert both.force.stiffness_n_m < 2000.0
    for part in ("2000 N/m capped to", "T = 1 ms", "t_d = 3 ms", "b > K"):
        assert part in both.force.reason
    assert both.notes == (both.force.reason,)


def test_too_stiff_a_spring_is_refused_where_that_is_asked_for() -> None:
    with pytest.raises(HapticsError, match=r"capped to .* Ask for less"):
        springs(HapticsSpec(stiffness_n_m=2000.0, on_bound="refuse"), device("omega3"))
    springs(HapticsSpec(stiffness_n_m=100.0, on_bound="refuse"), device("omega3"))


def test_more_damping_than_there_is_leaves_no_spring_and_says_so() -> None:
    with pytest.raises(HapticsError, match="no spring at all"):
        springs(HapticsSpec(damping_ns_m=3.0), device("touch"))
    with pytest.raises(HapticsError, match="at most 4 N s/m"):
        springs(HapticsSpec(damping_ns_m=5.0), device("touch"))


def test_a_coarse_encoder_limits_the_stiffness_too() -> None:
    coarse = springs(HapticsSpec(), device("omega3", resolution_m=1e-3))
    assert coarse.planes.stiffness_n_m == pytest.approx(2 * 0.1 / 1e-3)
    assert "f_c" in coarse.planes.reason


def test_a_session_is_refused_with_the_pair_and_the_reason() -> None:
    with pytest.raises(ConfigError, match=r"pair right: haptics\.stiffness_n_m: .*on_bound"):
        load_session(
            DEMO,
            ("pairs[0].haptics.stiffness_n_m=400", "pairs[0].haptics.on_bound=refuse"),
        )
    with pytest.raises(ConfigError, match="Did you mean `touch`"):
        load_session(DEMO, ("pairs[0].haptics.device=tuch",))


def test_the_effective_configuration_shows_the_device() -> None:
    effective = load_session(DEMO, ("pairs[0].haptics.device=sigma7",)).effective()
    assert effective["pairs"][0]["haptics"]["model"]["max_torque_nm"] == 0.2
