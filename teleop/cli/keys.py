"""``trocar keys``: make what is missing, and say where each file belongs."""

from __future__ import annotations

import sys
from pathlib import Path

from teleop.config.errors import suggest
from teleop.config.schema import SecuritySpec, SessionSpec
from teleop.config.toml import apply_overrides, read_toml, validate
from teleop.wire.keys import PUBLIC, SECRET, make_keys


def make_session_keys(path: Path, names: tuple[str, ...], *, overrides: tuple[str, ...]) -> int:
    """Make the keys that the participants of a session need.

    Reads only the session's own file: without keys, one whose endpoints leave the host does not load.

    Args:
        path: the session's TOML file.
        names: whose keys to make on this host; everybody's if left out.
        overrides: ``key=value`` settings.

    Returns:
        0, or 2 if a name does not take part in the session.

    Raises:
        ConfigError: the file is no session.
        KeyFileError: the keys cannot be written.
    """
    spec: SessionSpec = validate(SessionSpec, apply_overrides(read_toml(path), overrides), path)
    everybody = spec.key_names()
    for name in names:
        if name not in everybody:
            known = ", ".join(everybody)
            print(
                f"{path}: nobody is called {name!r}.{suggest(name, everybody)} Known: {known}",
                file=sys.stderr,
            )
            return 2
    security = spec.security or SecuritySpec()
    folder = path.parent / security.keys_dir
    made = make_keys(folder, names or everybody)
    for name in names or everybody:
        print(f"{'made' if name in made else 'kept'}  {folder / name}{PUBLIC} and {SECRET}")
    print(
        f"Every host needs all *{PUBLIC} files. NAME{SECRET} stays on the host where NAME runs, readable by "
        "its user alone; delete it elsewhere."
    )
    if spec.security is None:
        print(f'Now add to {path}:\n\n[security]\nkeys_dir = "{security.keys_dir}"')
    return 0
