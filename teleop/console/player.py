"""One recording as one browser watches it: what was true at its time, drawn as the live session is."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from fixtures.spec import AnyFixture
from teleop.console import messages as m
from teleop.console.editor import anchored, checked, moving
from teleop.console.picture import ArmPicture, Painter, Watcher
from teleop.console.shapes import Gallery, belongs_inside
from teleop.controller.build import place_arm
from teleop.recorder.live_files import Relocation
from teleop.recorder.replay.exact import restored
from teleop.recorder.seek import Seeker

_CATCH_UP_S = 0.5
"""Further than this the player jumps; up to here it sees every tick, as a live page does."""
_MEMORY_S = 0.2
"""After a jump it looks back this far, so that the last clamp and the figures of the loop are known."""
_EDITS = frozenset({"set_fixture", "remove_fixture"})

Specs = dict[str, AnyFixture]


class Player:
    """Plays a recording.

    Attributes:
        name: of the file.
        size: bytes that it holds in memory.
        t_s: where it is, s since the first tick.
        playing: whether time goes on.
        speed: of time.
        pairs: the arms, for the browser.
        session: name of the recorded session.
    """

    def __init__(self, path: Path, gallery: Gallery) -> None:
        """Read a file; takes as long as its size asks, so not for the event loop.

        Args:
            path: the recording.
            gallery: gets its fixtures to draw.

        Raises:
            TrocarError: it cannot be read, or its configuration is not known to this version.
        """
        self.name, self.size = path.name, path.stat().st_size
        self._seeker = Seeker(path)
        self._gallery = gallery
        self._folder = tempfile.TemporaryDirectory(prefix="trocar-player-")
        folder = Path(self._folder.name)
        recording = self._seeker.recording
        session = restored(recording.session, recording, folder)
        placed = [(p, place_arm(p.arm, s), s) for p, s in zip(session.spec.pairs, session.arms, strict=True)]
        self._pictures = [ArmPicture(p.arm.name, arm, spec) for p, arm, spec in placed]
        self.pairs = [
            m.PairInfo(p.name, p.master.name, picture.shape, steerable=False, surgeon=False)
            for (p, _, _), picture in zip(placed, self._pictures, strict=True)
        ]
        self.session = session.spec.name
        self._history = list(self._edits({f.name: anchored(f, folder) for f, folder in session.fixtures}))
        self._events = self._seeker.events()
        self.t_s, self.playing, self.speed = 0.0, True, 1.0
        self._at_s = -1.0
        self._revision = 0
        self._shown: Specs | None = None
        self._rewind()

    def close(self) -> None:
        """Remove what was unpacked."""
        self._folder.cleanup()

    def _edits(self, specs: Specs) -> Iterator[tuple[float, Specs]]:
        """The fixtures and from when on they were these: edits are requests that a tick answered with yes."""
        yield 0.0, specs
        moved = Relocation(self._seeker.recording, Path(self._folder.name))
        for t_s, tick in self._seeker.ticks_with(_EDITS):
            answered = {entry.token: entry.reply.ok for entry in tick.replies}
            for entry in tick.requests:
                if entry.request.op in _EDITS and answered.get(entry.token):
                    specs = _edited(specs, entry.request.op, moved.args(entry.request.args))
            yield t_s, specs

    def play(self, *, playing: bool, speed: float, t_s: float) -> None:
        """Play or pause, at ``speed``, from ``t_s`` on; below zero: from where it is."""
        self.playing, self.speed = playing, speed
        if t_s >= 0.0:
            self._go(min(t_s, self._seeker.duration_s))
        elif playing and self.t_s >= self._seeker.duration_s:
            self._go(0.0)

    def state(self, seq: int, now_s: float) -> m.State:
        """What was true, after time went on to ``now_s``.

        Raises:
            DamagedError: a message of the file cannot be read.
        """
        passed_s = now_s - self._at_s if self._at_s >= 0.0 else 0.0
        self._at_s = now_s
        if self.playing:
            self._go(min(self.t_s + passed_s * self.speed, self._seeker.duration_s))
            self.playing = self.t_s < self._seeker.duration_s
        for t_s, event in self._events:
            if t_s <= self.t_s:
                self._painter.details[str(event.data.get("pair", ""))] = str(event.data.get("detail", ""))
        newest = self._painter.watcher.newest
        specs = self._specs()
        tick = self._seeker.tick_at(self.t_s)
        arms = [] if tick is None else [pair.arm for pair in tick.pairs]
        arms += [None] * (len(self._pictures) - len(arms))
        moved = {} if newest is None else moving(specs, newest.stamp_ns * 1e-9)
        state = self._painter.state(seq, now_s, arms, frozenset(specs), moved)
        state.silent_s = 0.0
        state.person = True
        state.replay = m.ReplayState(
            self.name, round(self.t_s, 4), round(self._seeker.duration_s, 4), self.playing, self.speed
        )
        return state

    def scene(self) -> m.Scene | None:
        """The fixtures of now, if they are others than at the last call."""
        specs = self._specs()
        if specs is self._shown:
            return None
        self._shown = specs
        self._revision += 1
        infos = []
        for fixture in specs.values():
            table: dict[str, Any] = fixture.model_dump(mode="json")
            infos.append(m.FixtureInfo(table, self._gallery.address(fixture), belongs_inside(table)))
        return m.Scene(self._revision, infos, undo="", redo="", dirty=False)

    def _specs(self) -> Specs:
        found = self._history[0][1]
        for from_s, specs in self._history:
            if from_s <= self.t_s:
                found = specs
        return found

    def _rewind(self) -> None:
        self._painter = Painter(self._pictures, Watcher(len(self._pictures)))

    def _go(self, t_s: float) -> None:
        """Be at ``t_s``; a step forward sees every tick between, a jump those just before."""
        from_s = self.t_s
        if not from_s <= t_s <= from_s + _CATCH_UP_S:
            self._rewind()
            from_s = max(0.0, t_s - _MEMORY_S)
        watcher = self._painter.watcher
        for _, told in self._seeker.telemetry(from_s, t_s):
            if watcher.newest is None or told.tick > watcher.newest.tick:
                watcher.see(told, self._at_s)
        self.t_s = t_s


def _edited(specs: Specs, op: str, args: dict[str, Any]) -> Specs:
    """The fixtures after a request that was granted."""
    if op == "remove_fixture":
        return {name: spec for name, spec in specs.items() if name != args.get("name")}
    table = args.get("fixture")
    if table is not None:
        fixture = checked(table)
        return {**specs, fixture.name: fixture}
    name = str(args.get("name"))
    if name not in specs or "enabled" not in args:
        return specs
    return {**specs, name: specs[name].model_copy(update={"enabled": bool(args["enabled"])})}
