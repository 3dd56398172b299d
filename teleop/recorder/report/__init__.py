"""A recording as figures, verdicts and one page that a person can judge."""
