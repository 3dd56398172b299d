"""Can this machine hold 1 kHz? Measures, explains, and says yes or no."""

from teleop.doctor.doctor import run_doctor

__all__ = ["run_doctor"]
