"""Recordings: written beside a running session, read, replayed, reported, exported."""
