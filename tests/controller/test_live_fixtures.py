"""Fixtures that come, change, move and go while the arm follows."""

from __future__ import annotations

import tomllib
from pathlib import Path

import numpy as np
import pytest

from fixtures.common import Workshop
from fixtures.geometry.ready import ready

from .rig import MS, Rig, assert_within_limits


def following(**mapping: object) -> tuple[Rig, np.ndarray]:
    rig = Rig(scale=1.0, ramp_s=0.0, **mapping)
    rig.bring_up()
    return rig, rig.pair.motion.p_world_tip.copy()


def lowest(rig: Rig) -> float:
    """Height of the lowest point of any sphere of the arm at the last command, m."""
    centers, radii = rig.spheres()
    return float((centers[:, 2] - radii).min())


def floor(z: float, **keys: object) -> dict[str, object]:
    geometry = {"shape": "half_space", "normal": [0.0, 0.0, 1.0]}
    return {
        "kind": "forbidden",
        "name": "floor",
        "geometry": geometry,
        "pose": {"position_m": [0, 0, z]},
        **keys,
    }


def test_a_fixture_switched_off_lets_through_and_switched_on_recovers() -> None:
    rig, _ = following()
    level = lowest(rig) - 0.002
    assert rig.request("set_fixture", fixture=floor(level)).ok
    for k in range(600):
        rig.hand.p_m = [0.0, 0.0, -min(2e-5 * k, 0.006)]
        rig.tick()
    assert level <= lowest(rig) < level + 1e-4
    assert rig.request("set_fixture", name="floor", enabled=False).ok
    rig.run(400)
    assert lowest(rig) < level - 0.003
    start = len(rig.sent)
    assert rig.request("set_fixture", name="floor", enabled=True).ok
    inside = lowest(rig)
    for k in range(1200):
        rig.hand.p_m = [0.0, 0.0, -0.006 - 1e-5 * min(k, 300) + 1.5e-5 * max(0, k - 500)]
        rig.tick()
        assert lowest(rig) > inside - 1e-5  # never deeper than when it appeared
        if k == 400:
            assert any(line.what == "recovering" for line in rig.outputs.pairs[0].ledger)  # type: ignore[union-attr]
    assert lowest(rig) > level
    assert_within_limits(rig, rig.sent[start:])


@pytest.mark.parametrize(
    ("args", "said"),
    [
        ({"name": "flor", "enabled": True}, "Did you mean `floor`"),
        ({"name": "floor"}, "name of one with enabled"),
        ({}, "give a whole fixture"),
        ({"fixture": floor(-1.0), "enabled": True}, "not both"),
        ({"fixture": {"name": "mesh", "kind": "forbidden",
                      "geometry": {"shape": "mesh", "path": "a.stl", "units": "mm"}}}, "trocar bake"),
        ({"fixture": {"name": "field", "kind": "forbidden",
                      "geometry": {"shape": "field", "path": "/nowhere.npz"}}}, "cannot be read as a"),
    ],
)  # fmt: skip
def test_what_cannot_be_set_is_refused_in_a_sentence(args: dict[str, object], said: str) -> None:
    rig = Rig()
    rig.run(2)
    assert rig.request("set_fixture", fixture=floor(-1.0)).ok
    reply = rig.request("set_fixture", **args)
    assert not reply.ok
    assert said in reply.error
    rig.run(2)
    assert rig.scene.names == ("floor",)
    assert rig.scene.fixtures[0].enabled


def test_a_fixture_that_an_arm_cannot_obey_is_refused_and_the_tick_goes_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rig = Rig()
    rig.run(2)
    view = rig.scene._views["arm"]
    monkeypatch.setitem(
        rig.scene._views, "arm", type(view)(*(getattr(view, k) for k in view.__slots__[:-1]), None)
    )
    reply = rig.request("set_fixture", fixture={"name": "port", "kind": "trocar"})
    assert "needs a shaft" in reply.error
    rig.run(2)
    assert rig.controller.operating.state.value == "DISABLED"


