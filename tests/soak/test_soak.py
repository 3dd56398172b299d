"""The guarantee under attack: the slice that `make test` affords, and the 10 million ticks of `make soak`."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from fixtures.gate import Certificate
from fixtures.motion.deforming import Deforming
from fixtures.motion.streamed import Streamed
from teleop.controller.motion import Motion

from .episode import play
from .judge import judge
from .pieces import beat, swelling, turning
from .plan import DATA, data_folder
from .run import KINDS, absent, episode, report, run
from .scenes import draw
from .solids import Mesh, Region, exact, load_mesh
from .stream import Stream
from .volumes import LABEL, SPACING_MM, surface, volume_file

CHEAP = [
    "planes",
    "thin walls",
    "corner",
    "shells",
    "bodies",
    "moving",
    "moving room",
    "deforming",
    "appears",
    "two arms",
    "software RCM",
    "organ",
]
OUT = Path(os.environ.get("TROCAR_SOAK", "out/soak.jsonl"))


@pytest.mark.soak
def test_a_hundred_thousand_adversarial_ticks_never_enter_a_region_nor_break_a_limit() -> None:
    totals = run(100_000, CHEAP, workers=2, length=2500, quiet=True)
    print("\n" + report(totals))
    found = [said for tally in totals.values() for said in tally.worst if tally.failures]
    assert not any(tally.failures for tally in totals.values()), "\n".join(found)
    assert sum(tally.contact for tally in totals.values()) > 5000, "the attack hardly touched anything"
    assert totals["software RCM"].rcm_m < 50e-6


def test_a_body_outside_a_baked_region_is_never_taken_to_be_inside() -> None:
    """In this scene a shaft presses where the blocks of the field end; it was let in while it "recovered"."""
    tally = episode("organ", 2, 5000)
    assert not tally.failures, tally.worst
    assert tally.contact > 500


def test_the_judge_finds_a_controller_that_neither_steers_clear_nor_certifies(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The soak would be worth nothing if it could not fail."""
    monkeypatch.setattr(Motion, "_rows", lambda self: None)
    monkeypatch.setattr(Motion, "_certify", lambda self, v, stop_s: Certificate(True))
    tally = episode("planes", 5, 1500)
    assert tally.violations > 5
    assert tally.deeper > 100
    assert tally.smallest_m < -1e-4


@pytest.mark.parametrize("limit", ["qd_max", "qdd_max", "qddd_max"])
def test_the_judge_finds_broken_limits(limit: str) -> None:
    """Judged by a tenth of what the arm may do, what it does is too much."""
    rng = np.random.default_rng(5)
    played = play(draw("planes", rng), rng, 900)
    assert judge(played, "").limits == 0
    played.plan.arms[0].oracle.limits[limit] *= 0.1
    assert judge(played, "").limits > 3


def test_the_judge_follows_the_stop_through_skipped_ticks(monkeypatch: pytest.MonkeyPatch) -> None:
    """A command after skipped ticks starts where the stop has led the arm; one that does not is found."""
    tally = episode("thin walls", 8, 900)
    assert tally.skipped > 50
    assert tally.failures == 0, "\n".join(tally.worst)
    monkeypatch.setattr(Motion, "catch_up", lambda self, dt: None)
    assert episode("thin walls", 8, 900).limits > 20


@pytest.mark.soak
def test_ten_million_adversarial_ticks() -> None:
    """Goes on where it was left, in `out/soak.jsonl`; TROCAR_SOAK names another file."""
    OUT.parent.mkdir(parents=True, exist_ok=True)
    kinds = [kind for kind, (_, _, share) in KINDS.items() if share and not absent(kind)]
    for kind in set(KINDS) - set(kinds):
        if why := absent(kind):
            print(f"without {kind}: {why}")
    totals = run(10_000_000, kinds, workers=os.cpu_count() or 2, out=OUT)
    print("\n" + report(totals))
    assert not any(tally.failures for tally in totals.values())


def _triangle(p: np.ndarray, a: np.ndarray, b: np.ndarray, c: np.ndarray) -> float:
    """Distance to a triangle by its three edges and its plane."""
    best = np.inf
    for s, e in ((a, b), (b, c), (c, a)):
        t = np.clip((p - s) @ (e - s) / ((e - s) @ (e - s)), 0, 1)
        best = min(best, float(np.linalg.norm(p - s - t * (e - s))))
    n = np.cross(b - a, c - a)
    n /= np.linalg.norm(n)
    foot = p - ((p - a) @ n) * n
    sides = [np.cross(e - s, foot - s) @ n for s, e in ((a, b), (b, c), (c, a))]
    return min(best, abs(float((p - a) @ n))) if min(sides) >= 0 else best


