"""Masters: whatever moves the hand, recorded or synthetic, behind one small contract."""
