"""Fixtures as triangles and lines for the browser, made when one asks, away from the loop."""

from __future__ import annotations

import asyncio
import hashlib
import json
import sys
from collections import OrderedDict
from typing import Any

import numpy as np

from fixtures.body import Array
from fixtures.common import Workshop
from fixtures.display import Drawing, draw
from fixtures.spec import AnyFixture

VIEW_M = 0.15
"""Half edge of the cube around the workspace to which what has no end is cut."""
KEPT = 64
_ENDLESS = ("half_space", "complement")
_ENDLESS_KINDS = ("guide_plane", "axis_lock")
_UNSEEN = ("name", "margin", "softness", "enabled", "bodies", "arm")
_BAKED = ("mesh", "volume", "cloud")


def nodes(table: Any) -> list[dict[str, Any]]:
    """Every table inside a table, itself first."""
    found: list[dict[str, Any]] = []
    if isinstance(table, dict):
        found.append(table)
        table = list(table.values())
    if isinstance(table, list):
        for value in table:
            found += nodes(value)
    return found


def shapes(table: dict[str, Any]) -> set[str]:
    """The geometries that a fixture is made of."""
    return {node["shape"] for node in nodes(table) if "shape" in node}


def needs_baking(table: dict[str, Any]) -> bool:
    """Whether building it means baking a field."""
    return not shapes(table).isdisjoint(_BAKED)


def belongs_inside(table: dict[str, Any]) -> bool:
    """Whether the arm belongs inside what is drawn."""
    return str(table["kind"]) not in ("forbidden", "speed_limit")


def pack(drawing: Drawing) -> bytes:
    """How many corners, triangles, lines and points there are, then all of them, little-endian 32 bit."""
    parts = (drawing.triangles, drawing.lines, drawing.points)
    head = np.array([len(drawing.vertices), *(len(part) for part in parts)], dtype="<u4")
    packed = [head.tobytes(), drawing.vertices.astype("<f4").tobytes()]
    return b"".join([*packed, *(part.astype("<u4").tobytes() for part in parts)])


def packed_drawing(fixture: AnyFixture, around_world: Array) -> bytes:
    """Build a fixture and draw it.

    Raises:
        FixtureError: it cannot be built.
    """
    return pack(draw(fixture.build(Workshop()), around_world, VIEW_M))


class Gallery:
    """Drawings by address; the address is a digest of what is drawn, so a browser may keep it for ever."""

    def __init__(self, around_world: Array) -> None:
        """Cut what has no end to the cube around ``around_world`` (3,)."""
        self._around = around_world
        self._wanted: OrderedDict[str, AnyFixture] = OrderedDict()
        self._made: dict[str, asyncio.Future[bytes]] = {}

    def address(self, fixture: AnyFixture) -> str:
        """Where its drawing will be. Equal shapes share one."""
        table = fixture.model_dump(mode="json")
        keep = {k: v for k, v in table.items() if k not in _UNSEEN}
        endless = table["kind"] in _ENDLESS_KINDS or not shapes(table).isdisjoint(_ENDLESS)
        if not endless:
            keep.pop("pose")
            keep.pop("motion")
        text = json.dumps([keep, self._around.tolist()], sort_keys=True)
        address = hashlib.sha256(text.encode()).hexdigest()[:24]
        self._wanted[address] = fixture
        self._wanted.move_to_end(address)
        while len(self._wanted) > KEPT:
            old, _ = self._wanted.popitem(last=False)
            self._made.pop(old, None)
        return address

    async def drawing(self, address: str) -> bytes | None:
        """The packed drawing; None if there is none at this address, or it cannot be made."""
        fixture = self._wanted.get(address)
        if fixture is None:
            return None
        if address not in self._made:
            self._made[address] = asyncio.ensure_future(self._make(fixture))
        try:
            return await asyncio.shield(self._made[address])
        except Exception:
            self._made.pop(address, None)
            return None

    async def _make(self, fixture: AnyFixture) -> bytes:
        table = fixture.model_dump(mode="json")
        if not needs_baking(table):
            return await asyncio.to_thread(packed_drawing, fixture, self._around)
        return await in_another_process(table, self._around.tolist())


async def in_another_process(
    table: dict[str, Any], around: list[float] | None, limit_s: float = 300.0
) -> bytes:
    """Build a fixture away from here, so that its field is in the cache; its drawing if ``around`` is given.

    Raises:
        ValueError: it cannot be built; the text says why.
        TimeoutError: it took too long.
    """
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "teleop.console.bake"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        asked = json.dumps({"fixture": table, "around": around}).encode()
        out, said = await asyncio.wait_for(process.communicate(asked), limit_s)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode:
        lines = said.decode(errors="replace").strip().splitlines()
        raise ValueError(lines[-1] if lines else f"baking ended with exit status {process.returncode}")
    return out
