"""The console in the browser: its own process, a client of the wire like any other."""
