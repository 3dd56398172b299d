"""A simulated haptic device in a simulated hand."""
