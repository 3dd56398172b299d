"""Measures of skill against closed forms."""

from __future__ import annotations

import math

import numpy as np
import pytest

from teleop.recorder.report import metrics

RATE = 1000.0


def minimum_jerk(duration_s: float, distance_m: float) -> np.ndarray:
    tau = np.arange(round(duration_s * RATE) + 1) / (duration_s * RATE)
    return distance_m * (10 * tau**3 - 15 * tau**4 + 6 * tau**5)


def minimum_jerk_speed(duration_s: float, distance_m: float) -> np.ndarray:
    tau = np.arange(round(duration_s * RATE) + 1) / (duration_s * RATE)
    return distance_m / duration_s * 30 * (tau**2 - 2 * tau**3 + tau**4)


def test_length_of_a_circle_and_of_a_line() -> None:
    turn = np.linspace(0, 2 * np.pi, 10_001)
    circle = 0.03 * np.stack([np.cos(turn), np.sin(turn), 0 * turn], axis=1)
    assert metrics.path_length(circle) == pytest.approx(2 * np.pi * 0.03, rel=1e-6)
    assert metrics.path_length(np.array([[0, 0, 0], [3.0, 4.0, 0.0]])) == 5.0


@pytest.mark.parametrize(("duration", "distance"), [(0.5, 0.01), (2.0, 0.1)])
def test_jerk_of_a_minimum_jerk_reach_has_its_closed_form(duration: float, distance: float) -> None:
    value = metrics.log_dimensionless_jerk(minimum_jerk_speed(duration, distance), RATE)
    assert value == pytest.approx(-math.log(720 / 1.875**2), abs=0.02)


def test_jerk_of_a_half_sine_has_its_closed_form() -> None:
    t = np.arange(2001) / RATE
    v = 0.2 * np.sin(np.pi * t / 2.0)
    # T^3/v^2 * integral (v w^2 sin)^2 dt = T^3 w^4 T/2, w = pi/T
    assert metrics.log_dimensionless_jerk(v, RATE) == pytest.approx(-math.log(np.pi**4 / 2), abs=0.02)


def test_sparc_of_a_gaussian_is_the_arc_of_its_spectrum() -> None:
    """The spectrum of a Gaussian is one: its arc, cut at 0.05, can be integrated by itself."""
    t = np.arange(4000) / RATE
    sigma = 0.15
    v = np.exp(-0.5 * ((t - 2.0) / sigma) ** 2)
    cut = math.sqrt(2 * math.log(20)) / (2 * np.pi * sigma)
    f = np.linspace(0.0, cut, 200_001)
    arc = -np.hypot(np.diff(f) / cut, np.diff(np.exp(-0.5 * (2 * np.pi * sigma * f) ** 2))).sum()
    assert metrics.sparc(v, RATE) == pytest.approx(arc, rel=5e-3)


def test_sparc_does_not_depend_on_amplitude_and_falls_with_tremor() -> None:
    v = minimum_jerk_speed(1.0, 0.05)
    t = np.arange(v.size) / RATE
    shaken = np.abs(v + 0.02 * np.sin(2 * np.pi * 8 * t))
    assert metrics.sparc(v, RATE) == pytest.approx(metrics.sparc(30 * v, RATE), rel=1e-12)
    assert metrics.sparc(shaken, RATE) < metrics.sparc(v, RATE) - 0.3
    assert metrics.log_dimensionless_jerk(shaken, RATE) < metrics.log_dimensionless_jerk(v, RATE) - 2


def test_a_run_of_two_reaches_with_a_rest_between_is_told_as_such() -> None:
    reach = minimum_jerk(1.0, 0.05)
    x = np.concatenate([np.zeros(500), reach, np.full(1000, 0.05), 0.05 - reach, np.zeros(500)])
    p = np.stack([x, 0 * x, 0 * x], axis=1)
    following = np.ones(x.size, bool)
    clutch = np.zeros(x.size, bool)
    clutch[1600:1700] = clutch[1800:1900] = True
    skill = metrics.skill(p, following, clutch, RATE)
    assert skill.path_length_m == pytest.approx(0.1, rel=1e-3)
    assert skill.movements == 2
    assert skill.clutches == 2
    assert skill.completion_s == pytest.approx(x.size / RATE)
    # A minimum-jerk reach of 5 cm in 1 s is slower than 1 mm/s for its first and last 2.7 %.
    assert skill.idle_s == pytest.approx(2.0 + 4 * 0.027, abs=0.03)
    assert skill.log_dimensionless_jerk == pytest.approx(-math.log(720 / 1.875**2), abs=0.5)


def test_pauses_do_not_count_as_path_or_idle_time() -> None:
    x = np.concatenate([minimum_jerk(1.0, 0.05), np.full(3000, 0.09), 0.09 + minimum_jerk(1.0, 0.05)])
    p = np.stack([x, 0 * x, 0 * x], axis=1)
    following = np.ones(x.size, bool)
    following[1001:4001] = False
    skill = metrics.skill(p, following, np.zeros(x.size, bool), RATE)
    assert skill.path_length_m == pytest.approx(0.1, rel=1e-6)
    assert skill.following_s == pytest.approx(2.002)
    assert skill.completion_s == pytest.approx(5.002)
    assert skill.idle_s < 0.2


def test_nothing_is_nothing() -> None:
    empty = metrics.skill(np.zeros((10, 3)), np.zeros(10, bool), np.zeros(10, bool), RATE)
    assert (empty.sparc, empty.movements, empty.path_length_m) == (None, 0, 0.0)
    assert metrics.rms_and_max(np.zeros(0)) is None
    assert metrics.rms_and_max(np.array([3.0, -4.0])) == (pytest.approx(math.sqrt(12.5)), 4.0)
    assert math.isnan(metrics.sparc(np.zeros(100), RATE))
