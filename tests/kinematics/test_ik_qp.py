"""The QP of a tick against independent solvers, and its optimality conditions recomputed."""

from __future__ import annotations

import numpy as np
import pytest
import quadprog
from scipy.optimize import linprog, nnls

from kinematics import ik as ik_module
from kinematics.errors import KinematicsError
from kinematics.ik import DifferentialIK
from kinematics.ik_result import IKStatus
from kinematics.limits import JointLimits
from kinematics.relax import least_slack, solve_qp
from kinematics.rows import RowSet, keep_reachable

T = 1e-3


def make_ik(n: int) -> DifferentialIK:
    one = np.ones(n)
    return DifferentialIK(JointLimits(-2.5 * one, 2.5 * one, 2 * one, 10 * one, np.inf * one), T)


@pytest.fixture(scope="module")
def solvers():
    return {n: make_ik(n) for n in (6, 7)}


def random_problem(rng, n, k):
    """Joint state, Jacobian and rows, with near-duplicates, zero rows and rows that are off."""
    A = rng.normal(size=(k, n)) * rng.choice([0.01, 0.3, 1.0], size=(k, 1))
    for i in range(1, k):
        kind = rng.integers(12)
        if kind == 0:
            A[i] = A[i - 1] * (1 + 1e-9 * rng.normal(size=n))
        elif kind == 1:
            A[i] = 0.0
        elif kind == 2:
            A[i] = -A[i - 1] + 1e-7 * rng.normal(size=n)
    b = -np.abs(rng.normal(size=k)) * rng.choice([1e-7, 1e-5, 1e-3]) + rng.choice([0.0, 2e-6])
    b[np.abs(A).sum(axis=1) == 0] = -1e-6
    b[rng.random(k) < 0.05] = -np.inf
    return {
        "q": rng.uniform(-2.4, 2.4, n),
        "v_prev": rng.uniform(-1, 1, n) * rng.choice([0.0, 0.01, 0.5]),
        "jacobian": rng.normal(size=(6, n)) * 0.3,
        "error": rng.normal(size=6) * rng.choice([0.0, 1e-5, 1e-2]),
        "feedforward": rng.normal(size=6) * 2e-4,
        "rows": RowSet.hard(A, b),
    }


def oracle(ik: DifferentialIK, given: RowSet):
    """quadprog on the same cost and box, with the rows as they were given; None if it says infeasible."""
    work, arm = ik._work, ik._arm
    on = np.isfinite(given.b) & (np.abs(given.A).sum(axis=1) > 0)
    C = np.vstack([np.eye(ik._n), -np.eye(ik._n), given.A[on] * arm.qd_max * T])
    d = np.concatenate([work.lo_wanted / arm.qd_max, -work.hi_wanted / arm.qd_max, given.b[on]])
    lengths = np.linalg.norm(C, axis=1)
    try:
        return quadprog.solve_qp(work.hessian.copy(), -work.linear, (C / lengths[:, None]).T, d / lengths)[0]
    except ValueError:
        return None


def test_random_qps_agree_with_quadprog(solvers):
    rng = np.random.default_rng(11)
    met = relaxed = 0
    for trial in range(1500):
        n = 6 + trial % 2
        problem = random_problem(rng, n, int(rng.integers(1, 31)))
        ik = solvers[n]
        result = ik.solve(**problem)
        assert not result.status.holds
        if result.qp_solves == 0:
            continue
        wanted = oracle(ik, problem["rows"])
        if result.status >= IKStatus.RELAXED_SOFT:
            relaxed += 1
            continue
        met += 1
        assert wanted is not None
        H, target = ik._work.hessian, ik._work.target

        def cost(y, H=H, target=target):
            return 0.5 * (y - target) @ H @ (y - target)

        y = result.v / ik._arm.qd_max
        assert cost(y) <= cost(wanted) + 1e-9 * (1 + cost(wanted))
        dq = result.v * T
        on = np.isfinite(problem["rows"].b)
        assert np.min(problem["rows"].A[on] @ dq - problem["rows"].b[on]) > -1e-11
    assert met > 300
    assert relaxed > 50


def test_rows_are_relaxed_only_where_a_linear_program_finds_no_point(solvers):
    rng = np.random.default_rng(12)
    checked = 0
    for trial in range(600):
        n = 6 + trial % 2
        problem = random_problem(rng, n, int(rng.integers(5, 31)))
        ik, rows = solvers[n], problem["rows"]
        result = ik.solve(**problem)
        if result.status is not IKStatus.RELAXED_HARD:
            continue
        on = np.isfinite(rows.b) & (np.abs(rows.A).sum(axis=1) > 0)
        scale = np.linalg.norm(rows.A[on], axis=1) * T
        found = linprog(
            np.zeros(n),
            A_ub=-rows.A[on] * T / scale[:, None],
            b_ub=-(rows.b[on] + 1e-9) / scale,
            bounds=list(zip(ik._work.lo_wanted, ik._work.hi_wanted, strict=True)),
        )
        assert found.status == 2  # infeasible, with a nanometre to spare
        # and by no more than the stop would have
        least = np.minimum(rows.b[on], rows.A[on] @ ik._work.stop * T)
        assert np.all(rows.A[on] @ result.v * T >= least - 1e-6 * scale)
        checked += 1
    assert checked > 20


