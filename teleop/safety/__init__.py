"""Operating and teleop states, the reasons for them, and the age policy of inputs. No clock, no sockets."""
