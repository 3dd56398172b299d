"""What the oracle says of an episode: clearances of commands, ways and stops; limits; the remote centre.

Sampled limits, with T = 1 ms between commands whatever the tick lasted:

    position       q_min <= q <= q_max, of every command and of the end of every stop
    velocity       |q - q_before| / T <= qd_max, and equal to the qd that was sent
    acceleration   |v - v_before| / T <= qdd_max, and |v| / S <= qdd_max in the stop
    jerk           |a - a_before| / T <= qddd_max, and |-v/S - a| / T <= qddd_max where a stop begins

The clearance of a pair (sphere, region) is the exact distance less radius and margin. A pair that was clear
at the last command must stay clear on the straight joint way to the command and on the stop after it. A pair
that was inside already (a region appeared, or came) may not get deeper at a command, if the region stands.
Along a stop the promise is that of the command that fixed it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from teleop.controller.build import PERIOD_S as T

from .arm_oracle import ArmOracle
from .episode import RECOVERING, UNSAFE, Episode, Track
from .plan import ArmPlace
from .solids import Region
from .tally import Tally

Array = np.ndarray
DIP_M = 1.001e-6
"""The gate lets a body that is inside get deeper by a micrometre in the middle of a way, never at its end."""
ROUNDING_M = 1e-9
"""Below this a negative clearance is floating point: positions of order 1 m, two routes to them."""
EVERY = 16
"""Ticks between the looks at all spheres; between them clearance changes by no more than they moved."""
NEAR_M = 2e-5
WAY = (1 / 3, 2 / 3, 1.0)
STOP = (0.25, 0.5, 0.75, 1.0)
FINE = tuple(np.linspace(0, 1, 26)[1:-1])
RCM_LIMIT_M = 50e-6


def judge(episode: Episode, label: str) -> Tally:
    """All figures of an episode; ``label`` says in findings how to play it again."""
    plan, tally = episode.plan, Tally(episodes=1)
    for arm, track in zip(plan.arms, episode.tracks, strict=True):
        tally.ticks += len(track.t)
        tally.following += int(track.follows.sum())
        tally.skipped += round(float(track.t[-1] - track.t[0]) / T) - (len(track.t) - 1)
        tally.recovery += int(((track.flags & RECOVERING) > 0).sum())
        tally.alarms += int(((track.flags & UNSAFE) > 0).sum())
        _limits(arm.oracle, track, tally, label)
        if arm.oracle.table.get("rcm", {}).get("kind") == "software":
            _trocar(arm.oracle, track, tally, label)
        sweep = Sweep.of(arm, track) if episode.regions else None
        for region in episode.regions:
            assert sweep is not None
            _region(arm, track, sweep, region, plan.clear, tally, label)
        _presses(arm, track, episode.regions, tally, label)
    if plan.clear:
        # Nothing moved or appeared: nobody is ever inside, nor taken to be.
        tally.violations += tally.alarms + tally.recovery
        if tally.alarms or tally.recovery:
            said = f"{tally.alarms} ticks unsafe, {tally.recovery} in recovery, and nothing moved"
            tally.worst.append(f"{label}: {said}")
    if plan.apart is not None:
        _apart(episode, plan.apart, tally, label)
    return tally


def _limits(oracle: ArmOracle, track: Track, tally: Tally, label: str) -> None:
    lim, k = oracle.limits, np.flatnonzero(track.sent)
    q, v, S = track.q[k], track.v[k], track.stop_s[k, None]
    slack = 1 + 1e-9
    end = q + 0.5 * S * v
    bad = {
        "position": (q < lim["q_min"]) | (q > lim["q_max"]),
        "position of the stop": (end < lim["q_min"] - 1e-12) | (end > lim["q_max"] + 1e-12),
        "velocity": np.abs(q - track.before[k]) > T * lim["qd_max"] * slack + 1e-15,
        "qd is not the step": np.abs(q - track.before[k] - v * T) > 1e-14,
        "stop too hard": np.abs(v) > S * lim["qdd_max"] * slack,
    }
    # Of ticks in a row only: where nothing was sent the command was taken anew from the arm, at rest.
    row = np.diff(k, prepend=-9) == 1
    # In periods that were skipped the arm ran the stop of its last command.
    last, skipped = np.roll(v, 1, axis=0), track.periods[k, None] - 1
    rest = T / np.maximum(np.roll(S, 1, axis=0), T)
    v0 = np.where(row[:, None], last * np.maximum(0.0, 1 - skipped * rest), 0.0)
    a = (v - v0) / T
    braking = (v0 - last * np.maximum(0.0, 1 - (skipped - 1) * rest)) / T
    a0 = np.where(row[:, None], np.where(skipped > 0, braking, np.roll(a, 1, axis=0)), 0.0)
    bad["acceleration"] = np.abs(a) > lim["qdd_max"] * slack + 1e-9
    bad["jerk"] = np.abs(a - a0) > T * lim["qddd_max"] * slack + 1e-9
    bad["jerk of the stop"] = np.abs(-v / S - a) > T * lim["qddd_max"] * slack + 1e-9
    for what, where in bad.items():
        ticks = where.any(axis=1)
        if ticks.any():
            tally.limits += int(ticks.sum())
            tally.worst.append(
                f"{label}: {what} limit broken at tick {k[ticks][0]} and {ticks.sum() - 1} more"
            )


def _trocar(oracle: ArmOracle, track: Track, tally: Tally, label: str) -> None:
    k = np.flatnonzero(track.sent)[::3]
    if not len(k):
        return
    q, v, S = track.q[k], track.v[k], track.stop_s[k, None]
    for what, way in (("command", q), ("step", 0.5 * (q + track.before[k])), ("stop", q + 0.5 * S * v)):
        off = oracle.off_trocar(way)
        tally.rcm_m = max(tally.rcm_m, float(off.max()))
        if (off > RCM_LIMIT_M).any():
            tally.off_trocar += int((off > RCM_LIMIT_M).sum())
            tally.worst.append(
                f"{label}: {what} {1e6 * off.max():.1f} um off the trocar, tick {k[off.argmax()]}"
            )


def _at(track: Track, k: Array, way: tuple[str, float]) -> tuple[Array, Array]:
    """Joint positions and times at a fraction of the step, or of the way of the stop, of ticks k."""
    what, s = way
    if what == "way":
        return track.before[k] + s * (track.q[k] - track.before[k]), track.t[k] + s * T
    S = track.stop_s[k]
    return track.q[k] + track.v[k] * (0.5 * s * S)[:, None], track.t[k] + T + S * (1 - np.sqrt(1 - s))


def _fixed_by(track: Track) -> Array:
    """For each tick the tick whose command it carries out: an earlier one where it goes on along a stop."""
    v, S = track.v[:-1], np.maximum(track.stop_s[:-1, None], T)
    left = np.maximum(0.0, 1 - track.periods[1:, None] * T / S)
    along = track.sent[1:] & track.sent[:-1] & np.isclose(track.v[1:], v * left, 1e-9, 1e-15).all(axis=1)
    own = np.arange(len(track.t))
    own[1:][along] = 0
    return np.maximum.accumulate(own)


def _when_fixed(arm: ArmPlace, track: Track, region: Region, ticks: Array, spheres: Array) -> Array:
    """Clearance of pairs before the command whose stop a tick goes on along; 0 where its command is its own.

    A region that appeared since then was not there: 0 too.
    """
    first = _fixed_by(track)[ticks]
    along = np.flatnonzero((first < ticks) & (track.t[first] >= region.since_s))
    out = np.zeros(len(ticks))
    if len(along):
        before = (track.before[first[along]], track.t[first[along]])
        out[along] = _clearance(arm, region, *before, np.arange(len(along)), spheres[along])
    return out


def _clearance(arm: ArmPlace, region: Region, q: Array, t: Array, tick: Array, sphere: Array) -> Array:
    """Exact clearance of pairs: sphere[j] with the arm at q[tick[j]], time t[tick[j]]."""
    frames = arm.oracle.frames(q)
    centers = np.empty((len(tick), 3))
    names = arm.oracle.frame_of[sphere]
    for frame in set(names):
        mine = np.flatnonzero(names == frame)
        M = frames[frame][tick[mine]]
        centers[mine] = np.einsum("kij,kj->ki", M[:, :3, :3], arm.oracle.local[sphere[mine]]) + M[:, :3, 3]
    return region.distance(centers, t[tick]) - arm.oracle.radii[sphere]


@dataclass(eq=False)
class Sweep:
    """Where every sphere of an arm starts in a tick, and how far it may get in the step and the stop.

    On a straight joint way the second derivative of a point is at most ``W (W R + 2 D)``, with W the sum of
    the turns, D of the slides and R the distance to the farthest axis; so no point of the way is farther from
    its start than the chord to its end and an eighth of that.
    """

    start: Array
    reach: Array

    @classmethod
    def of(cls, arm: ArmPlace, track: Track) -> Sweep:
        """Of all ticks (N, m, 3), (N, m)."""
        step = track.v * (T + 0.5 * track.stop_s)[:, None]
        start = arm.oracle.centers(track.before)
        chord = np.linalg.norm(arm.oracle.centers(track.before + step) - start, axis=2)
        turn = np.abs(step[:, ~arm.oracle.slides]).sum(axis=1)
        slide = np.abs(step[:, arm.oracle.slides]).sum(axis=1)
        return cls(start, chord + (turn * (turn * _LEVER_M + 2 * slide) / 8)[:, None])


def _region(
    arm: ArmPlace, track: Track, sweep: Sweep, region: Region, clear: bool, tally: Tally, label: str
) -> None:
    """Judge every command against one region."""
    oracle = arm.oracle
    live = track.sent & (track.t >= region.since_s) & (track.t < region.until_s)
    if not region.moves:
        # An arm that goes on standing was judged when it came to stand.
        still = ~track.v.any(axis=1)
        still[1:] &= still[:-1] & (track.t[:-1] >= region.since_s)
        still[0] = False
        live &= ~still
    ticks = np.flatnonzero(live)
    spheres = np.flatnonzero(arm.mask(region.bodies))
    if not len(ticks) or not len(spheres):
        return
    # Where could anything be near? Exact at every 16th command, in between by how far each sphere moved.
    centers = sweep.start[ticks][:, spheres]
    base = np.arange(len(ticks)) // EVERY * EVERY
    some = np.arange(0, len(ticks), EVERY)
    at = np.repeat(track.t[ticks[some]], len(spheres))
    d = region.distance(centers[some].reshape(-1, 3), at).reshape(len(some), -1) - oracle.radii[spheres]
    tally.looked += d.size
    moved = np.linalg.norm(centers - centers[base], axis=2)
    reach = sweep.reach[ticks][:, spheres] + NEAR_M
    if region.moves:
        reach = reach + (region.speed * (T + track.stop_s[ticks]))[:, None]
    low = d[base // EVERY] - moved - region.speed * (track.t[ticks] - track.t[ticks[base]])[:, None]
    k, i = np.nonzero(low < reach)
    if not len(k):
        tally.smallest_m = min(tally.smallest_m, float(low.min()))
        return
    start = region.distance(centers[k, i], track.t[ticks[k]]) - oracle.radii[spheres[i]]
    tally.looked += len(start)
    reach = reach[k, i]
    keep = start < reach
    k, i, start, reach = k[keep], i[keep], start[keep], reach[keep]
    if not len(k):
        return
    near, tick = np.unique(k, return_inverse=True)
    now = ticks[near]
    alarmed = (track.flags[now] & UNSAFE)[tick] > 0
    free = (start >= -ROUNDING_M) & ~alarmed
    if region.moves:
        # A region that came into one sphere is held still for all: the arm answers for its own motion only.
        # One that deforms is known by frames: it may be known to be here while in truth it has drawn back.
        came = np.zeros(len(near), dtype=bool)
        came[tick[start < ROUNDING_M]] = True
        recovering = (track.flags[now] & RECOVERING)[tick] > 0
        came[tick[recovering & (start < region.unseen_m)]] = True
        free &= ~came[tick]
    least = start.copy()
    for way in [("way", s) for s in WAY] + [("stop", s) for s in STOP]:
        c = _clearance(arm, region, *_at(track, now, way), tick, spheres[i])
        tally.looked += len(c)
        least = np.minimum(least, c)
        if way == ("way", 1.0):
            end = c
    # What may hide between two samples is at most half their spacing: look closer where that matters.
    spacing = reach / len(STOP)
    hidden = np.flatnonzero(free & (least < 0.5 * spacing) & (spacing > NEAR_M))
    for s in FINE if len(hidden) else ():
        for what in ("way", "stop"):
            c = _clearance(arm, region, *_at(track, now, (what, float(s))), tick[hidden], spheres[i[hidden]])
            tally.looked += len(c)
            least[hidden] = np.minimum(least[hidden], c)
    was = np.zeros(len(k))
    entered = np.flatnonzero(least < -ROUNDING_M)
    if len(entered) and not region.moves:
        was[entered] = _when_fixed(arm, track, region, ticks[k[entered]], spheres[i[entered]])
    returns = free & (least < -ROUNDING_M) & (was < -ROUNDING_M) & (least >= was - DIP_M)
    tally.returns += len(np.unique(k[returns]))
    free &= ~returns
    if free.any():
        tally.smallest_m = min(tally.smallest_m, float(least[free].min()))
    tally.contact += len(np.unique(k[end < 1e-4]))
    bad = free & (least < -ROUNDING_M)
    if bad.any():
        tally.violations += len(np.unique(k[bad]))
        worst = np.flatnonzero(bad)[least[bad].argmin()]
        tally.worst.append(
            f"{label}: {region.name} violated by {-1e6 * least[worst]:.4f} um, tick {ticks[k[worst]]}, "
            f"sphere {spheres[i[worst]]}, and {len(np.unique(k[bad])) - 1} more ticks"
        )
    tally.inside_m = max(tally.inside_m, float(-start.min()))
    if region.moves:
        said = (track.flags[now] & (UNSAFE | RECOVERING))[tick] > 0
        silent = (start < -ROUNDING_M) & ~said
        if silent.any():
            tally.walls += len(np.unique(k[silent]))
            worst = np.flatnonzero(silent)[start[silent].argmin()]
            tally.worst.append(
                f"{label}: {region.name} is {-1e6 * start[worst]:.1f} um in sphere {spheres[i[worst]]} "
                f"and nothing says so, tick {ticks[k[worst]]}"
            )
    else:
        deeper = (start < -ROUNDING_M) & ~alarmed & (end < start - ROUNDING_M)
        deeper &= ~((was < -ROUNDING_M) & (end >= was - DIP_M))
        if deeper.any():
            tally.deeper += len(np.unique(k[deeper]))
            worst = np.flatnonzero(deeper)[(end - start)[deeper].argmin()]
            tally.worst.append(
                f"{label}: {region.name} {1e6 * (start - end)[worst]:.4f} um deeper, tick {ticks[k[worst]]}, "
                f"sphere {spheres[i[worst]]}"
            )
    if track.driven and clear:
        _driven(arm, track, region, spheres, tally)


_LEVER_M = 1.4
"""No sphere is farther than this from any joint of the arms used here: bounds what may be near."""


def _driven(arm: ArmPlace, track: Track, region: Region, spheres: Array, tally: Tally) -> None:
    """Where the driver really was, a millisecond after the other, when ticks were skipped."""
    driven = np.array(track.driven)
    centers = arm.oracle.centers(driven[:, 1:], spheres)
    some = centers[::EVERY]
    at = np.repeat(driven[::EVERY, 0], len(spheres))
    d = region.distance(some.reshape(-1, 3), at).reshape(len(some), -1) - arm.oracle.radii[spheres]
    base = np.arange(len(driven)) // EVERY
    low = d[base] - np.linalg.norm(centers - some[base], axis=2)
    low -= region.speed * (driven[:, 0] - driven[::EVERY, 0][base])[:, None]
    k, i = np.nonzero(low < min(tally.driver_m, 1e-4))
    if len(k):
        c = region.distance(centers[k, i], driven[k, 0]) - arm.oracle.radii[spheres[i]]
        tally.driver_m = min(tally.driver_m, float(c.min()))


def _presses(arm: ArmPlace, track: Track, regions: list[Region], tally: Tally, label: str) -> None:
    """How far from the margin a tool rests that is pressed against a region."""
    for k in track.pressed:
        if track.excess[k] < 5e-4 or not track.follows[max(0, k - 100) : k + 1].all():
            continue
        frames = arm.oracle.frames(track.q[[k - 60, k]])["tip"]
        if np.linalg.norm(frames[0, :3, 3] - frames[1, :3, 3]) > 20e-6:
            continue
        acted = int(np.bitwise_or.reduce(track.acted[k - 20 : k + 1]))
        flags = int(np.bitwise_or.reduce(track.flags[k - 20 : k + 1]))
        if not acted:
            tally.unexplained += not flags
            continue
        least = np.inf
        for g, region in enumerate(regions):
            if not acted >> g & 1 or region.moves:
                continue
            spheres = np.flatnonzero(arm.mask(region.bodies))
            centers = arm.oracle.centers(track.q[[k]], spheres)[0]
            d = region.distance(centers, np.full(len(spheres), track.t[k])) - arm.oracle.radii[spheres]
            least = min(least, float(d.min()))
        if -ROUNDING_M <= least < np.inf:
            tally.presses += 1
            tally.far_presses += least > 1e-4
            tally.stops_m.append(least)
            if least > 2e-4:
                tally.worst.append(f"{label}: pressed, but rests {1e6 * least:.0f} um away, tick {k}")


def _apart(episode: Episode, margin: float, tally: Tally, label: str) -> None:
    """Two arms: anything one may still sweep against anything the other may, at each tick."""
    (one, two), (a, b) = episode.plan.arms, episode.tracks
    ways = [("way", s) for s in (0.0, 0.5, 1.0)] + [("stop", s) for s in STOP]
    k = np.flatnonzero(a.sent & b.sent)
    if not len(k):
        return
    si, sj = np.flatnonzero(one.mask(one.tool)), np.flatnonzero(two.mask(two.tool))
    r = one.oracle.radii[si][:, None] + two.oracle.radii[sj] + margin
    P = np.stack([one.oracle.centers(_at(a, k, w)[0], si) for w in ways], axis=1)
    Q = np.stack([two.oracle.centers(_at(b, k, w)[0], sj) for w in ways], axis=1)
    # All of one arm's way lies in a ball about its middle: pairs of ticks that are far apart are done.
    mid_p, mid_q = P.mean(axis=(1, 2)), Q.mean(axis=(1, 2))
    size_p = np.linalg.norm(P - mid_p[:, None, None], axis=3).max(axis=(1, 2))
    size_q = np.linalg.norm(Q - mid_q[:, None, None], axis=3).max(axis=(1, 2))
    low = np.linalg.norm(mid_p - mid_q, axis=1) - size_p - size_q - r.max()
    if low.min() >= 1e-4:  # never near: all that is known is this bound
        tally.smallest_m = min(tally.smallest_m, float(low.min()))
    for j in np.flatnonzero(low < 1e-4):
        gap = np.linalg.norm(P[j][:, None, :, None] - Q[j][None, :, None, :], axis=4) - r
        tally.looked += gap.size
        least = float(gap.min())
        tally.contact += least < 1e-4
        recovering = (a.flags[k[j]] | b.flags[k[j]]) & (RECOVERING | UNSAFE)
        if recovering:
            continue
        tally.smallest_m = min(tally.smallest_m, least)
        if least < -ROUNDING_M:
            tally.apart += 1
            if tally.apart == 1:
                tally.worst.append(f"{label}: the arms are {-1e6 * least:.3f} um too near, tick {k[j]}")
