"""The channels of a recording and their JSON schemas."""

from __future__ import annotations

import json
from typing import Any

import msgspec

from teleop.wire.messages import Event, Telemetry
from teleop.wire.record import TickRecord

TICK, TELEMETRY, EVENT, LOG = "tick", "telemetry", "event", "log"

_TIME = {
    "type": "object",
    "title": "time",
    "properties": {"sec": {"type": "integer"}, "nsec": {"type": "integer"}},
}


def _numbers(*names: str) -> dict[str, Any]:
    return {"type": "object", "properties": {name: {"type": "number"} for name in names}}


# Foxglove's own schemas, as docs.foxglove.dev names their fields, so that its panels show poses and events.
POSE_SCHEMA = "foxglove.PoseInFrame"
LOG_SCHEMA = "foxglove.Log"
_FOXGLOVE: dict[str, dict[str, Any]] = {
    POSE_SCHEMA: {
        "timestamp": _TIME,
        "frame_id": {"type": "string"},
        "pose": {
            "type": "object",
            "properties": {"position": _numbers("x", "y", "z"), "orientation": _numbers("x", "y", "z", "w")},
        },
    },
    LOG_SCHEMA: {
        "timestamp": _TIME,
        "level": {"type": "integer"},
        "message": {"type": "string"},
        "name": {"type": "string"},
        "file": {"type": "string"},
        "line": {"type": "integer"},
    },
}


def schema(name: str) -> bytes:
    """JSON schema of a foxglove message, by its well-known name."""
    return json.dumps({"title": name, "type": "object", "properties": _FOXGLOVE[name]}).encode()


def struct_schema(message: type[msgspec.Struct]) -> bytes:
    """JSON schema of one of our structs, references and alternatives to null resolved for simple readers."""
    whole = msgspec.json.schema(message)
    defs = whole.get("$defs", {})

    def plain(node: Any) -> Any:
        if isinstance(node, list):
            return [plain(item) for item in node]
        if not isinstance(node, dict):
            return node
        if "$ref" in node:
            return plain(defs[node["$ref"].rpartition("/")[2]])
        if "anyOf" in node:
            kinds = [kind for kind in node["anyOf"] if kind.get("type") != "null"]
            if len(kinds) == 1:
                return plain(kinds[0])
        return {key: plain(value) for key, value in node.items() if key not in ("$defs", "default")}

    described: dict[str, Any] = plain(whole)
    return json.dumps(described).encode()


STRUCTS: dict[str, tuple[str, type[msgspec.Struct]]] = {
    TICK: ("trocar.Tick", TickRecord),
    TELEMETRY: ("trocar.Telemetry", Telemetry),
    EVENT: ("trocar.Event", Event),
}
"""Channels of our own: topic -> name of the schema, struct."""
