"""``trocar bake`` as a user types it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from fixtures.fields.field import Field

trimesh = pytest.importorskip("trimesh", reason="needs trimesh (extra bake)")
pytest.importorskip("igl", reason="needs libigl (extra bake)")


def bake(*words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "teleop", "bake", *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)


def test_a_mesh_is_baked_once_and_the_figures_are_printed(tmp_path: Path) -> None:
    ball, cache, out = tmp_path / "ball.stl", tmp_path / "cache", tmp_path / "ball.field.npz"
    trimesh.creation.icosphere(2, radius=5.0).export(ball)
    words = (str(ball), "--units", "mm", "--cache", str(cache), "--spacing-m", "1e-3", "--band-m", "3e-3")
    done = bake(*words, "-o", str(out))
    assert done.returncode == 0, done.stderr
    assert "ball.stl: spacing 1 mm, band 3 mm" in done.stdout
    for word in ("time", "memory", "bound", "(proven)", f"kept in {cache}", f"written to {out}"):
        assert word in done.stdout
    field = Field.load(out)
    assert field.surface is not None
    assert field.upper == pytest.approx([5e-3] * 3, rel=0.01)
    again = bake(*words)
    assert again.returncode == 0
    assert f"was in {cache}" in again.stdout


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("missing.stl", "--units", "mm"), "missing.stl: no such mesh file"),
        (("ball.stl",), "--units"),
        (("ball.stl", "--units", "furlong"), "furlong"),
        (("ball.stl", "--units", "mm", "--treat-as", "shell"), "needs thickness_m"),
        (("ball.stl", "--units", "mm", "--labels", "1"), "labels belong to a volume"),
        (("ct.nrrd", "--units", "mm"), "--labels 1 2"),
        (("ct.nrrd", "--units", "mm", "--labels", "1", "--frame", "ras"), "frame belong to a mesh"),
        (("ball.stl", "--units", "mm", "--band-m", "0.5"), "3 to 48 spacings"),
    ],
)
def test_what_cannot_be_baked_is_told_in_a_sentence_with_exit_status_2(
    tmp_path: Path,
    words: tuple[str, ...],
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    from teleop.cli import app

    trimesh.creation.icosphere(1, radius=5.0).export(tmp_path / "ball.stl")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as end:
        app.main(["bake", *words])
    assert end.value.code == 2
    assert said in " ".join(capsys.readouterr().err.replace("│", " ").split())
