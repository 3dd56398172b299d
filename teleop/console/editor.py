"""The fixtures as the controller has them, edited with undo and redo, and saved as a session."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import TypeAdapter, ValidationError

from fixtures.errors import FixtureError
from fixtures.geometry.baked import Workshop
from fixtures.spec import AnyFixture
from teleop.config import Session
from teleop.console.client import Client, RefusedError
from teleop.console.messages import FixtureInfo, Pose, Scene
from teleop.console.picture import pose
from teleop.console.shapes import Gallery, belongs_inside, in_another_process, needs_baking, nodes

_adapter: TypeAdapter[AnyFixture] = TypeAdapter(AnyFixture)
_HISTORY = 200
BAKE_S = 300.0


@dataclass(slots=True)
class Step:
    """One edit: the fixture before and after; None where it was not there."""

    name: str
    before: dict[str, Any] | None
    after: dict[str, Any] | None
    gesture: int

    @property
    def label(self) -> str:
        """For the undo button."""
        what = "add" if self.before is None else "remove" if self.after is None else "change"
        return f"{what} {self.name}"


def checked(fixture: dict[str, Any]) -> AnyFixture:
    """The fixture as its model.

    Raises:
        RefusedError: every mistake, with its key.
    """
    try:
        return _adapter.validate_python(fixture)
    except ValidationError as error:
        raise RefusedError("; ".join(_mistakes(error))) from None


def _mistakes(error: ValidationError) -> list[str]:
    tags = {"forbidden", "keep_in", "half_space", "sphere", "box", "static", "periodic", "stream", "mesh"}
    lines = []
    for entry in error.errors():
        where = ".".join(str(p) for p in entry["loc"] if str(p) not in tags)
        lines.append(f"{where}: {entry['msg']}" if where else entry["msg"])
    return lines


class Editor:
    """The list of fixtures and its history; one for all viewers.

    Attributes:
        scene: what browsers show; a new object whenever something changed.
        gallery: their drawings.
    """

    def __init__(self, client: Client, session: Session, mesh_dir: Path, gallery: Gallery) -> None:
        """Start with the session's file; :meth:`sync` asks the controller.

        Args:
            client: the controller.
            session: the session as loaded.
            mesh_dir: where uploaded meshes are kept.
            gallery: gets every fixture to draw.
        """
        self._client = client
        self._folders = {fixture.name: folder for fixture, folder in session.fixtures}
        self._known = {
            str((folder / path).resolve())
            for fixture, folder in session.fixtures
            for path in _paths(fixture.model_dump(mode="json"))
        }
        self.mesh_dir = mesh_dir
        self.specs: dict[str, AnyFixture] = {f.name: anchored(f, d) for f, d in session.fixtures}
        self._undo: list[Step] = []
        self._redo: list[Step] = []
        self._lock = asyncio.Lock()
        self.gallery = gallery
        self._revision = 0
        self._dirty = False
        self.scene = self._scene()

    @property
    def names(self) -> frozenset[str]:
        """Names of all fixtures."""
        return frozenset(self.specs)

    async def sync(self) -> None:
        """Take over what the controller has now; forget the history where that differs.

        Raises:
            RefusedError: it does not answer.
        """
        config = await self._client.ask("get_config")
        specs: dict[str, AnyFixture] = {}
        for table in config.get("fixture", []):
            fixture = checked(table)
            specs[fixture.name] = anchored(fixture, self._folders.get(fixture.name, Path.cwd()))
        async with self._lock:
            if specs != self.specs:
                self._undo.clear()
                self._redo.clear()
            self.specs = specs
            self.scene = self._scene()

    async def edit(self, table: dict[str, Any], gesture: int = 0) -> None:
        """Validate a fixture, bake it where needed, and have the controller apply it at one tick.

        Raises:
            RefusedError: it is wrong, or the controller refuses it.
        """
        fixture = checked(table)
        self._confine(fixture)
        await self._build(fixture)
        async with self._lock:
            before = self.specs.get(fixture.name)
            step = Step(fixture.name, None if before is None else _dump(before), _dump(fixture), gesture)
            await self._apply(step.name, step.after)
            last = self._undo[-1] if self._undo else None
            if gesture and last and last.gesture == gesture and last.name == step.name:
                last.after = step.after
            else:
                self._undo.append(step)
                del self._undo[:-_HISTORY]
            self._redo.clear()
            self._changed()

    async def remove(self, name: str) -> None:
        """Remove a fixture.

        Raises:
            RefusedError: there is none, or the controller refuses.
        """
        async with self._lock:
            if name not in self.specs:
                raise RefusedError(
                    f"there is no fixture {name!r}; there are: {', '.join(self.specs) or 'none'}"
                )
            step = Step(name, _dump(self.specs[name]), None, 0)
            await self._apply(name, None)
            self._undo.append(step)
            self._redo.clear()
            self._changed()

    async def undo(self, *, redo: bool) -> None:
        """Undo the last edit, or redo the last undone.

        Raises:
            RefusedError: there is nothing to, or the controller refuses.
        """
        async with self._lock:
            source, target = (self._redo, self._undo) if redo else (self._undo, self._redo)
            if not source:
                raise RefusedError(f"there is nothing to {'redo' if redo else 'undo'}")
            step = source[-1]
            await self._apply(step.name, step.after if redo else step.before)
            target.append(source.pop())
            self._changed()

    async def _apply(self, name: str, table: dict[str, Any] | None) -> None:
        if table is None:
            await self._client.ask("remove_fixture", {"name": name})
            self.specs.pop(name, None)
        else:
            await self._client.ask("set_fixture", {"fixture": table})
            self.specs[name] = checked(table)

    def _confine(self, fixture: AnyFixture) -> None:
        """Only files of the session and uploads: a browser must not make this host read others."""
        for path in _paths(fixture.model_dump(mode="json")):
            real = Path(path).resolve()
            if str(real) not in self._known and self.mesh_dir.resolve() not in real.parents:
                raise RefusedError(f"{path} is neither a file of this session nor an upload; upload it first")

    async def _build(self, fixture: AnyFixture) -> None:
        """Build it here first, so that the controller only meets what can be built; fields go to the cache.

        Raises:
            RefusedError: it cannot be built.
        """
        table = fixture.model_dump(mode="json")
        try:
            if needs_baking(table):
                await in_another_process(table, None, BAKE_S)
            else:
                await asyncio.to_thread(fixture.build, Workshop(live=True))
        except TimeoutError:
            raise RefusedError(
                f"baking took longer than {BAKE_S:g} s and was stopped; "
                "use a larger spacing_m or fewer triangles"
            ) from None
        except (FixtureError, ValueError) as error:
            raise RefusedError(str(error)) from None

    def _changed(self) -> None:
        self._dirty = True
        self.scene = self._scene()

    def _scene(self) -> Scene:
        self._revision += 1
        infos = []
        for fixture in self.specs.values():
            table = _dump(fixture)
            infos.append(FixtureInfo(table, self.gallery.address(fixture), belongs_inside(table)))
        return Scene(
            self._revision,
            infos,
            self._undo[-1].label if self._undo else "",
            self._redo[-1].label if self._redo else "",
            self._dirty,
        )

    def moving(self, now_s: float) -> dict[str, Pose]:
        """Poses at ``now_s`` of the controller's clock of the fixtures that move by themselves."""
        return moving(self.specs, now_s)


def anchored(fixture: AnyFixture, folder: Path) -> AnyFixture:
    """The same with its files' paths made absolute."""
    table = fixture.model_dump(mode="json")
    _anchor(table, folder.resolve())
    return checked(table)


def moving(specs: dict[str, AnyFixture], now_s: float) -> dict[str, Pose]:
    """Poses at ``now_s`` of the controller's clock of the fixtures that move by themselves."""
    out = {}
    for name, fixture in specs.items():
        if fixture.motion.type == "periodic":
            T = np.eye(4)
            fixture.motion.build(fixture.pose.T, 0.0).pose(now_s, T[:3, :3], T[:3, 3])
            out[name] = pose(T)
    return out


def _dump(fixture: AnyFixture) -> dict[str, Any]:
    table: dict[str, Any] = fixture.model_dump(mode="json")
    return table


def _paths(table: Any) -> list[str]:
    return [node["path"] for node in nodes(table) if isinstance(node.get("path"), str)]


def _anchor(table: Any, folder: Path) -> None:
    for node in nodes(table):
        if isinstance(node.get("path"), str):
            node["path"] = str(folder / node["path"])