def test_optimality_conditions_hold_at_the_answer(solvers):
    rng = np.random.default_rng(13)
    checked = 0
    for trial in range(400):
        n = 6 + trial % 2
        problem = random_problem(rng, n, 20)
        ik, rows = solvers[n], problem["rows"]
        result = ik.solve(**problem)
        if result.status is not IKStatus.CONSTRAINED:
            continue
        y = result.v / ik._arm.qd_max
        gradient = ik._work.hessian @ (y - ik._work.target)
        # The gradient is a non-negative combination of the rows and bounds that are tight.
        lo, hi = ik._work.lo_wanted / ik._arm.qd_max, ik._work.hi_wanted / ik._arm.qd_max
        tight = [rows.A[i] / np.linalg.norm(rows.A[i]) for i in result.active]
        for j in range(n):
            if y[j] - lo[j] < 1e-9:
                tight.append(np.eye(n)[j])
            if hi[j] - y[j] < 1e-9:
                tight.append(-np.eye(n)[j])
        _, rest = nnls(np.array(tight).T, gradient)
        assert rest < 1e-7 * (1 + np.linalg.norm(gradient))
        for i in result.active:
            assert abs(rows.A[i] @ result.v * T - rows.b[i]) < 1e-10
        checked += 1
    assert checked > 100


def lexicographic_slack(A, b, priority, ceiling, lo, hi):
    """Least total slack, level by level from the hardest, by linear programs."""
    n, k = A.shape[1], len(b)
    totals = {}
    for level in sorted(set(priority)):
        cost = np.concatenate([np.zeros(n), (priority == level).astype(float)])
        upper = np.where(priority == 0, 0.0, ceiling)
        result = linprog(
            cost,
            A_ub=-np.hstack([A, np.eye(k)]),
            b_ub=-b,
            A_eq=np.array([[1.0 * (priority[i] == p) for i in range(k)] for p in totals])
            @ np.eye(k, n + k, n)
            if totals
            else None,
            b_eq=list(totals.values()) if totals else None,
            bounds=[*zip(lo, hi, strict=True), *[(0, u) for u in upper]],
        )
        if result.status != 0:
            return None
        totals[level] = result.fun
    return totals


def test_soft_rows_give_way_in_their_declared_order_by_the_least_total():
    rng = np.random.default_rng(4)
    checked = 0
    for _ in range(200):
        n, k = 6, 10
        A = rng.normal(size=(k, n))
        A /= np.linalg.norm(A, axis=1)[:, None]
        b = rng.uniform(-0.5, 1.5, k)
        priority = rng.integers(0, 4, k)
        b[priority == 0] -= 1.0
        lo, hi = -np.ones(n), np.ones(n)
        ceiling = np.full(k, 10.0)
        wanted = lexicographic_slack(A, b, priority, ceiling, lo, hi)
        stop = np.zeros(n)
        if wanted is None or max(wanted.values()) < 1e-6:
            continue
        slack = least_slack(A, b, priority, np.ones(k), ceiling, lo, hi, rng.normal(size=n), stop, 500)
        for level, total in wanted.items():
            assert slack[priority == level].sum() == pytest.approx(total, abs=2e-3)
        checked += 1
    assert checked > 40


def test_soft_rows_that_only_lack_an_inside_cost_one_more_qp_and_give_nothing(solvers):
    rng = np.random.default_rng(8)
    A = rng.normal(size=(64, 6)) * 0.02 + np.eye(6)[0]
    A = np.vstack([A, -A])
    b = A @ rng.normal(scale=1e-6, size=6) + 1e-11  # one motion meets each row, but for 10 pm
    result = solvers[6].solve(**plain(feedforward=np.full(6, 1e-5), rows=RowSet.soft(A, b, priority=1)))
    assert result.qp_solves == 2
    assert result.status is IKStatus.CONSTRAINED
    assert not len(result.relaxed)
    assert (A @ result.v * T - b).min() > -1e-9