def _agrees(mesh: Mesh, rng: np.random.Generator) -> None:
    low, high = mesh.vertices.min(axis=0), mesh.vertices.max(axis=0)
    points = rng.uniform(low - 0.2 * (high - low), high + 0.2 * (high - low), (12, 3))
    corners = mesh.vertices[mesh.faces]
    by_hand = [min(_triangle(p, *t) for t in corners) for p in points]
    assert np.allclose(np.abs(mesh.distance(points)), by_hand, rtol=0, atol=1e-12)


def test_the_mesh_oracle_agrees_with_every_triangle_one_by_one() -> None:
    """On a mesh made here, and with the winding number about what is outside."""
    igl = pytest.importorskip("igl", reason="the second mesh library: pip install 'trocar[bake]'")
    rng = np.random.default_rng(0)
    u, v = np.meshgrid(np.linspace(0, 2 * np.pi, 25)[:-1], np.linspace(0, 2 * np.pi, 13)[:-1], indexing="ij")
    ring = 0.02 + 0.006 * np.cos(v)
    vertices = np.stack([ring * np.cos(u), ring * np.sin(u), 0.006 * np.sin(v)], axis=-1).reshape(-1, 3)
    i, j = np.meshgrid(np.arange(24), np.arange(12), indexing="ij")
    at = lambda i, j: (i % 24) * 12 + j % 12  # noqa: E731
    a, b, c, d = (f.ravel() for f in (at(i, j), at(i + 1, j), at(i + 1, j + 1), at(i, j + 1)))
    faces = np.concatenate([np.stack([a, b, c], axis=1), np.stack([a, c, d], axis=1)])
    torus = Mesh(vertices, faces)
    _agrees(torus, rng)
    points = rng.uniform(-0.03, 0.03, (500, 3))
    outside = igl.fast_winding_number(vertices, faces.astype(np.int64), points) < 0.5
    assert np.array_equal(torus.distance(points) > 0, outside)


@pytest.mark.parametrize("name", ["tooth.obj", "tissue_open_surface.obj"])
def test_the_mesh_oracle_reads_the_meshes_of_others_as_they_are(name: str) -> None:
    path = data_folder() / name
    if not path.is_file():
        pytest.skip(f"the meshes of others are not part of this project: no {path} (default folder: {DATA})")
    trimesh = pytest.importorskip("trimesh")
    mesh = load_mesh(path, 1e-4)
    other = trimesh.load(path, process=False, force="mesh", skip_materials=True)
    ours = np.sort(mesh.vertices[mesh.faces].sum(axis=1), axis=0)
    theirs = np.sort(np.asarray(other.triangles).sum(axis=1) * 1e-4, axis=0)
    assert np.allclose(ours, theirs, atol=1e-9)


def test_closed_formulas_have_unit_gradients_and_touch_zero_where_they_should() -> None:
    rng = np.random.default_rng(1)
    ends = {"start_radius_m": 6e-3, "end_radius_m": 2e-3}
    shapes = [
        {"shape": "box", "center_m": [0, 0, 0], "size_m": [0.01, 0.02, 0.03]},
        {"shape": "capsule", "start_m": [0, 0, -0.01], "end_m": [0.002, 0, 0.01], "radius_m": 0.004},
        {"shape": "cylinder", "start_m": [0, 0, -0.01], "end_m": [0.002, 0, 0.01], "radius_m": 0.004},
        {"shape": "frustum", "start_m": [0, 0, 0], "end_m": [0, 0, 0.01], **ends},
    ]
    for shape in shapes:
        d = exact(shape)
        p = rng.uniform(-0.02, 0.02, (400, 3))
        h = 1e-7
        g = np.stack([(d(p + h * e) - d(p - h * e)) / (2 * h) for e in np.eye(3)], axis=1)
        size = np.linalg.norm(g, axis=1)
        # A distance has slope one except on its ridges, which random points hardly ever meet.
        assert np.mean(np.abs(size - 1) < 1e-4) > 0.97
        foot = p - d(p)[:, None] * g
        assert np.mean(np.abs(d(foot)) < 1e-9) > 0.9


