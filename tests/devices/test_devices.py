"""Real devices against fakes of their libraries: what moves, what does not, unplugging, garbage."""

from __future__ import annotations

import math
import random

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from teleop.devices.device import DeviceError, DeviceLostError, Reading
from teleop.devices.force_dimension import ForceDimension, ForceDimensionSpec
from teleop.devices.gamepad import ABS_RX, ABS_RZ, ABS_X, ABS_Y, BTN_TL, BTN_TR, Gamepad, GamepadSpec
from teleop.devices.process import DeviceLoop
from teleop.devices.spacemouse import SpaceMouse, SpaceMouseSpec
from teleop.devices.touch import Touch, TouchSpec
from teleop.haptics.renderer import Renderer
from teleop.haptics.spec import HapticsSpec
from tests.haptics.test_renderer import UP, message
from tests.haptics.test_stability import device as profile

from .fakes import FakeDhd, FakeEvdev, FakeHD, FakeHid

MS = 1_000_000
NAMES = ("spacemouse", "gamepad", "force_dimension", "touch")


def make(name: str):
    """The driver and its fake; the fake is open and its deadman is not held."""
    fake = {"spacemouse": FakeHid, "gamepad": FakeEvdev, "force_dimension": FakeDhd, "touch": FakeHD}[name]()
    kinds = {
        "spacemouse": (SpaceMouse, SpaceMouseSpec),
        "gamepad": (Gamepad, GamepadSpec),
        "force_dimension": (ForceDimension, ForceDimensionSpec),
        "touch": (Touch, TouchSpec),
    }
    driver, spec = kinds[name]
    return driver(spec(kind=name), lambda: fake), fake


def press(name: str, fake, down: bool) -> None:
    if name == "spacemouse":
        fake.buttons(int(down))
    elif name == "gamepad":
        fake.key(BTN_TL, down)
    elif name == "force_dimension":
        (fake.pressed.add if down else fake.pressed.discard)(0)
    else:
        fake.mask = int(down)


def loop_of(driver, name: str = "omega3") -> tuple[DeviceLoop, Renderer, list[str]]:
    said: list[str] = []
    renderer = Renderer(profile(name), HapticsSpec(), 1e-3)
    driver.open()
    return DeviceLoop(driver, renderer, said.append), renderer, said


@pytest.mark.parametrize("name", NAMES)
def test_a_button_that_is_down_at_the_start_moves_nothing_before_it_was_released(name: str) -> None:
    driver, fake = make(name)
    press(name, fake, True)
    driver.open()
    if name == "spacemouse":
        press(name, fake, True)
    assert not driver.read(MS).present
    press(name, fake, False)
    assert not driver.read(2 * MS).present
    press(name, fake, True)
    assert driver.read(3 * MS).present


@pytest.mark.parametrize("name", NAMES)
def test_unplugging_is_noticed_sought_and_the_button_must_be_released_again(name: str) -> None:
    driver, fake = make(name)
    loop, _, said = loop_of(driver)
    t = 1
    for down in (False, True):
        press(name, fake, down)
        loop.tick(t * MS, None)
        t += 1
    assert loop.reading.present
    assert loop.reading.valid
    fake.present = False
    reading = loop.tick(t * MS, None)
    assert (reading.valid, reading.present, loop.losses) == (False, False, 1)
    for _ in range(1200):
        t += 1
        assert not loop.tick(t * MS, None).present
    assert len(said) == 1, said
    fake.present = True
    press(name, fake, True)
    for _ in range(600):
        t += 1
        reading = loop.tick(t * MS, None)
    assert reading.valid
    assert not reading.present, "the button was held all the time: it must be released first"
    press(name, fake, False)
    loop.tick((t + 1) * MS, None)
    press(name, fake, True)
    assert loop.tick((t + 2) * MS, None).present


@pytest.mark.parametrize("name", NAMES)
def test_a_device_that_is_not_there_is_refused_in_a_sentence(name: str) -> None:
    driver, fake = make(name)
    fake.present = False
    with pytest.raises(DeviceError, match=r"is it (plugged in|on)"):
        driver.open()
    with pytest.raises(DeviceLostError):
        driver.read(MS)
    driver.close()


@pytest.mark.parametrize("name", NAMES)
def test_a_library_that_is_missing_is_named_with_what_to_do(name: str) -> None:
    kinds = {
        "force_dimension": (ForceDimension, ForceDimensionSpec, "FDSDK"),
        "touch": (Touch, TouchSpec, "OpenHaptics"),
    }
    if name not in kinds:
        pytest.skip("installed here")
    driver, spec, word = kinds[name]
    with pytest.raises(DeviceError, match=word):
        driver(spec(kind=name)).open()


@pytest.mark.parametrize("name", ["force_dimension", "touch"])
def test_a_pose_arrives_in_metres_and_as_a_quaternion(name: str) -> None:
    driver, fake = make(name)
    turn = Rotation.from_rotvec([0.3, -0.2, 0.9])
    fake.R = turn.as_matrix()
    driver.open()
    reading = driver.read(MS)
    assert reading.p_m == pytest.approx([0.01, 0.02, 0.03])
    assert abs(reading.quat_xyzw @ turn.as_quat()) == pytest.approx(1.0)
    assert reading.valid


