"""Mapping, tremor, safety, loop, wire, drivers, console, recorder and command line."""
