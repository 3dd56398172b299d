"""What the hand feels: the same clamp that the tool obeys, within what the device can render stably."""
