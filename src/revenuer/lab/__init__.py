"""The laboratory: simulated traffic and measurements. It may import anything; only the command line imports it."""
