"""The same inputs through the same core again; or through one that is configured otherwise."""
