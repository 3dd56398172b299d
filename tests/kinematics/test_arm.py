"""The one call a tick: derivatives against finite differences, kernels against pinocchio, who owns arrays."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pinocchio as pin
import pytest

from kinematics import ArmModel, ArmSpec, KinematicsError, ModelError, ShapeError, chain
from kinematics.pose import rotation_exp, rotation_log, transform

ARMS = Path(__file__).parents[2] / "configs" / "arms"
NAMES = sorted(path.stem for path in ARMS.glob("*.toml"))
PLACED = transform(rotation_exp(np.array([0.3, -0.5, 0.7])), np.array([0.2, -1.0, 0.4]))


@pytest.fixture(scope="module", params=NAMES)
def arm(request: pytest.FixtureRequest) -> ArmModel:
    return ArmModel.from_spec(ArmSpec.from_toml(ARMS / f"{request.param}.toml"), PLACED)


@pytest.fixture(scope="module")
def psm() -> ArmModel:
    return ArmModel.from_spec(ArmSpec.from_toml(ARMS / "psm_lnd_400006.toml"))


def random_q(arm: ArmModel, rng: np.random.Generator) -> np.ndarray:
    return rng.uniform(arm.limits.q_min, arm.limits.q_max)


def test_every_jacobian_is_the_derivative_of_its_point(arm: ArmModel) -> None:
    rng = np.random.default_rng(1)
    h = 1e-6
    for _ in range(10):
        q = random_q(arm, rng)
        s = arm.at(q)
        tip, shaft, spheres = s.jacobian.copy(), s.shaft_jacobian.copy(), s.center_jacobians.copy()
        for j in range(arm.n):
            step = np.zeros(arm.n)
            step[j] = h
            s = arm.at(q + step)
            T1, c1, axis1, p1 = (
                s.T_world_tip.copy(),
                s.centers.copy(),
                s.shaft_axis.copy(),
                s.shaft_point.copy(),
            )
            s = arm.at(q - step)
            difference = (T1[:3, 3] - s.T_world_tip[:3, 3]) / (2 * h)
            np.testing.assert_allclose(tip[:3, j], difference, atol=1e-8)
            turned = rotation_log(T1[:3, :3] @ s.T_world_tip[:3, :3].T) / (2 * h)
            np.testing.assert_allclose(tip[3:, j], turned, atol=1e-8)
            np.testing.assert_allclose(spheres[:, :, j], (c1 - s.centers) / (2 * h), atol=1e-8)
            np.testing.assert_allclose(shaft[:3, j], (p1 - s.shaft_point) / (2 * h), atol=1e-8)
            # the axis, fixed to the shaft, turns with its angular velocity: d(axis) = w x axis
            swing = np.cross(shaft[3:, j], (axis1 + s.shaft_axis) / 2)
            np.testing.assert_allclose(swing, (axis1 - s.shaft_axis) / (2 * h), atol=1e-8)


def test_the_kernel_equals_pinocchio(arm: ArmModel) -> None:
    rng = np.random.default_rng(2)
    model = arm.pinocchio_model
    data = model.createData()
    tip = model.getFrameId("tip", pin.FrameType.OP_FRAME)
    for _ in range(50):
        q = random_q(arm, rng)
        state = arm.at(q)
        np.testing.assert_allclose(state.T_world_tip, arm.forward(q), atol=2e-15)
        J = pin.computeFrameJacobian(model, data, q, tip, pin.ReferenceFrame.LOCAL_WORLD_ALIGNED)
        np.testing.assert_allclose(state.jacobian, J, atol=4e-15)
        pin.framesForwardKinematics(model, data, q)
        for i, link in enumerate(arm.bodies.link):
            T = data.oMi[int(link)].homogeneous if link else arm.T_world_base
            expected = T[:3, :3] @ arm.bodies.local[i] + T[:3, 3]
            np.testing.assert_allclose(state.centers[i], expected, atol=2e-15)


def test_the_gate_sees_the_same_centres_as_the_rows_to_the_last_bit(arm: ArmModel) -> None:
    rng = np.random.default_rng(3)
    out = np.empty((arm.bodies.count, 3))
    for _ in range(50):
        q = random_q(arm, rng)
        np.testing.assert_array_equal(arm.sphere_centers(q, out), arm.at(q).centers)


def test_the_base_placement_moves_everything_rigidly(arm: ArmModel) -> None:
    plain = ArmModel.from_spec(ArmSpec.from_toml(ARMS / f"{arm.name}.toml"))
    q = random_q(arm, np.random.default_rng(4))
    R, p = PLACED[:3, :3], PLACED[:3, 3]
    placed, state = arm.at(q), plain.at(q)
    np.testing.assert_allclose(placed.T_world_tip, PLACED @ state.T_world_tip, atol=2e-15)
    np.testing.assert_allclose(placed.centers, state.centers @ R.T + p, atol=2e-15)
    np.testing.assert_allclose(placed.jacobian[:3], R @ state.jacobian[:3], atol=4e-15)
    if arm.rcm is not None and plain.rcm is not None:
        np.testing.assert_allclose(arm.rcm.p_world_rcm, R @ plain.rcm.p_base_rcm + p, atol=2e-15)


def test_the_state_keeps_a_copy_of_q(psm: ArmModel) -> None:
    q = psm.home.copy()
    state = psm.at(q)
    q[:] = 99.0
    np.testing.assert_array_equal(state.q, psm.home)


def test_walking_along_a_path_leaves_the_state_alone(psm: ArmModel) -> None:
    state = psm.at(psm.home)
    dq = np.full(6, 0.05)
    before = psm.travel(state, dq, np.empty(psm.bodies.count)).copy()
    centers = state.centers.copy()
    psm.sphere_centers(psm.limits.q_max, np.empty((psm.bodies.count, 3)))
    np.testing.assert_array_equal(psm.travel(state, dq, np.empty(psm.bodies.count)), before)
    np.testing.assert_array_equal(state.centers, centers)
    np.testing.assert_array_equal(state.q, psm.home)


def test_what_the_model_was_given_cannot_change_it(psm: ArmModel) -> None:
    T = PLACED.copy()
    arm = ArmModel.from_spec(ArmSpec.from_toml(ARMS / "psm_lnd_400006.toml"), T)
    before = arm.at(arm.home).T_world_tip.copy()
    T[:3, 3] += 1.0
    np.testing.assert_array_equal(arm.at(arm.home).T_world_tip, before)
    for array in (psm.home, psm.T_world_base, psm.limits.q_min, psm.bodies.radii, psm.bodies.local):
        with pytest.raises(ValueError, match="read-only"):
            array.flat[0] = 0.0


def test_two_models_share_no_state(psm: ArmModel) -> None:
    other = ArmModel.from_spec(ArmSpec.from_toml(ARMS / "psm_lnd_400006.toml"))
    state = psm.at(psm.home)
    before = state.T_world_tip.copy()
    other.at(other.limits.q_max)
    np.testing.assert_array_equal(state.T_world_tip, before)


@pytest.mark.parametrize("wrong", [np.zeros(1), np.zeros(7), np.zeros((6, 1))])
def test_a_joint_vector_of_the_wrong_shape_is_refused_and_the_joints_are_named(
    psm: ArmModel, wrong: np.ndarray
) -> None:
    for call in (psm.at, lambda q: psm.sphere_centers(q, np.empty((64, 3)))):
        with pytest.raises(ShapeError, match=r"6 joints \(yaw, pitch, insertion.*expected shape \(6,\)"):
            call(wrong)
    with pytest.raises(ShapeError, match="expected shape"):
        psm.travel(psm.at(psm.home), wrong, np.empty(64))
    with pytest.raises(ShapeError, match=r"q: expected shape \(6,\)"):
        psm.forward(wrong)


def test_an_output_of_the_wrong_shape_is_refused_before_anything_is_written(psm: ArmModel) -> None:
    state = psm.at(psm.home)
    m = psm.bodies.count
    for shape in ((m - 1, 3), (m, 2), (m,)):
        with pytest.raises(ShapeError, match=rf"out: expected shape \({m}, 3\)"):
            psm.sphere_centers(psm.home, np.empty(shape))
    with pytest.raises(ShapeError, match=rf"out: expected shape \({m},\)"):
        psm.travel(state, np.zeros(6), np.empty(m - 1))


def test_a_state_of_another_arm_is_refused(psm: ArmModel) -> None:
    other = ArmModel.from_spec(ArmSpec.from_toml(ARMS / "ur5e.toml"))
    with pytest.raises(KinematicsError, match="does not belong to arm 'psm_lnd_400006'"):
        psm.travel(other.at(other.home), np.zeros(6), np.empty(psm.bodies.count))


def test_nothing_compiles_after_construction(psm: ArmModel) -> None:
    """Whatever kind of array the caller has: the kernels always get the model's own."""
    compiled = [len(k.signatures) for k in (chain.evaluate, chain.sphere_centers, chain.travel)]
    out, lengths = np.empty((psm.bodies.count, 3)), np.empty(psm.bodies.count)
    read_only = psm.home
    strided = np.zeros(12)[::2]
    for q in (read_only, strided, np.zeros(6, dtype=np.float32), np.zeros(6, dtype=int)):
        psm.travel(psm.at(q), q, lengths)
        psm.sphere_centers(q, out)
    assert compiled == [len(k.signatures) for k in (chain.evaluate, chain.sphere_centers, chain.travel)]


