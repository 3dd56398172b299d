"""Builds one fixture from JSON on standard input, so that its field is in the cache; away from any loop."""

from __future__ import annotations

import json
import os
import sys

from pydantic import TypeAdapter

from fixtures.errors import FixtureError
from fixtures.geometry.baked import Workshop
from fixtures.spec import AnyFixture


def main() -> int:
    """Exit status 0 when it was built, 1 with a sentence on standard error when it cannot be."""
    os.nice(10)
    adapter: TypeAdapter[AnyFixture] = TypeAdapter(AnyFixture)
    try:
        adapter.validate_python(json.load(sys.stdin)).build(Workshop())
    except (FixtureError, ValueError, MemoryError) as error:
        print(" ".join(str(error).split()) or type(error).__name__, file=sys.stderr)
        return 1
    except ImportError as error:
        print(f"{error}; meshes need more libraries: pip install 'trocar[bake]'", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
