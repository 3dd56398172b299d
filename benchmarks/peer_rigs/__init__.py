"""The same arm, guarded ball and obstacles for this project and its peers."""