def test_the_volume_oracle_is_where_another_library_reads_the_label() -> None:
    sitk = pytest.importorskip("SimpleITK", reason="pip install 'trocar[bake]'")
    image = sitk.ReadImage(str(volume_file()))
    index = np.random.default_rng(4).uniform(0, np.array(image.GetSize()) - 1, (800, 3))
    points = 1e-3 * np.array([image.TransformContinuousIndexToPhysicalPoint(i.tolist()) for i in index])
    d = surface().distance(points)
    voxel = 1e-3 * np.linalg.norm(SPACING_MM)
    clear = np.abs(d) > voxel
    read = [image[image.TransformPhysicalPointToIndex((1e3 * p).tolist())] == LABEL for p in points[clear]]
    assert 50 < sum(read) < len(read) - 50
    assert np.array_equal(d[clear] < 0, read)


def test_a_body_that_turns_is_where_its_poses_say_and_no_faster_than_it_may() -> None:
    rng = np.random.default_rng(6)
    fixture = {
        "kind": "forbidden", "name": "bar",
        "geometry": {"shape": "capsule", "start_m": [-0.01, 0, 0], "end_m": [0.01, 0, 0], "radius_m": 2e-3},
        "pose": {"position_m": [0.01, 0.02, -0.1], "quat_xyzw": [0.5, 0.5, 0.5, 0.5]},
        "motion": beat(rng, 0.02),
    }  # fmt: skip
    fixture["motion"]["turn"] = turning(rng, fixture["motion"]["waves"][0]["rate_hz"])
    region = Region.of(fixture)
    assert region.turn is not None
    stream, h = Stream(twist=True, every=1, late_ms=0, gap=0), 1_000_000
    for now in (1_000_000_000, 1_234_000_000):
        (sent,), (after,) = (stream.poses(region, 0, n) for n in (now, now + h))
        R = Rotation.from_quat(sent.args["quat_xyzw"])
        q = rng.uniform(-0.02, 0.02, (50, 3))
        p = R.apply(q) + sent.args["p_m"]
        t = np.full(50, 1e-9 * now)
        assert np.allclose(region.distance(p, t), region.local(q), rtol=0, atol=1e-12)
        moved = np.subtract(after.args["p_m"], sent.args["p_m"]) / (1e-9 * h)
        turned = (Rotation.from_quat(after.args["quat_xyzw"]) * R.inv()).as_rotvec() / (1e-9 * h)
        assert np.allclose(sent.args["twist"], [*moved, *turned], rtol=0, atol=2e-2 * region.speed / 2e-3)
        change = np.abs(region.distance(p, t + 1e-3) - region.distance(p, t)) / 1e-3
        assert change.max() <= region.speed


def test_a_seed_draws_the_same_scene() -> None:
    one, two = (draw("many", np.random.default_rng(3)) for _ in range(2))
    assert one.fixtures == two.fixtures


def test_a_body_that_swells_is_what_its_frames_say_it_was() -> None:
    """The sine that the oracle takes for the truth goes through every frame the product is given."""
    rng = np.random.default_rng(2)
    body = swelling(rng, {"shape": "sphere", "center_m": [0.0, 0.0, 0.0], "radius_m": 0.006})
    fixture = {"kind": "forbidden", "name": "organ", "geometry": body["shape"], "deforms": body["deforms"]}
    region = Region.of(fixture)
    frames = [{"at_s": 0.0, "geometry": body["shape"]}, *body["deforms"]["frames"]]
    p = rng.uniform(-0.02, 0.02, (50, 3))
    for frame in frames:
        for times in (0, 3):
            at = np.full(len(p), frame["at_s"] + times * body["deforms"]["period_s"])
            assert np.allclose(region.distance(p, at), exact(frame["geometry"])(p), rtol=0, atol=1e-12)
    assert region.speed == pytest.approx(body["deforms"]["speed_m_s"])


def test_the_judge_finds_a_controller_that_forgets_how_old_a_frame_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    at = Deforming.at
    monkeypatch.setattr(Deforming, "at", lambda self, now: (at(self, now)[0], 0.0))
    tally = episode("deforming", 1, 1500)
    assert tally.violations + tally.walls > 3


def test_the_judge_finds_a_controller_that_is_deaf_to_a_stream(monkeypatch: pytest.MonkeyPatch) -> None:
    tally = episode("streamed", 1, 1500)
    assert tally.failures == 0, "\n".join(tally.worst)
    monkeypatch.setattr(Streamed, "update", lambda self, *pose: None)
    monkeypatch.setattr(Streamed, "age", lambda self, now: 0.0)
    tally = episode("streamed", 1, 1500)
    assert tally.violations + tally.walls > 3
