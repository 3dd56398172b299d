"""The command line: parses, calls, prints. Nothing here decides anything about motion."""
