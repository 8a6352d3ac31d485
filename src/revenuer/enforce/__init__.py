"""From verdicts to reversible measures."""