def test_a_thin_feasible_set_is_not_taken_for_an_empty_one():
    """From a tick in which two walls held the whole tool: daqp 0.11 by itself calls this one infeasible."""
    H = np.array(
        [
            [11.0, -0.036, 0.69, -2.7, 0.012],
            [-0.036, 11.0, -0.82, -2.3, 0.01],
            [0.69, -0.82, 16.0, 0.0, 0.0],
            [-2.7, -2.3, 0.0, 1.5, -0.35],
            [0.012, 0.01, 0.0, -0.35, 0.36],
        ]
    )
    f = np.array([-1.3, 2.2, -4.3, -0.14, -0.0048])
    rows = np.array([[0.0, -1.0, -3.1e-5, 0.0, 0.0], [0.0, 1.0, -1.5e-7, 0.0, 0.0]])
    lo = np.array([-0.0067, -0.0067, 5.3e-11, -0.0083, -0.0083])
    hi = np.array([0.0067, 0.0067, 0.02, 0.0083, 0.0083])
    lower, upper = np.append(lo, [-3e-7, -3e-7]), np.append(hi, [1e30, 1e30])
    found = solve_qp(H, f, rows, upper, lower, np.zeros(7, np.int32), 500, damping=0.1)
    C = np.vstack([np.eye(5), -np.eye(5), rows])
    wanted = quadprog.solve_qp(H, -f, C.T, np.concatenate([lo, -hi, lower[5:]]))[0]
    np.testing.assert_allclose(found[0], wanted, atol=1e-9)
    np.testing.assert_allclose(H @ found[0] + f + found[1][:5] + rows.T @ found[1][5:], 0.0, atol=1e-9)


def test_of_many_soft_rows_that_give_way_none_brings_a_variable_and_few_are_solved_for(monkeypatch):
    seen = []

    def counted(hessian, linear, rows, *rest):
        seen.append(rows.shape)
        return solve_qp(hessian, linear, rows, *rest)

    monkeypatch.setattr("kinematics.relax.solve_qp", counted)
    rng = np.random.default_rng(8)
    n, k = 6, 128
    # A tool against a wall that comes on: its rows change little along it, and one end is in the way.
    along = np.linspace(-0.3, 1.0, k)
    A = rng.normal(size=n) + along[:, None] * rng.normal(size=n)
    A /= np.linalg.norm(A, axis=1)[:, None]
    b, lo, hi, ceiling = 0.9 * along, -0.4 * np.ones(n), 0.4 * np.ones(n), np.full(k, np.inf)
    priority = np.ones(k, np.int64)
    slack = least_slack(A, b, priority, np.ones(k), ceiling, lo, hi, np.zeros(n), np.zeros(n), 500)
    wanted = lexicographic_slack(A, b, priority, ceiling, lo, hi)
    assert np.count_nonzero(slack > 1e-3) > 5
    assert slack.sum() == pytest.approx(wanted[1], abs=1e-3)
    assert all(columns == n for _, columns in seen)
    assert max(rows for rows, _ in seen) <= k // 2


def test_a_row_is_dropped_only_if_every_corner_of_the_box_meets_it():
    rng = np.random.default_rng(8)
    n, k = 4, 400
    scaled = rng.normal(size=(k, n))
    scaled /= np.linalg.norm(scaled, axis=1)[:, None]
    lo, hi, qd_max = -rng.uniform(0, 0.02, n), rng.uniform(0, 0.02, n), rng.uniform(0.5, 2.0, n)
    bound = -np.abs(rng.normal(size=k)) * 0.02
    corners = np.array(np.meshgrid(*zip(lo, hi, strict=True))).reshape(n, -1).T / qd_max
    wanted = np.flatnonzero((corners @ scaled.T).min(axis=0) < bound)
    index = np.arange(k)
    left = keep_reachable(scaled.copy(), bound.copy(), np.ones(k), index, k, lo, hi, qd_max)
    assert 50 < left < k
    np.testing.assert_array_equal(index[:left], wanted)


def plain(n=6, **changes):
    base = {
        "q": np.zeros(n),
        "v_prev": np.zeros(n),
        "jacobian": np.eye(6, n),
        "error": np.zeros(6),
        "feedforward": np.zeros(6),
    }
    return base | changes


def test_soft_row_gives_way_to_a_hard_one_and_the_result_names_it(solvers):
    A = np.eye(6)[:1]
    hard = RowSet.hard(A, np.array([2e-6]))
    soft = RowSet.soft(-A, np.array([-1e-6]), priority=3)
    result = solvers[6].solve(**plain(rows=RowSet.join(hard, soft)))
    assert result.status is IKStatus.RELAXED_SOFT
    assert list(result.relaxed) == [1]
    assert result.slack[1] == pytest.approx(1e-6, abs=1e-9)
    assert result.v[0] * T == pytest.approx(2e-6, abs=1e-9)


