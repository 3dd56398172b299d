"""What the console costs, and how late and how smooth its page is, beside a session at 1 kHz.

Run: ``python benchmarks/console.py [--seconds N] [--rounds N]``. The demo and its synthetic surgeon, with an
organ of 327 680 triangles as a forbidden region, of which the page is given 20 000. In turn, ``--rounds``
times:

- nobody watches; 1, then 5 viewers, which take in and acknowledge every state as the page does; 5 and one
  that was let in and never reads. Of each: the controller's tick, bytes sent to a viewer, the console's
  processor time.
- a page in a Chromium on this machine, as it limits itself without a graphics card, then drawing as often as
  it can: from the controller's stamp of a state to its last pixel (the frame is read back, so it was drawn),
  and frames a second. The browser draws on the processor that the loop runs on.

The viewers are in a process of their own. One host has one clock; the page's is known to 0.1 ms.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
from playwright.sync_api import Page, sync_playwright
from tick import write_mesh
from websockets.sync.client import ClientConnection, connect

from tests.browser.conftest import FLAGS, find_browser
from tests.browser.house import House

CROWDS = {"nobody": (0, 0), "1 viewer": (1, 0), "5 viewers": (5, 0), "5, 1 deaf": (5, 1)}
SIZE = {"width": 1280, "height": 800}
TRIANGLES = "window.trocar?.stage.fixtures.bodies.get('organ')?.surface.geometry.index?.count || 0"
CARD = """(() => {
  const gl = trocar.stage.renderer.getContext();
  return gl.getParameter(gl.getExtension('WEBGL_debug_renderer_info').UNMASKED_RENDERER_WEBGL);
})()"""
WATCH = """(() => {
  const stage = trocar.stage, gl = stage.renderer.getContext(), before = stage.onDrawn;
  window.timed = {states: [], frames: []};
  stage.onDrawn = (state) => {
    before(state);
    gl.readPixels(0, 0, 1, 1, gl.RGBA, gl.UNSIGNED_BYTE, new Uint8Array(4));
    timed.states.push([state.stamp_ms, performance.timeOrigin + performance.now()]);
  };
  const render = stage.renderer.render.bind(stage.renderer);
  stage.renderer.render = (...all) => { render(...all); timed.frames.push(performance.now()); };
})()"""


def join(url: str) -> ClientConnection:
    """A socket as a page opens it."""
    address = url.replace("http", "ws").rstrip("/") + "/socket"
    return connect(address, origin=url.rstrip("/"), compression=None, max_size=None, max_queue=1)  # type: ignore[arg-type]


def watch(url: str, seconds: float) -> list[int]:
    """Read and acknowledge as the page does; the length of every message."""
    lengths = []
    with join(url) as socket:
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0.0:
            try:
                text = socket.recv(timeout=left)
            except TimeoutError:
                break
            message = json.loads(text)
            if message["type"] == "state":
                socket.send(json.dumps({"type": "ack", "seq": message["seq"]}))
            lengths.append(len(text))
    return lengths


def viewers(url: str, count: int, deaf: int, seconds: float) -> None:
    """The process of the viewers: prints the bytes a second that each was sent."""
    sent: list[int] = []
    crowd = [threading.Thread(target=lambda: sent.append(sum(watch(url, seconds)))) for _ in range(count)]
    silent = [join(url) for _ in range(deaf)]
    for one in crowd:
        one.start()
    for one in crowd:
        one.join()
    print(json.dumps([total / seconds for total in sent]), flush=True)
    del silent
    os._exit(0)  # the deaf ones would first wait for an answer to their goodbye


def busy_s(pid: int) -> float:
    """Processor time of a process so far, s."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def spread(values: list[float]) -> str:
    """p50, p99, p99.9 and max, in columns."""
    return "".join(f"{x:9.1f}" for x in np.percentile(values, [50, 99, 99.9, 100]))


class Figures:
    """What was measured of one setting, over all rounds."""

    def __init__(self) -> None:
        """Nothing yet."""
        self.compute: list[float] = []
        self.ticks = self.missed = 0
        self.cpu_s = self.wall_s = 0.0
        self.bytes_s: list[float] = []
        self.late_ms: list[float] = []
        self.frames = 0

    def add_session(self, house: House, since_ns: int, busy_before_s: float) -> None:
        """The ticks and the console's processor time since then."""
        ticks = house.witness.since(since_ns)
        self.compute += [tick["compute_us"] for tick in ticks]
        self.ticks += len(ticks)
        self.missed += ticks[-1]["skipped"] - ticks[0]["skipped"]
        self.cpu_s += busy_s(house.console.pid) - busy_before_s
        self.wall_s += 1e-9 * (time.monotonic_ns() - since_ns)


