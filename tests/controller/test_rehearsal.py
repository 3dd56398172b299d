"""After the rehearsal nothing is compiled or loaded: the loop never meets code for the first time."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

# A fresh process, because in this one other tests have compiled everything already.
SCRIPT = """
import sys
from pathlib import Path
from numba.core import dispatcher
from teleop.config import load_session
from teleop.controller.build import build_controller
from teleop.controller.rehearsal import play, rehearse

session = load_session(Path(sys.argv[1]))
rehearse(session)
met = []
compile_ = dispatcher.Dispatcher.compile
def noting(self, sig):
    met.append(self.py_func.__qualname__)
    return compile_(self, sig)
dispatcher.Dispatcher.compile = noting
followed = play(build_controller(session, bytes(16)), 8000)
print(followed, met)
"""


@pytest.mark.slow
def test_nothing_is_compiled_in_the_loop() -> None:
    session = ROOT / "configs" / "sessions" / "demo.toml"
    out = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(session)], capture_output=True, text=True, timeout=300, check=True
    ).stdout
    followed, _, met = out.partition(" ")
    assert int(followed) > 4000
    assert met.strip() == "[]"
