"""What changes a process for good is asked for in a child process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import pytest

from teleop.loop.realtime import Grant, format_grants

pytestmark = pytest.mark.process

REPORT = """
import ctypes, dataclasses, gc, json, os, sys, threading
from pathlib import Path
from teleop.loop.realtime import make_realtime
{before}
grants = make_realtime({arguments})
tid = threading.get_native_id()
child = os.fork()
if child == 0:
    os._exit(os.sched_getscheduler(0) & 0xF)
_, status = os.waitpid(child, 0)
print(json.dumps(dict(
    grants=[dataclasses.asdict(g) for g in grants],
    policy=os.sched_getscheduler(0) & 0xF,
    priority=os.sched_getparam(0).sched_priority,
    child_policy=os.waitstatus_to_exitcode(status),
    affinity=sorted(os.sched_getaffinity(0)),
    slack=ctypes.CDLL(None).prctl(30, 0, 0, 0, 0),
    gc=[gc.isenabled(), gc.get_freeze_count() > 0],
    locked_kb=int(Path('/proc/self/status').read_text().partition('VmLck:')[2].split()[0]),
)))
"""

UNPRIVILEGED = """
import resource
resource.setrlimit(resource.RLIMIT_MEMLOCK, (65536, 65536))
resource.setrlimit(resource.RLIMIT_RTPRIO, (0, 0))
os.setgroups([])
os.setgid(65534)
os.setuid(65534)
"""


def report(arguments: str = "", before: str = "") -> dict[str, Any]:
    code = REPORT.format(arguments=arguments, before=before)
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
    )
    assert run.returncode == 0, run.stderr
    content: dict[str, Any] = json.loads(run.stdout)
    content["stderr"] = run.stderr
    content["by"] = {g["feature"]: g for g in content["grants"]}
    return content


def test_what_is_reported_as_granted_is_what_the_system_shows() -> None:
    cpu = max(os.sched_getaffinity(0))
    seen = report(f"priority=17, cpu={cpu}")
    print(format_grants(Grant(**g) for g in seen["grants"]))
    assert seen["by"]["real-time scheduling"]["granted"] == (seen["policy"] == os.SCHED_FIFO)
    if seen["policy"] == os.SCHED_FIFO:
        assert seen["priority"] == 17
    assert seen["by"]["own processor"]["granted"] == (seen["affinity"] == [cpu])
    assert seen["by"]["timer slack"]["granted"]
    assert seen["policy"] == os.SCHED_FIFO or seen["slack"] == 1
    assert seen["by"]["locked memory"]["granted"] == (seen["locked_kb"] > 0)
    assert seen["gc"] == [False, True]


def test_a_child_does_not_inherit_the_real_time_priority() -> None:
    assert report()["child_policy"] == os.SCHED_OTHER


ZMQ_THREADS = """
import zmq
context = zmq.Context()
sockets = [context.socket(zmq.PUB)]
import time; time.sleep(0.2)  # a thread of ZeroMQ gives itself its name
io = [int(t.name) for t in Path('/proc/self/task').iterdir() if 'ZMQbg/IO' in (t / 'comm').read_text()]
assert io
import atexit
atexit.register(lambda: sys.stderr.write(json.dumps([
    (os.sched_getscheduler(t) & 0xF, os.sched_getparam(t).sched_priority, sorted(os.sched_getaffinity(t)))
    for t in io])))
"""


def test_zeromqs_threads_become_real_time_above_the_loop_and_keep_every_processor() -> None:
    cpu = min(os.sched_getaffinity(0))
    seen = report(f"priority=30, cpu={cpu}", before=ZMQ_THREADS)
    if seen["policy"] != os.SCHED_FIFO:
        pytest.skip("real-time scheduling is refused here")
    for policy, priority, affinity in json.loads(seen["stderr"]):
        assert (policy, priority) == (os.SCHED_FIFO, 35)
        assert affinity == sorted(os.sched_getaffinity(0))


def test_nothing_is_asked_that_was_not_wanted() -> None:
    seen = report("priority=None")
    assert seen["policy"] == os.SCHED_OTHER
    assert set(seen["by"]) == {"no garbage collection", "locked memory", "timer slack"}


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to become somebody without permissions")
def test_without_permission_everything_refused_is_said_with_what_to_do() -> None:
    seen = report(before=UNPRIVILEGED)
    assert seen["policy"] == os.SCHED_OTHER
    assert seen["locked_kb"] == 0
    assert "memlock unlimited" in seen["by"]["locked memory"]["sentence"]
    assert "CAP_SYS_NICE" in seen["by"]["real-time scheduling"]["sentence"]
    assert seen["by"]["no garbage collection"]["granted"]


def test_a_processor_that_is_not_there_is_refused_with_those_there_are() -> None:
    pin = report("priority=None, cpu=4000")["by"]["own processor"]
    assert not pin["granted"]
    assert str(min(os.sched_getaffinity(0))) in pin["sentence"]


def test_the_summary_names_what_was_granted_and_explains_each_refusal() -> None:
    text = format_grants(
        [Grant("timer slack", True, "x"), Grant("locked memory", False, "pages may be swapped out")]
    )
    assert text.splitlines() == [
        "real time: granted timer slack",
        "real time: no locked memory: pages may be swapped out",
    ]