def test_the_calls_of_a_tick_are_cheap(arm: ArmModel) -> None:
    """Medians; the bounds are ten times what two shared cores need, so that only a change of kind fails."""
    q = arm.home.copy()
    out, lengths = np.empty((arm.bodies.count, 3)), np.empty(arm.bodies.count)
    state = arm.at(q)
    calls = {
        "at": (lambda: arm.at(q), 40e-6),
        "sphere_centers": (lambda: arm.sphere_centers(q, out), 20e-6),
        "travel": (lambda: arm.travel(state, q, lengths), 30e-6),
    }
    for name, (call, bound) in calls.items():
        seconds = []
        for _ in range(2000):
            start = time.perf_counter()
            call()
            seconds.append(time.perf_counter() - start)
        p50, p99 = np.percentile(seconds, [50, 99])
        print(
            f"{arm.name}, {arm.bodies.count} spheres, {name}: p50 {p50 * 1e6:.1f} us, p99 {p99 * 1e6:.1f} us"
        )
        assert p50 < bound


def test_a_base_placement_that_is_not_rigid_is_refused() -> None:
    spec = ArmSpec.from_toml(ARMS / "ur5e.toml")
    mirrored = np.diag([1.0, 1.0, -1.0, 1.0])
    for wrong in (2.0 * np.eye(4), mirrored):
        with pytest.raises(ModelError, match="rigid transform"):
            ArmModel.from_spec(spec, wrong)
    with pytest.raises(ShapeError, match=r"T_world_base: expected shape \(4, 4\), got \(3, 3\)"):
        ArmModel.from_spec(spec, np.eye(3))
    with pytest.raises(KinematicsError, match="finite"):
        ArmModel.from_spec(spec, np.full((4, 4), np.nan))
