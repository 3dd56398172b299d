"""What a first start says while it compiles."""

from pathlib import Path

from teleop.cli.compiling import Compiling, count_kernels


def test_a_start_tells_of_kernels_only_while_their_number_grows(tmp_path: Path) -> None:
    packages = (tmp_path / "a", tmp_path / "b")
    folders = [package / "__pycache__" / "kernels-0123" / "here" for package in packages]
    for folder in folders:
        folder.mkdir(parents=True)
    (folders[0] / "old.nbi").touch()
    compiling = Compiling(packages, every_s=0.0)
    now_s = compiling._began_s
    assert compiling.line(now_s + 1.0) == ""
    (folders[1] / "new.nbi").touch()
    (folders[1] / "new.1.nbc").touch()
    assert "2 of about" in compiling.line(now_s + 2.0)
    assert compiling.line(now_s + 3.0) == ""


def test_the_kernels_of_this_tree_are_found() -> None:
    from fixtures.compiled import FOLDER

    assert count_kernels((FOLDER.parents[1],)) == len(list(FOLDER.rglob("*.nbi")))
