"""Between wire and browsers: what came goes to every viewer, what the driver does goes to the wire."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
import time
import traceback
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from kinematics.pose import quat_conj, quat_mul, quat_to_matrix
from teleop.config import ConfigError, Session
from teleop.console import messages as m
from teleop.console.client import Client, RefusedError
from teleop.console.driver import Grip, Helm
from teleop.console.editor import Editor
from teleop.console.feed import Feed
from teleop.console.plots import BUCKET_S
from teleop.console.recordings import RecordingRefusedError, Recordings
from teleop.console.replays import Replays
from teleop.console.save import session_toml
from teleop.console.shapes import Gallery
from teleop.console.templates import TEMPLATES
from teleop.console.viewer import Viewer, state_text
from teleop.controller.build import place_arm
from teleop.masters.console import ConsoleSpec
from teleop.wire.sockets import Context

FRAME_S = 1.0 / 60.0
_IDLE_FRAME_S = 0.1
_PLOTS_S = 0.1
_SPECTRUM_S = 0.5
_STEER_S = 0.05
_WISH_NS = 5_000_000_000
MAX_UPLOAD_BYTES = 64 * 2**20
FREE_OPS = frozenset({"get_state", "get_config"})
OPS = frozenset({"enable", "disable", "pause", "resume", "home", "unhome", "engage", "release"}) | frozenset(
    {"set_scale", "set_filter", "reset_fault"}
)


class Hub:
    """Everything the console knows, and its viewers.

    Attributes:
        viewers: by number.
        helm: who drives.
        editor: the fixtures.
        feed: what comes from the wire.
    """

    def __init__(
        self,
        context: Context,
        session: Session,
        overrides: tuple[str, ...],
        mesh_dir: Path,
        on_viewers: Callable[[int], None] | None = None,
        recordings: Recordings | None = None,
    ) -> None:
        """Build models and connect.

        Args:
            context: the process's ZeroMQ context.
            session: what to show.
            overrides: the ``--set`` it was loaded with, for saving.
            mesh_dir: where uploads are kept.
            on_viewers: told the number of viewers whenever it changes.
            recordings: records; None where it cannot.
        """
        self.session = session
        self._overrides = overrides
        self._on_viewers = on_viewers or (lambda count: None)
        self.recordings = recordings
        self.client = Client(context, session)
        pairs = session.spec.pairs
        models = [place_arm(p.arm, s) for p, s in zip(pairs, session.arms, strict=True)]
        self._quat_wm = []
        for pair in pairs:
            registration = pair.mapping.registration
            quat = quat_mul(
                np.asarray(registration.quat_world_camera_xyzw),
                np.asarray(registration.quat_camera_master_xyzw),
            )
            self._quat_wm.append(quat)
        self.feed = Feed(self.client, session, models, self._quat_wm)
        gallery = Gallery(models[0].forward(models[0].home)[:3, 3])
        self.editor = Editor(self.client, session, mesh_dir, gallery)
        self.replays = Replays(recordings.folder if recordings else None, gallery)
        self.helm = Helm(len(pairs))
        self.viewers: dict[int, Viewer] = {}
        self._next_viewer = 1
        self._seq = 0
        self._steered_s = 0.0
        self._plots_s = 0.0
        self._spectrum_s = 0.0
        self._wished_ns = -_WISH_NS
        self._shown_revision = 0
        self._tasks: set[asyncio.Task[None]] = set()

    # -- viewers

    def hello(self, viewer: Viewer) -> m.Hello:
        """The first message to a browser."""
        infos = [
            m.PairInfo(
                p.name,
                p.master.name,
                picture.shape,
                isinstance(source, ConsoleSpec),
                isinstance(source, ConsoleSpec) and source.idle is not None,
            )
            for p, picture, source in zip(
                self.session.spec.pairs, self.feed.painter.arms, self.session.sources, strict=True
            )
        ]
        player = self.replays.of(viewer)
        return m.Hello(
            version=version("trocar"),
            session=player.session if player else self.session.spec.name,
            viewer=viewer.number,
            key=viewer.key,
            pairs=player.pairs if player else infos,
            channels=self.feed.channels,
            bucket_s=BUCKET_S,
            templates=TEMPLATES,
            max_upload_bytes=MAX_UPLOAD_BYTES,
            recorder=self.recordings is not None,
            replay=player.name if player else "",
        )

    def join(self, send: Any) -> Viewer:
        """A browser came."""
        viewer = Viewer(self._next_viewer, send)
        self._next_viewer += 1
        self.viewers[viewer.number] = viewer
        viewer.post(self.hello(viewer))
        viewer.set_scene(self.editor.scene)
        self._on_viewers(len(self.viewers))
        self._start(self._sync())
        return viewer

    def part(self, viewer: Viewer) -> None:
        """A browser left; if it drove, its deadman is released now."""
        self.viewers.pop(viewer.number, None)
        self.replays.close(viewer)
        if self.helm.leave(viewer.number, time.monotonic_ns(), surgeon=False):
            self._steer_all()
            self.tell("warning", "The driver's page closed: the arm holds. Take the arm to go on.")
        self._on_viewers(len(self.viewers))

    def tell(self, level: str, text: str) -> None:
        """A line in the log of every page."""
        for viewer in self.viewers.values():
            viewer.post(m.Notice(level, text))

    # -- what browsers say

    async def handle(self, viewer: Viewer, message: m.FromBrowser) -> None:
        """Carry out one message of a browser; answers it where it has an id."""
        match message:
            case m.Ack():
                viewer.acknowledge(message.seq)
            case m.Hand():
                self._hand(viewer, message)
            case m.Play():
                if (player := self.replays.of(viewer)) is not None:
                    player.play(playing=message.playing, speed=message.speed, t_s=message.t_s)
            case m.Stop():
                missed = self.client.estop("console", f"viewer {viewer.number} pressed the emergency stop")
                error = f"could not be reached: {', '.join(missed)}" if missed else ""
                viewer.post(m.Answer(message.id, not missed, error))
            case _:
                self._start(self._carry_out(viewer, message))

    async def _carry_out(self, viewer: Viewer, message: Any) -> None:
        try:
            result = await self._do(viewer, message)
            viewer.post(m.Answer(message.id, True, result=result))
        except (RefusedError, RecordingRefusedError, ConfigError) as error:
            viewer.post(m.Answer(message.id, False, str(error)))

    async def _do(self, viewer: Viewer, message: Any) -> Any:
        now_ns = time.monotonic_ns()
        if isinstance(message, m.Recordings):
            return self.replays.listed()
        if isinstance(message, m.Replay):
            return await self._replay(viewer, message.name)
        if self.replays.of(viewer) is not None:
            raise RefusedError("This page shows a recording. Go back to the live session first.")
        if isinstance(message, m.Take):
            return self._take(viewer.number, now_ns)
        if isinstance(message, m.Op) and message.op in FREE_OPS:
            return await self.client.ask(message.op, message.args)
        if self.helm.driver != viewer.number:
            raise RefusedError(
                "Take the arm first: only who drives may change things. The e-stop is always yours."
            )
        self.helm.acted(now_ns)
        match message:
            case m.Leave():
                self.helm.leave(viewer.number, now_ns, surgeon=message.surgeon)
                self._steer_all()
            case m.Op():
                if message.op not in OPS:
                    raise RefusedError(f"the console does not send `{message.op}`")
                return await self.client.ask(message.op, message.args)
            case m.Edit():
                await self.editor.edit(message.fixture, message.gesture)
            case m.Remove():
                await self.editor.remove(message.name)
            case m.Undo():
                await self.editor.undo(redo=message.redo)
            case m.Record():
                return await self._record(message.on)
        return None

    async def _replay(self, viewer: Viewer, name: str) -> None:
        """Let a browser watch a recording, or the live session again."""
        if self.helm.driver == viewer.number:
            raise RefusedError("You drive. Give the arm back first, then watch a recording.")
        if name:
            await self.replays.open(viewer, name)
            if viewer.number not in self.viewers:
                self.replays.close(viewer)  # it left meanwhile
                return
        elif not self.replays.close(viewer):
            return
        viewer.forget()
        viewer.post(self.hello(viewer))
        if not name:
            viewer.set_scene(self.editor.scene)

    def _take(self, number: int, now_ns: int) -> None:
        """Let a viewer drive; who drove until now is told, also of a wish that is not granted."""
        driver = self.viewers.get(self.helm.driver)
        refusal = self.helm.take(number, now_ns)
        if driver is not None and driver.number != number:
            if not refusal:
                driver.post(m.Notice("warning", "Somebody took the arm, which you had left alone. It holds."))
            elif now_ns - self._wished_ns > _WISH_NS:
                self._wished_ns = now_ns
                driver.post(m.Notice("warning", "Somebody asks for the arm: give it back to let them drive."))
        if refusal:
            raise RefusedError(refusal)
        self._steer_all()

    async def _record(self, on: bool) -> str | None:
        """Start or stop; the path of what was recorded."""
        if self.recordings is None:
            raise RefusedError("this console was opened without a folder for recordings")
        if not on:
            return await self.recordings.stop()
        session = self.session
        settings = (f"runtime_dir={json.dumps(str(session.runtime_dir.resolve()))}",)
        await self.recordings.start(self.toml(), settings, session.spec.name)
        return None

    def _hand(self, viewer: Viewer, message: m.Hand) -> None:
        grip = self.helm.hand(viewer.number, message, time.monotonic_ns())
        if grip is not None:
            self._steer(message.pair, grip)

    def _steer(self, pair: int, grip: Grip) -> None:
        """Turn a grip's motion along world axes into the master's frame, and send it."""
        back = quat_conj(self._quat_wm[pair])
        p = quat_to_matrix(back) @ np.asarray(grip.p)
        quat = quat_mul(quat_mul(back, np.asarray(grip.quat)), self._quat_wm[pair])
        self.client.steer(
            pair,
            drive=grip.drive,
            epoch=grip.epoch,
            p_m=p.tolist(),
            quat_xyzw=quat.tolist(),
            gripper_rad=grip.gripper_rad,
            present=grip.present,
            clutch=grip.clutch,
            stamp_ns=grip.stamp_ns,
        )

    def _steer_all(self) -> None:
        for pair, grip in enumerate(self.helm.grips):
            self._steer(pair, grip)

    # -- saving

    def toml(self) -> str:
        """The session as it is now, for ``trocar run``.

        Raises:
            ConfigError: the session's file is gone.
        """
        newest = self.feed.watcher.newest
        scales = {p.pair: p.scale for p in newest.pairs} if newest else {}
        return session_toml(self.session.path, self._overrides, list(self.editor.specs.values()), scales)

    # -- the pump

    async def run(self) -> None:
        """Pump from the wire to the viewers until cancelled."""
        self._start(self._sync())
        due_s = time.monotonic()
        while True:
            self.pump(time.monotonic())
            due_s = max(due_s + (FRAME_S if self.viewers else _IDLE_FRAME_S), time.monotonic())
            await asyncio.sleep(due_s - time.monotonic())

    def pump(self, now_s: float) -> None:
        """Take in what came, and show it."""
        changed, alarms = self.feed.drain(now_s)
        if changed:
            self._start(self._sync())
        for alarm in alarms:
            self.tell("alarm", alarm)
        if now_s - self._steered_s >= _STEER_S:
            self._steered_s = now_s
            self._steer_all()
        if not self.viewers:
            return
        self._seq += 1
        newest = self.feed.watcher.newest
        stamp_s = (newest.stamp_ns if newest else time.monotonic_ns()) * 1e-9
        state = self.feed.painter.state(
            self._seq, now_s, self.feed.states, self.editor.names, self.editor.moving(stamp_s)
        )
        state.recording = self.recordings.state(now_s) if self.recordings else None
        state.driver, state.person, state.viewers = self.helm.driver, self.helm.person, len(self.viewers)
        state.kept_s = round(self.helm.kept_s(time.monotonic_ns()), 1)
        text = state_text(state)
        redrawn = self.editor.scene.revision != self._shown_revision
        self._shown_revision = self.editor.scene.revision
        plots_due = now_s - self._plots_s >= _PLOTS_S
        if plots_due:
            self._plots_s = now_s
        for viewer in self.viewers.values():
            if self.replays.show(viewer, self._seq, now_s):
                continue
            if redrawn:
                viewer.set_scene(self.editor.scene)
            viewer.show(self._seq, text)
            if plots_due:
                viewer.offer_plots(self.feed.plots)
        if now_s - self._spectrum_s >= _SPECTRUM_S:
            self._spectrum_s = now_s
            for spectrum in self.feed.spectra():
                for viewer in self.viewers.values():
                    if self.replays.of(viewer) is None:
                        viewer.post(spectrum)

    async def _sync(self) -> None:
        with contextlib.suppress(RefusedError):
            await self.editor.sync()

    def _start(self, coroutine: Any) -> None:
        task = asyncio.ensure_future(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            print(f"console: {''.join(traceback.format_exception(error))}", file=sys.stderr, flush=True)
