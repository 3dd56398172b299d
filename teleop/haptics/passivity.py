"""Energy at the local port: an observer counts it, a controller damps what the wall gives out, a tank pays.

**Observer.** The force f of sample k is held while the hand moves from x_k to x_{k+1}, so the energy that the
virtual wall took in is known exactly at the next sample, ``E += -f . (x_{k+1} - x_k)`` (the form of
Stramigioli et al. 2005; Hannaford & Ryu 2002 write ``E += f v T``; both quoted from memory). A passive wall
never has E < 0.

**Controller.** Where it does, a damper takes the difference out,

    alpha = min(-E / (|v|^2 T), alpha_max),          f <- f - alpha v

clipped to what the device renders, so one sample may not suffice; the debt stays until it is paid.

**Tank.** Planes that move or are edited do work on the hand that no wall standing still does. The wall is
rendered as ``f = s K u`` with a share s, so it stores ``V = s K |u|^2 / 2``. What new planes, or a growing
share, add to V at one place of the hand is taken from the tank; what the damper takes out, what receding
planes give up, and a small constant power fill it. An empty tank lets s fall below 1. So moving planes give
the hand at most the tank's content and that power.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from teleop.compiled import kernel

Array = npt.NDArray[np.float64]

TANK_J = 5e-3
"""Most a tank holds, J: a hand 5 mm deep behind 400 N/m."""
TANK_W = 0.05
"""Power that fills it, W."""
REST_S = 0.05
"""After so long without force the count starts anew: one wall gives no credit for the next, s."""


@kernel
def observe(energy: float, quiet_s: float, last_f: Array, last_p: Array, p: Array) -> float:
    """Energy [J] of the wall when ``last_f`` (3,) was held from ``last_p`` (3,) to ``p`` (3,)."""
    for i in range(3):
        energy -= last_f[i] * (p[i] - last_p[i])
    return 0.0 if quiet_s > REST_S else energy


@kernel
def damper(energy: float, v: Array, period: float, most: float) -> float:
    """``alpha`` [N s/m] that pays the debt of ``energy`` [J] in one period, at most ``most``."""
    speed = v[0] * v[0] + v[1] * v[1] + v[2] * v[2]
    if energy >= 0.0 or speed < 1e-12:
        return 0.0
    return float(min(-energy / (speed * period), most))


@kernel
def affordable(stored: float, full: float, tank: float) -> tuple[float, float]:
    """What share of a wall the tank affords.

    Args:
        stored: V that the wall stores as it was rendered so far, at the hand's place [J].
        full: V of the whole wall there, ``K |u|^2 / 2`` [J].
        tank: content [J].

    Returns:
        share s in [0, 1], and what is left in the tank [J].
    """
    if full <= 0.0:
        return 1.0, min(TANK_J, tank + stored)
    cost = full - stored
    if cost <= tank:
        return 1.0, min(TANK_J, tank - cost)
    return max(0.0, stored + tank) / full, 0.0
