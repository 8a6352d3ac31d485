"""Benchmarks: quality and speed of detection against named peers. Results are in `RESULTS.md`."""