def crowd(house: House, count: int, deaf: int, seconds: float, figures: Figures) -> None:
    """One round with so many viewers."""
    words = [sys.executable, __file__, "--viewers", house.url, str(count), str(deaf), str(seconds)]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True) if count else None
    time.sleep(1.5)  # until they are in
    since_ns, before_s = time.monotonic_ns(), busy_s(house.console.pid)
    time.sleep(seconds - 2.0)
    figures.add_session(house, since_ns, before_s)
    if process is not None:
        figures.bytes_s += json.loads(process.communicate(timeout=60.0)[0])


def look(page: Page, house: House, seconds: float, figures: Figures) -> None:
    """One round of a page that draws."""
    page.evaluate("timed.states.length = timed.frames.length = 0")
    since_ns, before_s = time.monotonic_ns(), busy_s(house.console.pid)
    time.sleep(seconds)
    seen: dict[str, Any] = page.evaluate("timed")
    figures.add_session(house, since_ns, before_s)
    ahead_ms = 1e-6 * (time.time_ns() - time.monotonic_ns())
    figures.late_ms += [drawn - ahead_ms - stamp for stamp, drawn in seen["states"]]
    figures.frames += len(seen["frames"])


def measure(house: House, seconds: float, rounds: int) -> tuple[dict[str, Figures], str]:
    """All settings in turn; and what the page drew on."""
    found: dict[str, Figures] = defaultdict(Figures)
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=find_browser(), args=list(FLAGS))
        for _ in range(rounds):
            for title, (count, deaf) in CROWDS.items():
                crowd(house, count, deaf, seconds, found[title])
            page = browser.new_context(viewport=SIZE).new_page()  # type: ignore[arg-type]
            page.goto(house.url, wait_until="commit", timeout=120_000)
            end = time.monotonic() + 300.0  # another process first builds what is drawn
            while not (triangles := page.evaluate(TRIANGLES)):
                if time.monotonic() > end:
                    raise TimeoutError("the page did not draw the organ within 300 s")
                time.sleep(0.2)
            page.evaluate(WATCH)
            limit = page.evaluate("trocar.stage.frameMs")
            look(page, house, seconds, found["page"])
            page.evaluate("trocar.stage.frameMs = 0")
            look(page, house, seconds, found["page, unlimited"])
            drew = page.evaluate(CARD)
            page.context.close()
        browser.close()
    return (
        found,
        f"{triangles // 3} triangles at {SIZE['width']}x{SIZE['height']}, {drew}, limit {limit} ms",
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=15.0, help="of each setting, each round")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--viewers", nargs=4, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.viewers:
        url, count, deaf, seconds = options.viewers
        viewers(url, int(count), int(deaf), float(seconds))
    if not find_browser():
        sys.exit("needs a Chromium: on the path, or named by TROCAR_BROWSER")
    with tempfile.TemporaryDirectory(prefix="trocar-") as scratch:
        folder = Path(scratch)
        (folder / "scene.toml").write_text(write_mesh(folder, 7))
        house = House(folder, f'fixtures=["{folder / "scene.toml"}"]')
        try:
            found, drew = measure(house, options.seconds, options.rounds)
        finally:
            house.close()
    print(f"{'':18}{'tick, us: p50, p99, p99.9, max':>36}{'skipped':>12}{'console':>9}{'a viewer':>11}")
    for title, f in found.items():
        sent = f"{np.mean(f.bytes_s) / 1e3:7.0f} kB/s" if f.bytes_s else ""
        share = 100.0 * f.cpu_s / f.wall_s
        print(f"{title:18}{spread(f.compute)}{1e2 * f.missed / f.ticks:10.2f} %{share:7.1f} %{sent:>11}")
    print(f"\n{'stamp to pixel, ms: p50, p99, p99.9, max':>54}{'frames/s':>10}   {drew}")
    for title, f in found.items():
        if f.late_ms:
            print(f"{title:18}{spread(f.late_ms)}{f.frames / f.wall_s:10.1f}")


if __name__ == "__main__":
    main()
