"""A bad network between any two participants: what it does is decided by numbers and a seed."""
