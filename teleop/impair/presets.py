"""Networks with published parameters, and a few round ones.

The delay, loss and outage models are those of a telesurgery study (15 users, peg transfer; the repository
UVA-DSA/telesurgery-qos-analysis, ICRA 2026): delay = D_min + hyperexponential, loss in Pareto bursts, outages
U(0, 3 s) and then 8.5 s of service. Published for 100 ms: D_min 70 ms, weights 0.73 and 0.27, rates 0.027 and
0.085 per ms. For 300 and 500 ms the same spread is put on a larger D_min (assumed); shape 1.5 and a mean of 5
messages a burst are assumed too.
"""

from __future__ import annotations

from typing import Any

_SPREAD = {"weights": (0.73, 0.27), "rates_per_ms": (0.027, 0.085)}
_SPREAD_MEAN_MS = 0.73 / 0.027 + 0.27 / 0.085


def _delay(mean_ms: float, least_ms: float | None = None) -> dict[str, Any]:
    return {"delay_ms": mean_ms - _SPREAD_MEAN_MS if least_ms is None else least_ms, "tail": _SPREAD}


def _loss(share: float) -> dict[str, Any]:
    return {"loss": share, "burst": 5.0, "burst_shape": 1.5}


def _outage(share: float) -> dict[str, Any]:
    return {"outage_share": share, "outage_max_ms": 3000.0}


PRESETS: dict[str, dict[str, Any]] = {
    "none": {},
    "delay_100": _delay(100.0, 70.0),
    "delay_300": _delay(300.0),
    "delay_500": _delay(500.0),
    "loss_10": _loss(0.1),
    "loss_30": _loss(0.3),
    "loss_50": _loss(0.5),
    "outage_10": _outage(0.1),
    "outage_15": _outage(1.5 / (1.5 + 8.5)),
    "outage_30": _outage(0.3),
    "outage_50": _outage(0.5),
    "lan": {"delay_ms": 0.2, "jitter_ms": 0.3},
    "wifi": {"delay_ms": 2.0, "jitter_ms": 6.0, "loss": 0.01, "burst": 3.0},
}
"""By name; the keys are those of :class:`teleop.impair.spec.Impairment`. ``outage_15`` is the published
one; ``lan`` and ``wifi`` are our own guesses for quick trials."""
