"""Builds one fixture from JSON on standard input, so that its field is in the cache; away from any loop.

With ``around`` it writes the packed drawing to standard output.
"""

from __future__ import annotations

import json
import os
import sys

import numpy as np
from pydantic import TypeAdapter

from fixtures.errors import FixtureError
from fixtures.geometry.baked import Workshop
from fixtures.spec import AnyFixture
from teleop.console.shapes import packed_drawing


def main() -> int:
    """Exit status 0 when it was built, 1 with a sentence on standard error when it cannot be."""
    os.nice(10)
    adapter: TypeAdapter[AnyFixture] = TypeAdapter(AnyFixture)
    try:
        asked = json.load(sys.stdin)
        fixture = adapter.validate_python(asked["fixture"])
        if asked["around"] is None:
            fixture.build(Workshop())
        else:
            sys.stdout.buffer.write(packed_drawing(fixture, np.asarray(asked["around"], dtype=np.float64)))
    except (FixtureError, ValueError, MemoryError) as error:
        print(" ".join(str(error).split()) or type(error).__name__, file=sys.stderr)
        return 1
    except ImportError as error:
        print(f"{error}; meshes need more libraries: pip install 'trocar[bake]'", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
