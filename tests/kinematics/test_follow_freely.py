"""An arm that nothing holds back, against the whole inverse kinematics of one with endless joint ranges."""

from __future__ import annotations

import numpy as np
import pytest

from kinematics.ik import DifferentialIK
from kinematics.limits import JointLimits
from kinematics.rows import RowSet
from kinematics.task import TipTask

from .ik_rig import T, load


def endless(limits: JointLimits) -> JointLimits:
    far = np.full(limits.n, 1e6)
    return JointLimits(-far, far, limits.qd_max, limits.qdd_max, limits.qddd_max)


@pytest.mark.parametrize("task", [TipTask.full(), TipTask.position()], ids=["pose", "position"])
@pytest.mark.parametrize("name", ["psm_lnd_400006", "panda_lap"])
def test_it_goes_as_an_arm_without_rows_and_ranges_would(name: str, task: TipTask) -> None:
    arm = load(name)
    ik, oracle = DifferentialIK(arm.limits, T), DifferentialIK(endless(arm.limits), T)
    rng, n = np.random.default_rng(1), arm.n
    a_step = arm.limits.effective_acceleration(T) * T
    hindered = 0
    for _ in range(300):
        jacobian = arm.at(arm.home + rng.uniform(-0.05, 0.05, n)).jacobian.copy()
        v = rng.uniform(-0.3, 0.3, n) * arm.limits.qd_max
        error = rng.normal(size=task.m) * rng.choice([1e-6, 1e-4, 1e-2])
        feedforward = jacobian @ (v + rng.uniform(-2, 2, n) * a_step) * T
        feedforward = task.P @ feedforward
        # Rows that hold the arm itself back must not matter to the free one.
        rows = RowSet.hard(rng.normal(size=(4, n)), np.full(4, 1e-5))
        given = {"q": arm.home, "jacobian": jacobian, "feedforward": feedforward, "task": task}
        solved = ik.solve(v_prev=v, error=error, rows=rows, **given)
        want = oracle.solve(v_prev=v, error=error, **given).v
        lag, free = error.copy(), v.copy()
        ik.follow_freely(jacobian=jacobian, error=lag, feedforward=feedforward, v=free, task=task)
        np.testing.assert_allclose(free, want, rtol=0, atol=1e-9)
        np.testing.assert_allclose(
            lag, error + feedforward - task.P @ jacobian @ want * T, rtol=0, atol=1e-12
        )
        hindered += not np.allclose(solved.v, free, atol=1e-6)
    assert hindered > 200


def test_what_is_no_number_lets_it_stop() -> None:
    arm = load("psm_lnd_400006")
    ik = DifferentialIK(arm.limits, T)
    jacobian, v = arm.at(arm.home).jacobian.copy(), 0.2 * arm.limits.qd_max
    ik.solve(q=arm.home, v_prev=v, jacobian=jacobian, error=np.zeros(6), feedforward=np.zeros(6))
    before = np.abs(v)
    ik.follow_freely(jacobian=jacobian, error=np.zeros(6), feedforward=np.full(6, np.nan), v=v)
    assert np.isfinite(v).all()
    assert (np.abs(v) < before).all()
