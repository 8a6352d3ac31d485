"""The range: labelled logs of simulated operators around real prompts, and the score of what a detector finds there."""

from revenuer.lab.range.config import Fold, LogFormat, RangeConfig, load_config
from revenuer.lab.range.make import RangeSummary, make_range
from revenuer.lab.range.pool import PoolError, PromptPool
from revenuer.lab.range.timing import Traces

__all__ = [
    "Fold",
    "LogFormat",
    "PoolError",
    "PromptPool",
    "RangeConfig",
    "RangeSummary",
    "Traces",
    "load_config",
    "make_range",
]