def test_slack_beyond_its_maximum_is_not_taken_before_less_soft_rows_give_way(solvers):
    A = np.eye(6)[:1]
    rows = RowSet.join(
        RowSet.hard(A, np.array([4e-6])),
        RowSet.soft(-A, np.array([-3e-6]), priority=1),
        RowSet.soft(-A, np.array([-1e-6]), priority=2, max_slack=1e-6),
    )
    result = solvers[6].solve(**plain(rows=rows))
    # Both soft rows at most: 3 µm and 1 + 1 µm. The hard row keeps its 4 only if both go further.
    assert result.status in (IKStatus.RELAXED_SOFT, IKStatus.RELAXED_HARD)
    assert result.v[0] * T == pytest.approx(4e-6, abs=1e-8) or result.status is IKStatus.RELAXED_HARD


def test_contradicting_hard_rows_give_at_most_the_stop_and_are_named(solvers):
    ik = solvers[6]
    A = np.eye(6)[:1]
    rows = RowSet.hard(np.vstack([A, -A]), np.array([1e-6, 1e-6]))
    result = ik.solve(**plain(feedforward=np.full(6, 1e-6), rows=rows))
    assert result.status is IKStatus.RELAXED_HARD
    assert set(result.active) | set(result.relaxed) == {0, 1}
    assert abs(result.v[0] * T) < 1.01e-6  # neither row gives way by more than the stop asks
    moving = ik.solve(**plain(v_prev=np.full(6, 0.2), rows=RowSet.hard(-A, np.array([1e-6]))))
    assert moving.status is IKStatus.RELAXED_HARD
    assert moving.v[0] == pytest.approx(0.2 - 10.0 * T, abs=1e-6)  # brakes as hard as it can


def test_a_zero_row_that_asks_for_something_is_reported_and_disturbs_nothing(solvers):
    ahead = np.array([1e-6, 0, 0, 0, 0, 0])
    rows = RowSet.hard(np.zeros((1, 6)), np.array([1e-6]))
    result = solvers[6].solve(**plain(feedforward=ahead, rows=rows))
    assert result.status is IKStatus.RELAXED_HARD
    assert list(result.relaxed) == [0]
    np.testing.assert_allclose(result.v * T, ahead, atol=1e-15)


@pytest.mark.parametrize("answer", ["none", "infeasible"])
def test_a_solver_answer_that_is_wrong_gives_the_stop(solvers, monkeypatch, answer):
    """A plausible but infeasible x with an optimal flag (darnstrom/daqp#82) must not get out."""
    lie = None if answer == "none" else (np.full(6, 0.01), np.zeros(8))
    monkeypatch.setattr(ik_module, "solve_qp", lambda *_: lie)
    A = np.eye(6)[:2]
    v_prev = np.full(6, 0.2)
    result = solvers[6].solve(**plain(v_prev=v_prev, rows=RowSet.hard(A, np.full(2, 2.05e-4))))
    assert result.status is IKStatus.HOLD_SOLVER
    np.testing.assert_allclose(result.v, v_prev * (1 - T / 0.02), rtol=1e-12)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("name", ["q", "v_prev", "jacobian", "error", "feedforward", "posture"])
def test_a_number_that_is_none_anywhere_gives_the_stop_and_never_a_nan(solvers, name, bad):
    problem = plain(v_prev=np.full(6, 0.2), posture=np.zeros(6), jacobian=np.eye(6))
    problem[name] = problem[name].copy()
    problem[name].flat[1] = bad
    result = solvers[6].solve(**problem)
    assert result.status is IKStatus.HOLD_INVALID
    expected = np.zeros(6) if name == "v_prev" else np.full(6, 0.2 * (1 - T / 0.02))
    np.testing.assert_allclose(result.v, expected, rtol=1e-12)
    assert np.isfinite(result.lost).all()


@pytest.mark.parametrize(("A", "b"), [(np.nan, 0.0), (np.inf, 0.0), (0.0, np.nan), (0.0, np.inf)])
def test_rows_that_are_no_numbers_give_the_stop(solvers, A, b):
    rows = RowSet.hard(np.full((1, 6), A), np.array([b]))
    result = solvers[6].solve(**plain(rows=rows))
    assert result.status is IKStatus.HOLD_INVALID
    assert not result.v.any()


def test_wrong_shapes_are_refused_by_name(solvers):
    for name in ("q", "v_prev", "jacobian", "error", "feedforward"):
        with pytest.raises(KinematicsError, match=name):
            solvers[6].solve(**plain() | {name: np.zeros(4)})
    with pytest.raises(KinematicsError, match="rows: A"):
        solvers[6].solve(**plain(rows=RowSet.hard(np.zeros((2, 7)), np.zeros(2))))
    with pytest.raises(KinematicsError, match="period_s"):
        DifferentialIK(solvers[6].limits, 0.0)
