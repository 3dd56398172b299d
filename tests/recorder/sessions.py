"""Ten sessions that have little in common, played without a clock; ``python -m tests.recorder.sessions``
(``make references``) writes what they do now into ``references.txt``.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from teleop.config.load import load_session
from teleop.controller.types import ControllerInputs

from .theatre import FLOOR, Theatre, floor_toml, nan_hand, session_file

REFERENCES = Path(__file__).with_name("references.txt")
EVERY_TICKS = 50
TICKS = 700

HEART = """
[[fixture]]
kind = "forbidden"
name = "heart"
geometry = { shape = "sphere", center_m = [0.0, 0.0, 0.0], radius_m = 0.008 }
pose = { position_m = [0.012, 0.006, -0.13] }
motion = { type = "periodic", waves = [{ amplitude_m = [0.0, 0.0, 0.002], rate_hz = 1.2 }] }
"""
APART = """
[[fixture]]
kind = "tool_to_tool"
name = "apart"
arms = ["arm0", "arm1"]
"""


def _theatre(folder: Path, name: str, **keys: object) -> Theatre:
    made = Theatre(load_session(session_file(folder, name=name, **keys)))  # type: ignore[arg-type]
    made.bring_up()
    return made


def clutching(folder: Path) -> Theatre:
    return _theatre(folder, "clutching")


def grazing(folder: Path) -> Theatre:
    return _theatre(folder, "grazing", extra=floor_toml(-0.1258))


def beating(folder: Path) -> Theatre:
    return _theatre(folder, "beating", extra=HEART)


def two_arms(folder: Path) -> Theatre:
    return _theatre(folder, "two_arms", pairs=2, extra=floor_toml() + APART)


def not_a_number(folder: Path) -> Theatre:
    made = _theatre(folder, "not_a_number", extra=floor_toml())
    made.disturb = nan_hand
    return made


def stopped(folder: Path) -> Theatre:
    made = _theatre(folder, "stopped")
    made.estops[400] = ("nurse", "hand in the way")
    made.ask(450, "reset_fault")
    made.ask(470, "enable")
    made.ask(520, "engage")
    return made


def silent_hand(folder: Path) -> Theatre:
    made = _theatre(folder, "silent_hand")

    def silence(theatre: Theatre, inputs: ControllerInputs) -> ControllerInputs:
        if 350 <= theatre.tick < 380 or 450 <= theatre.tick < 570:
            inputs.pairs[0].master = None
        return inputs

    made.disturb = silence
    made.ask(640, "engage")
    return made


def faulty_arm(folder: Path) -> Theatre:
    made = _theatre(folder, "faulty_arm")

    def fail(theatre: Theatre, inputs: ControllerInputs) -> ControllerInputs:
        measured = inputs.pairs[0].arm
        if measured is not None and 400 <= theatre.tick < 500:
            measured.state, measured.reason = "FAULT", "motor 3 is hot"
        if theatre.tick >= 600:
            inputs.pairs[0].arm = None
        return inputs

    made.disturb = fail
    return made


def changed_live(folder: Path) -> Theatre:
    made = _theatre(folder, "changed_live")
    made.ask(300, "set_fixture", fixture=FLOOR)
    made.ask(350, "set_scale", scale=0.4)
    made.ask(400, "set_filter", filter={"kind": "butterworth"})
    made.ask(450, "set_fixture", fixture={**FLOOR, "name": "second"})
    made.ask(500, "remove_fixture", name="floor")
    made.ask(550, "pause")
    made.ask(600, "resume")
    made.ask(620, "set_scale", scale=-1.0)
    made.ask(630, "nonsense")
    return made


def late_and_leaving(folder: Path) -> Theatre:
    """A redundant arm through a software trocar, skipped ticks, and the process told to end."""
    path = session_file(folder, name="late_and_leaving", pairs=1)
    text = path.read_text().replace("psm_lnd_400006", "panda_lap")
    path.write_text(text)
    made = Theatre(load_session(path))
    made.bring_up()

    def late(theatre: Theatre, inputs: ControllerInputs) -> ControllerInputs:
        return replace(inputs, shut_down=theatre.tick >= 600)

    made.disturb = late
    made.skips = {300: 3, 410: 1, 411: 7}
    return made


SESSIONS: tuple[Callable[[Path], Theatre], ...] = (
    clutching, grazing, beating, two_arms, not_a_number, stopped, silent_hand, faulty_arm, changed_live,
    late_and_leaving,
)  # fmt: skip


def play(make: Callable[[Path], Theatre], folder: Path) -> Theatre:
    made = make(folder)
    made.run(TICKS)
    return made


def lines(made: Theatre) -> list[str]:
    """What a session did, for people to review: state, reason and commands every 50 ticks, and each event."""
    told = [f"{e.kind} {e.data['pair']}: {e.state} {e.teleop_state} {e.reason}" for e in made.events]
    for record in made.ticks()[::EVERY_TICKS]:
        telemetry = record.telemetry
        assert telemetry is not None
        for pair in telemetry.pairs:
            numbers = " ".join(f"{x:.9f}" for x in [*pair.q_command, pair.jaw_rad])
            near = " ".join(f"{name}={c:.9f}" for name, c in pair.clearance_m.items() if c < 0.01)
            told.append(
                f"{record.tick} {pair.pair} {pair.teleop_state} {pair.reason}: {numbers} {near}".strip()
            )
    return told


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, REFERENCES.open("w", encoding="utf-8") as file:
        for make in SESSIONS:
            file.write("\n".join([f"== {make.__name__}", *lines(play(make, Path(folder)))]) + "\n")


if __name__ == "__main__":
    main()
