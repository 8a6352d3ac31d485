"""Log formats -> `records.Exchange`: recognise, decompress, decode, resume; and the accounts file beside the log."""

from revenuer.ingest.accounts import read_accounts
from revenuer.ingest.files import LogFile, Position, find_files
from revenuer.ingest.reader import Chunk, fetch_texts, read_logs
from revenuer.ingest.registry import SOURCES
from revenuer.ingest.source import IngestError, RowError, Source

__all__ = [
    "SOURCES",
    "Chunk",
    "IngestError",
    "LogFile",
    "Position",
    "RowError",
    "Source",
    "fetch_texts",
    "find_files",
    "read_accounts",
    "read_logs",
]
