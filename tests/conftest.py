"""Settings for every test."""

from hypothesis import settings

# Compiled kernels are loaded or compiled by the first example that calls them; no example is judged by the clock.
settings.register_profile("trocar", deadline=None)
settings.load_profile("trocar")
