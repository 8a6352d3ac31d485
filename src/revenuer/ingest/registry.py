"""The one list of log formats. A new format is a module with a `Source`, added here; docs/reference/formats.md says how
each looks and a test holds the two together."""

from __future__ import annotations

from revenuer.ingest.litellm import LITELLM
from revenuer.ingest.otlp import OTLP
from revenuer.ingest.pairs import ANTHROPIC, OPENAI
from revenuer.ingest.revenuer import PARQUET, REVENUER
from revenuer.ingest.source import IngestError, Source

SOURCES: tuple[Source, ...] = (REVENUER, LITELLM, OTLP, OPENAI, ANTHROPIC, PARQUET)


def source_named(name: str) -> Source:
    """The source of that name. Raises IngestError naming those there are."""
    for source in SOURCES:
        if source.name == name:
            return source
    raise IngestError(f"unknown format {name!r}; there are {', '.join(source.name for source in SOURCES)}")