def test_a_streamed_floor_that_rises_is_stayed_above_of_and_its_silence_costs_room() -> None:
    rig, _ = following()
    level = lowest(rig) - 0.004
    motion = {"type": "stream", "speed_error_m_s": 0.002}
    assert rig.request("set_fixture", fixture=floor(level, motion=motion)).ok
    assert not rig.request("set_fixture_pose", name="flor", p_m=[0, 0, 0], quat_xyzw=[0, 0, 0, 1]).ok
    v, begin = 0.004, rig.now_ns
    for k in range(1600):
        rig.hand.p_m = [0.0, 0.0, -min(2e-5 * k, 0.004) + 1e-5 * max(0, k - 400)]
        z = level + v * (rig.now_ns + MS - begin) * 1e-9
        if k % 20 == 0 and k < 1200:
            reply = rig.request(
                "set_fixture_pose", name="floor", p_m=[0.0, 0.0, z], quat_xyzw=[0.0, 0.0, 0.0, 1.0],
                twist=[0.0, 0.0, v, 0.0, 0.0, 0.0], stamp_ns=rig.now_ns + MS,
            )  # fmt: skip
            assert reply.ok, reply.error
            if k > 0:
                assert reply.result["off_m"] <= reply.result["allowed_m"] + 1e-9
        else:
            rig.tick()
        assert lowest(rig) >= z, k
    assert rig.pair.motion.unsafe == ""
    assert ("floor", 0.0) < max((n, c) for n, c in rig.outputs.pairs[0].clearance_m.items())  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"quat_xyzw": [0.0, 0.0, 0.0, 2.0]}, "length 1"),
        ({"stamp_ns": 10**18}, "monotonic clock"),
        ({"stamp_ns": 0}, "at most 1000 ms old"),
        ({"p_m": [0.0, 0.0]}, "p_m"),
        ({"p_m": [0.0, 0.0, float("nan")]}, "p_m"),
        ({"name": "still"}, "does not follow a stream"),
    ],
)
def test_a_pose_that_makes_no_sense_is_refused_and_the_last_one_kept(
    change: dict[str, object], said: str
) -> None:
    rig = Rig()
    rig.now_ns += 5_000 * MS
    rig.run(2)
    rig.request("set_fixture", fixture=floor(-1.0, motion={"type": "stream", "speed_error_m_s": 0.0}))
    rig.request("set_fixture", fixture=floor(-1.0) | {"name": "still"})
    args = {"name": "floor", "p_m": [0.0, 0.0, -0.5], "quat_xyzw": [0.0, 0.0, 0.0, 1.0], **change}
    reply = rig.request("set_fixture_pose", **args)
    assert not reply.ok
    assert said in reply.error
    rig.run(1)
    assert rig.scene.poses.T[0, 2, 3] == -1.0


def test_a_mesh_that_was_made_ready_is_mapped_and_holds(tmp_path: Path) -> None:
    trimesh = pytest.importorskip("trimesh")
    pytest.importorskip("igl")
    trimesh.creation.icosphere(3, radius=10.0).export(tmp_path / "ball.stl")
    table = tomllib.loads(
        """
        name = "ball"
        kind = "forbidden"
        [geometry]
        shape = "union"
        [[geometry.of]]
        shape = "mesh"
        path = "ball.stl"
        units = "mm"
        spacing_m = 0.001
        band_m = 0.004
        """
    )
    shop = Workshop(tmp_path, tmp_path / "cache")
    made = ready(table, shop)
    (geometry,) = made["geometry"]["of"]
    assert geometry["shape"] == "field"
    assert ready(table, shop) == made
    rig, tip = following()
    ball = tip - np.array([0.0, 0.0, 0.025])
    reply = rig.request("set_fixture", fixture={**made, "pose": {"position_m": ball.tolist()}})
    assert reply.ok, reply.error
    nearest = np.inf
    for k in range(900):
        rig.hand.p_m = [0.0, 0.0, -2e-5 * k]
        rig.tick()
        centers, radii = rig.spheres()
        nearest = min(nearest, float((np.linalg.norm(centers - ball, axis=1) - radii).min()) - 0.01)
    assert -1e-4 < nearest < 3e-4  # the icosphere lies up to 0.1 mm inside the sphere
    wrong = {**geometry, "content_hash": "0" * 64}
    reply = rig.request("set_fixture", fixture={"name": "b", "kind": "forbidden", "geometry": wrong})
    assert "bake it again" in reply.error


def test_every_fixture_is_told_as_data_that_makes_it_again() -> None:
    rig = Rig()
    rig.run(2)
    rig.request("set_fixture", fixture=floor(-1.0))
    rig.request("set_fixture", name="floor", enabled=False)
    (told,) = rig.request("get_fixtures").result
    assert (told["name"], told["enabled"], told["spec"]["enabled"]) == ("floor", False, False)
    assert told["T_world_fixture"][2][3] == -1.0
    assert rig.request("set_fixture", fixture=told["spec"]).ok
