"""Recordings to and from other forms: CSV and Parquet out; hands from JIGSAWS and CSV in."""
