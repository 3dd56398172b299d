"""Commands of a session: everything on this machine, one process alone, what runs, its files."""

from __future__ import annotations

from json import dumps
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from cyclopts.validators import Number

from teleop.cli.options import JsonFile, Overrides, ProcessName, RecordFile, Seconds, app


def _under(fixtures: str | None) -> Overrides:
    """The override that puts a session under a fixture of the gallery, or a file of one's own."""
    if fixtures is None:
        return ()
    named = str(Path(fixtures).resolve()) if fixtures.endswith(".toml") else fixtures
    return (f"fixtures=[{dumps(named)}]",)


@app.command
def demo(
    *,
    headless: Annotated[bool, Parameter(negative=())] = False,
    seconds: Seconds = 20.0,
    json: JsonFile = None,
    record: RecordFile = None,
    fixtures: str | None = None,
    overrides: Overrides = (),
) -> int:
    """Drive the simulated da Vinci PSM with a synthetic surgeon: everything on this machine.

    It prints the address of the console; open it and take the arm to drive with mouse, keyboard or gamepad.
    The demo ends by itself after its seconds, but not while a browser shows it.

    Parameters
    ----------
    headless: bool
        Without the console, and exactly as long as said.
    fixtures: str
        A fixture of the gallery that guards the arm: biopsy_line, skull_base, suturing_tube, trocar_cone or
        vessel_guard; or a TOML file of your own.
    """
    from teleop.cli.run import run_session
    from teleop.config.toml import profiles_dir

    path = profiles_dir() / "sessions" / "demo.toml"
    return run_session(
        path,
        overrides=(*_under(fixtures), *overrides),
        seconds=seconds,
        json_file=json,
        record=record,
        private_runtime_dir=True,
        console=not headless,
    )


@app.command
def run(
    session: Path,
    *,
    seconds: Seconds = 0.0,
    json: JsonFile = None,
    record: RecordFile = None,
    overrides: Overrides = (),
) -> int:
    """Run a session: start its drivers and the controller, watch them, and print a summary at the end.

    Parameters
    ----------
    session: Path
        The session's TOML file.
    """
    from teleop.cli.run import run_session

    return run_session(session, overrides=overrides, seconds=seconds, json_file=json, record=record)


@app.command
def controller(
    session: Path,
    *,
    seconds: Seconds = 0.0,
    json: JsonFile = None,
    record: bool = False,
    overrides: Overrides = (),
) -> int:
    """Run the controller of a session alone, for instance on a host of its own.

    Parameters
    ----------
    session: Path
        The session's TOML file.
    record: bool
        Keep ticks from the first on for the session's recorder: see `trocar recorder`. Without it, a recorder
        that comes later gets them from then on.
    """
    from teleop.cli.processes import run_controller

    return run_controller(session, overrides=overrides, seconds=seconds, json_file=json, record=record)


@app.command
def recorder(
    session: Path,
    recording: Path,
    *,
    json: JsonFile = None,
    status_file: Annotated[Path | None, Parameter(show=False)] = None,
    overrides: Overrides = (),
) -> int:
    """Record a session that runs, from now until Ctrl-C.

    Only a recording from the first tick can be replayed to the bit: start the controller with --record, or
    `trocar run` with --record, for one.

    Parameters
    ----------
    session: Path
        The session's TOML file.
    recording: Path
        The MCAP file to write.
    """
    from teleop.cli.processes import run_recorder_alone

    return run_recorder_alone(
        session, recording, overrides=overrides, json_file=json, status_file=status_file
    )


@app.command
def arm(session: Path, *, name: ProcessName = None, seconds: Seconds = 0.0, overrides: Overrides = ()) -> int:
    """Run the simulated driver of one arm of a session alone.

    Parameters
    ----------
    session: Path
        The session's TOML file.
    """
    from teleop.cli.processes import run_arm

    return run_arm(session, name=name, overrides=overrides, seconds=seconds)


