"""The one way to compile a kernel of this package, see :mod:`kinematics.compiled`."""

from pathlib import Path

import kinematics
from kinematics.compiled import compiler_for

kernel = compiler_for(Path(__file__).parent, Path(kinematics.__file__).parent)
