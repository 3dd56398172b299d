"""The command ``trocar``."""

from __future__ import annotations

import sys
from importlib.metadata import version
from json import dumps
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import App, Parameter
from cyclopts.validators import Number

from fixtures.errors import FixtureError
from kinematics.errors import KinematicsError
from teleop.errors import TrocarError

app = App(
    name="trocar",
    help="Drive a surgical robot arm from a master device, under virtual fixtures. "
    "Research software, not a medical device.",
    version=version("trocar"),
)

Overrides = Annotated[
    tuple[str, ...],
    Parameter(
        name="--set",
        negative=(),
        help="Replace one value of the session, for instance pairs[0].mapping.scale=0.2. May be repeated.",
    ),
]
Seconds = Annotated[
    float,
    Parameter(validator=Number(gte=0.0), help="Stop after this many seconds; 0 runs until Ctrl-C."),
]
JsonFile = Annotated[Path | None, Parameter(name="--json", help="Write the summary to this file as JSON.")]
RecordFile = Annotated[
    Path | None,
    Parameter(
        name="--record", help="Record every tick to this MCAP file; `trocar replay` and `report` read it."
    ),
]
ProcessName = Annotated[
    str | None, Parameter(help="Name of the master or arm; may be left out where the session has only one.")
]


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
    if fixtures is not None:
        named = str(Path(fixtures).resolve()) if fixtures.endswith(".toml") else fixtures
        overrides = (f"fixtures=[{dumps(named)}]", *overrides)
    return run_session(
        path,
        overrides=overrides,
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
def replay(
    recording: Path,
    *,
    config: Path | None = None,
    tolerance: Annotated[float, Parameter(validator=Number(gte=0.0))] = 0.0,
    json: JsonFile = None,
    overrides: Overrides = (),
) -> int:
    """Put the inputs of a recording through the controller's core again and compare every bit it gives out.

    With --config or --set: the same hands under another configuration, then and now side by side.

    Parameters
    ----------
    recording: Path
        The MCAP file.
    config: Path
        Another session's TOML file, with other fixtures, scale or filter.
    tolerance: float
        Exit with 0 if no command differs by more than this, rad or m; 0 asks for every bit.
    """
    from teleop.recorder.replay.command import run as run_replay

    return run_replay(recording, config=config, overrides=overrides, tolerance=tolerance, json_file=json)


@app.command
def report(
    recording: Path,
    *,
    out: Annotated[Path | None, Parameter(name=["--out", "-o"])] = None,
    json: JsonFile = None,
    compare: Path | None = None,
    thresholds: Path | None = None,
    max_violations: int | None = None,
    min_clearance_m: float | None = None,
    max_skipped: int | None = None,
    max_overruns: int | None = None,
    max_missing: int | None = None,
    max_compute_us: float | None = None,
    max_latency_us: float | None = None,
    max_tracking_error_m: float | None = None,
    max_fault_s: float | None = None,
    min_following_s: float | None = None,
) -> int:
    """Turn a recording into one page of HTML that needs no network, or into figures for a machine.

    The exit status is 1 where a threshold is broken; that no tick was inside a region is always asked.

    Parameters
    ----------
    recording: Path
        The MCAP file.
    out: Path
        The page; beside the recording when left out. With --json alone no page is written.
    compare: Path
        Another recording to show beside it.
    thresholds: Path
        TOML file with the thresholds below as keys; a flag goes before the file.
    max_violations: int
        Most ticks inside a forbidden region or its margin; 0 when left out.
    min_clearance_m: float
        Least clearance beyond any margin, m.
    max_skipped: int
        Most deadlines passed over.
    max_overruns: int
        Most ticks that lasted beyond the next deadline.
    max_missing: int
        Most ticks missing in the recording.
    max_compute_us: float
        Most for the 99.9th percentile of a tick's time, us.
    max_latency_us: float
        Most for the 99th percentile from the hand's stamp to the command, us.
    max_tracking_error_m: float
        Most for the 99.9th percentile of the distance between commanded and measured tip, m.
    max_fault_s: float
        Most time in FAULT, s.
    min_following_s: float
        Least time of following, s.
    """
    from teleop.recorder.report.checks import read_thresholds
    from teleop.recorder.report.command import run as run_report

    flags = {
        "max_violations": max_violations,
        "min_clearance_m": min_clearance_m,
        "max_skipped": max_skipped,
        "max_overruns": max_overruns,
        "max_missing": max_missing,
        "max_compute_us": max_compute_us,
        "max_latency_us": max_latency_us,
        "max_tracking_error_m": max_tracking_error_m,
        "max_fault_s": max_fault_s,
        "min_following_s": min_following_s,
    }
    asked = read_thresholds(thresholds, flags)
    return run_report(recording, out=out, json_file=json, compare=compare, thresholds=asked)


@app.command
def export(recording: Path, *, out: Annotated[Path | None, Parameter(name=["--out", "-o"])] = None) -> int:
    """Write a recording as one wide table, a row a tick.

    Parameters
    ----------
    recording: Path
        The MCAP file.
    out: Path
        The table, .csv or .parquet (needs pyarrow); a .csv beside the recording when left out.
    """
    from teleop.recorder.exchange.export import export as export_recording

    target = out or recording.with_suffix(".csv")
    n_rows, n_columns = export_recording(recording, target)
    print(f"{n_rows} rows of {n_columns} columns written to {target}")
    return 0


@app.command(name="import")
def import_(file: Path, *, out: Annotated[Path | None, Parameter(name=["--out", "-o"])] = None) -> int:
    """Turn a hand recorded elsewhere (JIGSAWS, console CSV, pose CSV) into an MCAP file.

    Parameters
    ----------
    file: Path
        The recording; what it is is told by its first line.
    out: Path
        The MCAP file; beside the recording when left out.
    """
    from teleop.recorder.exchange.importing import import_file

    target = out or file.with_suffix(".mcap")
    for hand, samples in import_file(file, target).items():
        print(f"{hand}: {samples} samples")
    print(f"written to {target}")
    return 0


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
def check(*sessions: Path, effective: bool = False, overrides: Overrides = ()) -> int:
    """Check sessions, every profile they name and what their fixtures mean; print all mistakes at once.

    Exit status: 0 good, 1 a fixture cannot be meant as it is, 2 a file is wrong.

    Parameters
    ----------
    sessions: Path
        TOML files.
    effective: bool
        Print the effective configuration, defaults and profiles filled in, as JSON.
    """
    from teleop.cli.check import check_sessions

    return check_sessions(sessions, overrides=overrides, effective=effective)


@app.command
def bake(
    mesh: Path,
    *,
    units: Literal["m", "cm", "mm", "um", "in"],
    out: Annotated[Path | None, Parameter(name=["--out", "-o"])] = None,
    spacing_m: Annotated[float, Parameter(validator=Number(gt=0.0))] = 0.5e-3,
    band_m: Annotated[float, Parameter(validator=Number(gt=0.0))] = 6e-3,
    both_sides: bool = False,
    treat_as: Literal["solid", "shell", "hull"] = "solid",
    thickness_m: Annotated[float | None, Parameter(validator=Number(gt=0.0))] = None,
    scale: Annotated[float, Parameter(validator=Number(gt=0.0))] = 1.0,
    frame: Literal["own", "lps", "ras"] = "own",
    labels: Annotated[tuple[int, ...], Parameter(consume_multiple=True, negative=())] = (),
    cache: Path | None = None,
) -> int:
    """Bake a mesh or a labelled volume into a distance field, and say what it cost and what it proves.

    The field is kept in the cache under the hash of the file and of the options, where sessions find it.

    Parameters
    ----------
    mesh: Path
        A mesh (.stl .obj .ply .vtp) or a labelled volume (.nrrd .nhdr .nii .nii.gz).
    units: str
        Unit of the file's coordinates. A file does not say, and it is never guessed.
    out: Path
        Write the field to this file as well, for shape = "field".
    spacing_m: float
        Distance of the field's samples, m: finer is nearer to the surface and larger.
    band_m: float
        The field is fine up to this distance from the surface, m; beyond it a lower bound answers.
    both_sides: bool
        Bake the inside too, for keep-in regions.
    treat_as: str
        A solid needs a closed surface; a shell is a wall around the sheet; a hull the convex solid around it.
    thickness_m: float
        Thickness of a shell, m.
    scale: float
        A further factor on a mesh's coordinates, for files drawn in no unit.
    frame: str
        A mesh's patient frame: ras is turned into LPS, the frame of DICOM; own and lps are taken as they are.
    labels: int
        The labels of a volume that are solid.
    cache: Path
        Folder of baked fields instead of the user's cache.
    """
    from teleop.cli.bake import bake as bake_file

    return bake_file(
        mesh, out, units=units, spacing_m=spacing_m, band_m=band_m, both_sides=both_sides, treat_as=treat_as,
        thickness_m=thickness_m, scale=scale, frame=frame, labels=labels, cache=cache,
    )  # fmt: skip


@app.command
def tremor(
    recording: Path,
    *,
    filter: str = "kalman_bank",
    hand: str = "right",
    json: Annotated[Path | None, Parameter(name="--json")] = None,
    picture: Path | None = None,
) -> int:
    """Filter a recorded hand, and say what the filter did to it.

    Parameters
    ----------
    recording: Path
        A pose CSV, or a console CSV; told apart by their headers.
    filter: str
        none, butterworth, one_euro, notch, wflc, bmflc, bmflc_kf or kalman_bank.
    hand: str
        left or right, of a console recording.
    json: Path
        Write the figures to this file as JSON.
    picture: Path
        Draw the spectra before and after, .svg, .png or .pdf. Needs matplotlib: pip install trocar[plot].
    """
    from teleop.tremor.command import run as run_tremor

    return run_tremor(recording, filter=filter, hand=hand, json=json, picture=picture)


@app.command
def conform(
    endpoint: str,
    *,
    allow_motion: bool = False,
    excursion: str = "",
    speed: str = "",
    jaw_excursion: Annotated[float, Parameter(validator=Number(gte=0.0))] = 0.0,
    allow_homing: bool = False,
    restart: str | None = None,
    rule: Annotated[tuple[str, ...], Parameter(negative=())] = (),
    keys: Path | None = None,
    arm: str | None = None,
    json: Annotated[Path | None, Parameter(name="--json")] = None,
    junit: Path | None = None,
    html: Path | None = None,
) -> int:
    """Is this arm driver safe to use? Tries the rules of the protocol over the wire; moves nothing by itself.

    Parameters
    ----------
    endpoint: str
        Base endpoint of the driver, ipc:///path or tcp://host:port.
    allow_motion: bool
        The arm may be enabled and moved, within --excursion and --speed, which must be given.
    excursion: str
        Farthest from where the arm stands, rad or m, one number a joint: 0.05,0.05,0.02,0,0,0. The rules that
        a bad driver could answer with any motion run only where the bounds cover the arm's whole range.
    speed: str
        Greatest speed, rad/s or m/s, one number a joint.
    jaw_excursion: float
        Farthest the jaw may go from its opening, rad.
    allow_homing: bool
        The driver may home the arm: its own motion, which knows no bounds.
    restart: str
        A command that restarts the driver, for the rule about it.
    rule: str
        Only rules whose name begins so, for instance estop or admission.seq. May be repeated.
    keys: Path
        Folder of CURVE keys for a driver across hosts: controller.key_secret and the driver's public key.
    arm: str
        The driver's name in that folder, e.g. PSM1 for PSM1.key.
    json: Path
        Write the findings to this file as JSON.
    junit: Path
        Write them as JUnit XML.
    html: Path
        Write them as one HTML page with pictures.
    """
    from teleop.conform.command import run as run_conform

    return run_conform(
        endpoint,
        allow_motion=allow_motion,
        excursion=excursion,
        speed=speed,
        jaw_excursion=jaw_excursion,
        allow_homing=allow_homing,
        restart=restart,
        rules=rule,
        keys_dir=keys,
        arm=arm,
        json_file=json,
        junit_file=junit,
        html_file=html,
    )


@app.command
def impair(
    script: Path | None = None,
    *,
    name: Annotated[
        str | None, Parameter(help="Before this participant of a session, as trocar run does.")
    ] = None,
    preset: str | None = None,
    role: Annotated[str, Parameter(help="What stands behind: arm, master or controller.")] = "arm",
    real: str = "",
    shown: str = "",
    control: str | None = None,
    keys: Path | None = None,
    participant: str | None = None,
    seconds: Seconds = 0.0,
    json: JsonFile = None,
    overrides: Overrides = (),
) -> int:
    """Put a bad network between two participants: delay, loss, outage, duplicates, disorder, corruption.

    Parameters
    ----------
    script: Path
        TOML: seed, preset, streams and timeline, see docs/impair.md; or a session, with --name.
    preset: str
        A network with published parameters, for instance loss_30 or delay_100.
    real: str
        Base endpoint that the participant binds.
    shown: str
        Base endpoint that the others shall connect to; the proxy binds it.
    control: str
        An ipc address where a program may change everything while it runs.
    keys: Path
        Folder of CURVE keys, for tcp across hosts: the proxy poses as the participant to those who connect,
        and as the controller to the participant, so it needs the secret keys of both.
    participant: str
        The name of the participant behind the proxy in that folder, e.g. PSM1 for PSM1.key_secret.
    """
    from teleop.impair.command import run_alone, run_of_session
    from teleop.supervisor import announce_ready

    if name is not None:
        if script is None:
            raise TrocarError("--name is a participant of a session: give the session's TOML file")
        return run_of_session(script, name, overrides=overrides, on_ready=announce_ready)
    return run_alone(
        script,
        preset=preset,
        role=role,
        real=real,
        shown=shown,
        control=control,
        keys_dir=keys,
        participant=participant,
        seconds=seconds or None,
        json_file=json,
    )


@app.command
def doctor(
    *,
    seconds: Annotated[float, Parameter(validator=Number(gt=0.0))] = 10.0,
    load: bool = False,
    json: JsonFile = None,
) -> int:
    """Can this machine hold 1 kHz? Measures, explains, and says yes or no.

    Parameters
    ----------
    seconds: float
        How long to measure, s.
    load: bool
        Measure again with every processor busy.
    """
    from teleop.doctor import run_doctor

    return run_doctor(seconds=seconds, load=load, json_file=json)


def main(words: list[str] | None = None) -> None:
    """Entry point: errors made on purpose are printed without a traceback, exit status 2."""
    try:
        sys.exit(app(words))
    except (FixtureError, KinematicsError, TrocarError) as error:
        print(error, file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)
