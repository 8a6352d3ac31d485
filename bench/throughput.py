"""Speed of a scan on one core, with a peer beside it: `python -m bench.throughput`.

Each part runs in a child process of its own, bound to one core with one thread, so that CPU seconds are seconds of one
core and the peak memory is that part's. The peer is the embedding package's own `embed` on the same texts: it makes one
of the thirty columns of a fingerprint, from the same weights. Both alternate over the same chunks, and the figure is
the median ratio, which does not depend on the machine as absolute times do.
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from statistics import median

import msgspec

from bench.prompts import find_data
from bench.results import RESULTS, circumstances, table, write_section
from bench.traffic import KEY
from revenuer.decide.replay import Stopwatch
from revenuer.fingerprint.batch import Fingerprinter
from revenuer.fingerprint.model import DIM
from revenuer.ingest import read_logs
from revenuer.lab.range import PromptPool, RangeConfig, make_range
from revenuer.pipeline import clock
from revenuer.records import StageTime
from revenuer.settings import Settings

SECTION = "bench.throughput"
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "RAYON_NUM_THREADS")
ONE_THREAD = dict.fromkeys(THREADS, "1") | {"TOKENIZERS_PARALLELISM": "false"}
PEER_CHUNKS = 15
GOAL_RATE, GOAL_GIB = 5000, 2.0


class Part(msgspec.Struct, frozen=True):
    """What a child measured. `ratios`: fingerprinting over the peer, by chunk."""

    exchanges: int
    stages: tuple[StageTime, ...]
    peak_gib: float
    ratios: tuple[float, ...] = ()

    @property
    def cpu(self) -> float:
        """CPU seconds of all stages."""
        return sum(stage.cpu for stage in self.stages)


def measure_reading(log: Path, _: Path) -> Part:
    """Read and fingerprint a log, keeping nothing."""
    fingerprinter = Fingerprinter(KEY)
    watch = Stopwatch(clock)
    count = 0
    chunks = read_logs([log])
    while True:
        with watch.stage("read and decode"):
            chunk = next(chunks, None)
        if chunk is None:
            break
        with watch.stage("fingerprint"):
            fingerprinter.fingerprint(chunk.exchanges)
        count += len(chunk.exchanges)
    return Part(count, watch.stages(), _peak_gib())


def measure_scan(log: Path, work: Path) -> Part:
    """A whole scan, by its own stopwatch."""
    from revenuer.pipeline import scan

    shutil.rmtree(work / "scan", ignore_errors=True)
    settings = Settings(key_file=str(work / "fingerprint.key"))
    report = scan([log], log.with_name("accounts.jsonl"), work / "scan", settings)
    return Part(report.exchanges, report.stages, _peak_gib())


def measure_peer(log: Path, _: Path) -> Part:
    """Chunk after chunk through the fingerprinter, then the peer; the first is not timed and none comes twice."""
    import wordllama

    ours = Fingerprinter(KEY)
    peer = wordllama.WordLlama.load(
        cache_dir=Path(wordllama.__file__).parent, disable_download=True, dim=256, trunc_dim=DIM
    )
    ratios = []
    count = 0
    for number, chunk in enumerate(islice(read_logs([log]), PEER_CHUNKS + 1)):
        texts = [next((m.content for m in reversed(e.messages) if m.role == "user"), "") for e in chunk.exchanges]
        watch = Stopwatch(clock)
        with watch.stage("ours"):
            ours.fingerprint(chunk.exchanges)
        with watch.stage("peer"):
            # Sorted, it is spared most of its padding; in the order of the log it takes about twice as long.
            peer.embed(sorted(texts, key=len), norm=True)
        if number and texts:
            count += len(texts)
            ratios.append(watch.spent["ours"][1] / watch.spent["peer"][1])
    return Part(count, (), _peak_gib(), tuple(ratios))


PARTS: dict[str, Callable[[Path, Path], Part]] = {
    "reading": measure_reading,
    "scan": measure_scan,
    "peer": measure_peer,
}


def _peak_gib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def in_child(part: str, log: Path, work: Path) -> Part:
    """Run a part in a process of its own on one core. Raises CalledProcessError where it fails."""
    command = [sys.executable, "-m", "bench.throughput", "--part", part, "--log", str(log), "--work", str(work)]
    root = Path(__file__).resolve().parents[1]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, env=os.environ | ONE_THREAD, cwd=root)
    return msgspec.json.decode(done.stdout.splitlines()[-1], type=Part)


def shares(part: Part) -> str:
    """Share of CPU time of each stage."""
    total = part.cpu or 1.0
    return table(["stage", "share of CPU time"], [[s.stage, f"{s.cpu / total:.0%}"] for s in part.stages])


def section(heading: str, said: str, reading: Part, peer: Part, scan: Part | None) -> str:
    """The section of `RESULTS.md`."""
    ratio = sorted(peer.ratios)
    parts = [
        "## Speed and memory of a scan",
        heading,
        said,
        table(
            ["", "measured", "goal"],
            [
                ["exchanges", f"{reading.exchanges:,}", ""],
                [
                    "exchanges a second a core, reading and fingerprinting",
                    f"{reading.exchanges / reading.cpu:,.0f}",
                    f"{GOAL_RATE:,}",
                ],
                ["peak memory, reading and fingerprinting", f"{reading.peak_gib:.2f} GiB", f"{GOAL_GIB:g} GiB"],
                *(
                    [
                        ["exchanges a second a core, whole scan", f"{scan.exchanges / scan.cpu:,.0f}", ""],
                        ["peak memory, whole scan", f"{scan.peak_gib:.2f} GiB", f"{GOAL_GIB:g} GiB"],
                    ]
                    if scan
                    else []
                ),
                [
                    "whole fingerprint against the package's `embed` alone, CPU time (median; range)",
                    f"{median(ratio):.2f} ({ratio[0]:.2f} to {ratio[-1]:.2f})",
                    "",
                ],
            ],
        ),
        f"The ratio is over {len(ratio)} chunks of up to 4,096 exchanges, both in the same process on one core; "
        "`embed` gets its texts sorted by length, which is its best case.",
        "### Reading and fingerprinting, by stage",
        shares(reading),
    ]
    if scan:
        parts += ["### Whole scan, by stage", shares(scan)]
    return "\n\n".join(parts)


def main() -> None:
    """Make the range, measure every part in a child, write the section."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--exchanges", type=int, default=300_000)
    parser.add_argument("--work", type=Path, default=Path("out/bench-throughput"))
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument("--without-scan", action="store_true", help="reading, fingerprinting and the peer only")
    parser.add_argument("--part", choices=PARTS, help=argparse.SUPPRESS)
    parser.add_argument("--log", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.part:
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
        print(msgspec.json.encode(PARTS[options.part](options.log, options.work)).decode())
        return
    data = find_data()
    work = options.work.resolve()
    config = RangeConfig(seed=1, exchanges=options.exchanges)
    made = make_range(config, PromptPool.load(data.prompts), work / "range", traces=data.traces)
    log = work / "range" / made.log
    reading, peer = in_child("reading", log, work), in_child("peer", log, work)
    scan = None if options.without_scan else in_child("scan", log, work)
    body = section(circumstances("python -m bench.throughput"), data.said, reading, peer, scan)
    write_section(SECTION, body, options.out)
    print(f"wrote the section {SECTION} of {options.out}")


if __name__ == "__main__":
    main()
