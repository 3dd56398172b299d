"""The arm driver's side of the wire: the rules every driver keeps, and the simulated arm.

Everything but ``sim/process.py`` is free of sockets, clocks and randomness, so that a driver of real
hardware can use :class:`~teleop.drivers.contract.ArmContract` as it is.
"""
