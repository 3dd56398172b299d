"""Commands that need no session: fields, drivers, links, this machine."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter
from cyclopts.validators import Number

from teleop.cli.options import JsonFile, Overrides, Seconds, app
from teleop.errors import TrocarError


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