@pytest.mark.parametrize("name", ["force_dimension", "touch"])
def test_force_goes_out_and_none_is_left_behind(name: str) -> None:
    driver, fake = make(name)
    loop, renderer, _ = loop_of(driver)
    low = [0.01, 0.02, -0.01]
    fake.p, fake.p_mm = low, [1e3 * x for x in low]
    for k in range(1, 200):
        loop.tick(k * MS, message((UP, 0.0)))
    assert renderer.force[2] > 1.0
    assert fake.force == pytest.approx(renderer.force.tolist(), rel=0.2)
    driver.close()
    assert fake.force == [0.0, 0.0, 0.0]
    assert not fake.enabled
    driver.close()


@pytest.mark.parametrize("name", ["force_dimension", "touch"])
def test_a_pose_of_garbage_is_not_believed_and_not_pushed(name: str) -> None:
    driver, fake = make(name)
    loop, _, _ = loop_of(driver)
    low = [0.01, 0.02, -0.01]
    fake.p, fake.p_mm = low, [1e3 * x for x in low]
    for k in range(1, 100):
        loop.tick(k * MS, message((UP, 0.0)))
    fake.p = fake.p_mm = [math.nan, 0.0, math.inf]
    fake.R = np.zeros((3, 3))
    for k in range(100, 200):
        reading = loop.tick(k * MS, message((UP, 0.0)))
        assert not reading.valid
        assert np.isfinite(reading.p_m).all()
        assert np.isfinite(fake.force).all()
    assert fake.force == [0.0, 0.0, 0.0]


def drive(driver, fake, seconds: float, each=lambda: None, start: int = 10) -> Reading:
    reading = driver.read(start * MS)
    for k in range(1, round(seconds * 1e3) + 1):
        each()
        reading = driver.read((start + k) * MS)
    return reading


def test_a_puck_moves_right_forward_and_up_at_its_speed_and_stops_when_let_go() -> None:
    driver, fake = make("spacemouse")
    driver.open()
    for mask in (0, 1, 0):
        fake.buttons(mask)
        driver.read(MS)
    reading = drive(driver, fake, 1.0, lambda: fake.push(350, 0, 0, 0, 0, 0))
    assert reading.p_m == pytest.approx([0.05, 0.0, 0.0], rel=0.01)
    reading = drive(driver, fake, 1.0, lambda: fake.push(0, -350, -350, 0, 0, 0), start=1011)
    assert reading.p_m == pytest.approx([0.05, 0.05, 0.05], rel=0.01)
    reading = drive(driver, fake, 2.0, start=2012)
    # The last report said full speed; it is believed for 0.2 s, no longer.
    assert reading.p_m[1] < 0.05 + 0.25 * 0.05
    assert reading.present


def test_a_puck_that_is_touched_before_it_is_switched_on_moves_nothing() -> None:
    driver, fake = make("spacemouse")
    driver.open()
    reading = drive(driver, fake, 0.5, lambda: fake.push(350, 350, 350, 350, 0, 0))
    assert not reading.p_m.any()
    assert not reading.present


def test_a_mouse_of_the_same_maker_is_no_puck() -> None:
    fake = FakeHid(usage=2, vendor=0x046D)
    with pytest.raises(DeviceError, match="no SpaceMouse"):
        SpaceMouse(SpaceMouseSpec(kind="spacemouse"), lambda: fake).open()


def test_garbage_reports_never_raise_and_stay_within_full_speed() -> None:
    driver, fake = make("spacemouse")
    driver.open()
    for mask in (0, 1, 0):
        fake.buttons(mask)
        driver.read(MS)
    rng = random.Random(3)
    last = np.zeros(3)
    for k in range(10, 2000):
        fake.reports += [rng.randbytes(rng.randint(1, 20)) for _ in range(rng.randint(0, 3))]
        reading = driver.read(k * MS)
        assert np.isfinite(reading.p_m).all()
        assert np.abs(reading.p_m - last).max() <= 0.05 * 1e-3 * 1.001
        assert np.linalg.norm(reading.quat_xyzw) == pytest.approx(1.0)
        last = reading.p_m


def test_a_pad_moves_only_while_its_shoulder_is_held() -> None:
    driver, fake = make("gamepad")
    driver.open()
    fake.stick(ABS_X, 255)
    assert not drive(driver, fake, 0.5).p_m.any()
    fake.key(BTN_TL, True)
    reading = drive(driver, fake, 1.0, start=600)
    assert reading.p_m == pytest.approx([0.05, 0.0, 0.0], rel=0.03, abs=1e-6)
    fake.key(BTN_TL, False)
    assert drive(driver, fake, 0.5, start=1700).p_m == pytest.approx(reading.p_m, abs=1e-4)
    fake.stick(ABS_RZ, 255)
    fake.key(BTN_TR, True)
    reading = driver.read(3000 * MS)
    assert reading.gripper_rad == pytest.approx(0.0)
    assert reading.clutch


def test_a_pad_whose_events_were_dropped_is_asked_for_its_state() -> None:
    driver, fake = make("gamepad")
    driver.open()
    fake.key(BTN_TL, True)
    fake.stick(ABS_Y, 0)
    driver.read(MS)
    fake.axes.update({ABS_Y: 128, ABS_RX: 128})
    fake.keys.clear()
    fake.events.append(type(fake.absinfo(0))(type=0, code=3, value=0))
    assert not driver.read(2 * MS).present
    before = driver.read(3 * MS).p_m
    assert driver.read(4 * MS).p_m == pytest.approx(before)


def test_a_pad_without_a_range_is_at_rest() -> None:
    driver, fake = make("gamepad")
    fake.absinfo = lambda code: type("Info", (), {"value": 7, "min": 0, "max": 0})()
    driver.open()
    fake.key(BTN_TL, True)
    assert not drive(driver, fake, 0.2).p_m.any()
