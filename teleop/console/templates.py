"""A new fixture of each kind, for the console's menu; the browser places it by the tip."""

from __future__ import annotations

from typing import Any


def _forbidden(label: str, geometry: dict[str, Any], kind: str = "forbidden") -> dict[str, Any]:
    return {"label": label, "fixture": {"kind": kind, "geometry": geometry}}


_ALONG = {"start_m": [0.0, 0.0, -0.02], "end_m": [0.0, 0.0, 0.02]}

TEMPLATES: list[dict[str, Any]] = [
    _forbidden("Wall", {"shape": "half_space", "normal": [0.0, 0.0, 1.0]}),
    _forbidden("Forbidden sphere", {"shape": "sphere", "radius_m": 0.01}),
    _forbidden("Forbidden box", {"shape": "box", "size_m": [0.03, 0.03, 0.02]}),
    _forbidden("Forbidden capsule", {"shape": "capsule", "radius_m": 0.006, **_ALONG}),
    _forbidden("Forbidden cylinder", {"shape": "cylinder", "radius_m": 0.006, **_ALONG}),
    _forbidden(
        "Forbidden cone", {"shape": "cone", "apex_m": [0.0, 0.0, 0.02], "base_m": [0.0] * 3, "radius_m": 0.01}
    ),
    _forbidden(
        "Forbidden vessel",
        {
            "shape": "tube",
            "points_m": [
                [-0.04, 0.0, 0.0],
                [-0.012, 0.008, 0.003],
                [0.012, -0.008, -0.003],
                [0.04, 0.0, 0.0],
            ],
            "radius_m": 0.004,
        },
    ),
    _forbidden("Keep in sphere", {"shape": "sphere", "radius_m": 0.04}, "keep_in"),
    _forbidden("Keep in box", {"shape": "box", "size_m": [0.08, 0.08, 0.08]}, "keep_in"),
    {"label": "Camera cone", "fixture": {"kind": "camera_cone", "half_angle_rad": 0.6, "depth_m": 0.12}},
    {
        "label": "Speed limit near a sphere",
        "fixture": {
            "kind": "speed_limit",
            "geometry": {"shape": "sphere", "radius_m": 0.008},
            "near_speed_m_s": 0.005,
            "far_speed_m_s": 0.1,
            "range_m": 0.02,
        },
    },
    {
        "label": "Guide: curve",
        "fixture": {
            "kind": "guide_curve",
            "points_m": [[-0.03, 0.0, 0.0], [0.0, 0.01, 0.0], [0.03, 0.0, 0.0]],
        },
    },
    {
        "label": "Guide: surface",
        "fixture": {
            "kind": "guide_surface",
            "geometry": {"shape": "sphere", "radius_m": 0.03},
            "standoff_m": 0.002,
        },
    },
    {"label": "Guide: plane", "fixture": {"kind": "guide_plane"}},
    {"label": "Guide: line", "fixture": {"kind": "axis_lock", "locked": "xy"}},
    {"label": "Guide: hold a point", "fixture": {"kind": "hold_point", "compliance": 0.2}},
    {
        "label": "Orientation cone",
        "fixture": {"kind": "orientation_cone", "axis": [0.0, 0.0, -1.0], "half_angle_rad": 0.8},
    },
    {"label": "Look at a point", "fixture": {"kind": "look_at", "compliance": 0.3}},
    {"label": "Trocar", "fixture": {"kind": "trocar"}},
    {"label": "Keep two tools apart", "fixture": {"kind": "tool_to_tool", "arms": ["", ""]}},
]