@app.command
def master(
    session: Path, *, name: ProcessName = None, seconds: Seconds = 0.0, overrides: Overrides = ()
) -> int:
    """Run one master of a session alone.

    Parameters
    ----------
    session: Path
        The session's TOML file.
    """
    from teleop.cli.processes import run_one_master

    return run_one_master(session, name=name, overrides=overrides, seconds=seconds)


@app.command
def console(
    session: Path,
    *,
    host: str = "127.0.0.1",
    port: Annotated[int | None, Parameter(validator=Number(gte=0, lte=65535))] = None,
    token_file: Path | None = None,
    certfile: Path | None = None,
    keyfile: Path | None = None,
    proxy: Annotated[tuple[str, ...], Parameter(negative=())] = (),
    recordings: Path | None = None,
    recordings_max_gb: Annotated[float, Parameter(validator=Number(gt=0.0))] = 20.0,
    status_file: Annotated[Path | None, Parameter(show=False)] = None,
    recorder_status: Annotated[Path | None, Parameter(show=False)] = None,
    seconds: Seconds = 0.0,
    overrides: Overrides = (),
) -> int:
    """Serve the browser console of a session: watch it, drive it, shape its fixtures.

    Parameters
    ----------
    session: Path
        The session's TOML file.
    host: str
        Address to listen at. Another than loopback needs a token and TLS.
    port: int
        Port to listen at; left out, 8642 or any free one.
    token_file: Path
        File with the secret that the address must carry; made if it does not exist.
    certfile: Path
        TLS certificate, PEM.
    keyfile: Path
        Its key, PEM.
    proxy: str
        Origin of a proxy in front of this, such as https://console.example.org. May be repeated.
    recordings: Path
        Folder where the record button writes and replay looks; left out, one under ~/.local/share/trocar.
    recordings_max_gb: float
        How much that folder may hold, GB, before recording ends.
    """
    from teleop.cli.processes import run_one_console

    return run_one_console(
        session,
        overrides=overrides,
        host=host,
        port=port,
        token_file=token_file,
        certfile=certfile,
        keyfile=keyfile,
        proxy=proxy,
        status_file=status_file,
        recorder_status=recorder_status,
        recordings=recordings,
        recordings_max_gb=recordings_max_gb,
        seconds=seconds,
    )


@app.command
def send(session: Path, op: str, *args: str, overrides: Overrides = ()) -> int:
    """Send one request to the running controller of a session and print its answer.

    Parameters
    ----------
    session: Path
        The session's TOML file.
    op: str
        The request: enable, disable, pause, resume, home, unhome, engage, release, set_scale, set_filter,
        set_fixture, set_fixture_pose, remove_fixture, get_fixtures, get_config, get_state, reset_fault; or
        estop.
    args: str
        Its arguments as key=value, for instance scale=0.2 pair=right, or fixture=@vessel.toml for a file with
        one fixture, whose mesh is then baked here first.
    """
    from teleop.cli.send import send_request

    return send_request(session, op, args, overrides=overrides)


@app.command
def keys(session: Path, *names: str, overrides: Overrides = ()) -> int:
    """Make the CURVE keys with which the programs of a session know each other over tcp.

    Parameters
    ----------
    session: Path
        The session's TOML file; the keys go to its [security] keys_dir, by default `keys` beside it.
    names: str
        Whose keys to make on this host: controller, recorder, operator, a master or an arm; all if left out.
    """
    from teleop.cli.keys import make_session_keys

    return make_session_keys(session, names, overrides=overrides)


@app.command
def check(
    *sessions: Path, fixtures: str | None = None, effective: bool = False, overrides: Overrides = ()
) -> int:
    """Check sessions, every profile they name and what their fixtures mean; print all mistakes at once.

    Exit status: 0 good, 1 a fixture cannot be meant as it is, 2 a file is wrong.

    Parameters
    ----------
    sessions: Path
        TOML files.
    fixtures: str
        Instead of the sessions' own: a fixture of the gallery, or a TOML file of fixtures.
    effective: bool
        Print the effective configuration, defaults and profiles filled in, as JSON.
    """
    from teleop.cli.check import check_sessions

    return check_sessions(sessions, overrides=(*_under(fixtures), *overrides), effective=effective)
