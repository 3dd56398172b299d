"""Master devices: hardware and its simulation behind one small contract, each run in a process of its own."""
