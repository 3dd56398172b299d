"""The shell of a fixed-rate process: absolute deadlines, real-time set-up, stage timings."""
