"""What comes from the wire: the newest of everything, and the traces that the pages plot."""

from __future__ import annotations

from collections.abc import Iterator

from fixtures.body import Array
from kinematics.arm import ArmModel
from kinematics.pose import quat_to_matrix
from teleop.config import Session
from teleop.console import messages as m
from teleop.console.client import Client
from teleop.console.picture import ArmPicture, Painter, Watcher
from teleop.console.plots import Buckets, Tremor, channels, row
from teleop.wire.messages import MeasuredJs, Telemetry


class Feed:
    """Takes in the streams of a session.

    Attributes:
        watcher: the controller's figures.
        painter: makes of them what a browser is shown.
        states: the newest state of each arm driver, None before the first.
        channels: what the traces are.
    """

    def __init__(
        self, client: Client, session: Session, models: list[ArmModel], quat_wm: list[Array]
    ) -> None:
        """Nothing came yet.

        Args:
            client: the streams.
            session: what is shown.
            models: the arms where the session puts them.
            quat_wm: (4,) turn of each master's frame in the world.
        """
        self._client, self._models = client, models
        pairs = session.spec.pairs
        pictures = [
            ArmPicture(p.arm.name, arm, spec)
            for p, arm, spec in zip(pairs, models, session.arms, strict=True)
        ]
        self.watcher = Watcher(len(pairs))
        self.painter = Painter(pictures, self.watcher)
        self.channels = [c for i in range(len(pairs)) for c in channels(i)]
        self._buckets = Buckets(len(self.channels))
        self._tremor = [
            Tremor(quat_to_matrix(quat), pair.mapping.ramp_s)
            for pair, quat in zip(pairs, quat_wm, strict=True)
        ]
        self._hands: list[list[float] | None] = [None] * len(pairs)
        self.states: list[MeasuredJs | None] = [None] * len(pairs)
        self._last_stamp = 0

    def drain(self, now_s: float) -> tuple[bool, list[str]]:
        """Take in what came; whether the fixtures may have changed, and the alarms among it."""
        changed, alarms = False, []
        for index, hand in enumerate(self._client.hands):
            while (sample := hand.receive()) is not None:
                self._hands[index] = sample.p_m
            js = self._client.arms[index].newest()
            if js is not None:
                self.states[index] = js
        while (message := self._client.telemetry.receive()) is not None:
            changed |= self.watcher.see(message, now_s)
            self._plot(message)
        while (event := self._client.events.receive()) is not None:
            detail = str(event.data.get("detail", ""))
            self.painter.details[str(event.data.get("pair", ""))] = detail
            if event.kind == "alarm":
                alarms.append(detail)
        return changed, alarms

    def _plot(self, message: Telemetry) -> None:
        period_us = (message.stamp_ns - self._last_stamp) * 1e-3
        self._last_stamp = message.stamp_ns
        values = row(message, self._models, self._tremor, self._hands, period_us)
        if len(values) == len(self.channels):
            self._buckets.add(message.stamp_ns, values)

    def plots(self, since: int) -> m.Plots | None:
        """The buckets of the traces from number ``since`` on; None if there are none."""
        first, rows = self._buckets.since(since)
        return m.Plots(first, rows) if rows else None

    def spectra(self) -> Iterator[m.Spectrum]:
        """Of each hand that was followed for long enough, before and after the filter."""
        for index, tremor in enumerate(self._tremor):
            spectrum = tremor.spectrum()
            if spectrum is not None:
                yield m.Spectrum(index, *spectrum)
