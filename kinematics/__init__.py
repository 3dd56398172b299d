"""Arm models, frames and differential inverse kinematics. Knows no fixtures, no sockets, no clock."""
