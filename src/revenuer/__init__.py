"""Revenuer finds, stops, proves and reports unlicensed distilling of language models."""

__version__ = "0.1.0"
