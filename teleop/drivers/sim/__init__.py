"""The simulated arm: a servo model behind the driver's contract, and the process that serves it."""
