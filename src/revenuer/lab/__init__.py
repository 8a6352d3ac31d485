"""The laboratory: simulated traffic and measurements. It may import anything; nothing but the command line imports it."""
