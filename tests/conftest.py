"""Settings for every test."""

from hypothesis import settings

# The first example that calls a kernel loads or compiles it: no example is judged by the clock.
settings.register_profile("trocar", deadline=None)
settings.load_profile("trocar")
