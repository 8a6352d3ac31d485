"""The packaged static embedding: as its own package computes it, and without a connection."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import wordllama

from revenuer.fingerprint.model import DIM, load

TEXTS = [
    "the quick brown fox jumps over the lazy dog",
    "prove that there are infinitely many prime numbers",
    "how do i reset the password of my account",
    "translate this sentence into german",
    "write a function that sorts a list of integers",
]


def test_word_vectors_add_up_to_the_packages_own_embedding() -> None:
    package = Path(wordllama.__file__).parent
    oracle = wordllama.WordLlama.load(cache_dir=package, disable_download=True, dim=256, trunc_dim=DIM)
    theirs = np.asarray(oracle.embed(TEXTS, norm=True))
    sums = np.array([load().word_vectors(text.split())[0].sum(axis=0) for text in TEXTS])
    ours = sums / np.linalg.norm(sums, axis=1, keepdims=True)
    assert (ours * theirs).sum(axis=1).min() > 0.95
    # And no text is nearer to another's embedding than to its own.
    assert (ours @ theirs.T).argmax(axis=1).tolist() == list(range(len(TEXTS)))


def test_a_word_without_pieces_weighs_nothing() -> None:
    vectors, pieces = load().word_vectors(["", "house", "antidisestablishmentarianism"])
    assert not vectors[0].any()
    assert pieces[0] == 0
    assert pieces[1] >= 1
    assert pieces[2] > pieces[1]


def test_no_words() -> None:
    vectors, pieces = load().word_vectors([])
    assert vectors.shape == (0, DIM)
    assert pieces.shape == (0,)


def test_fingerprinting_connects_to_nothing() -> None:
    program = """
    import sys

    def watch(event, arguments):
        if event in ("socket.connect", "socket.getaddrinfo", "socket.sendto", "urllib.Request"):
            sys.exit(f"{event} {arguments}")

    sys.addaudithook(watch)
    from revenuer.fingerprint.batch import Fingerprinter
    from revenuer.records import Exchange, Message

    table = Fingerprinter(1).fingerprint([Exchange(id="1", ts=0.0, account="a", messages=(Message("user", "hello"),))])
    print(table.num_rows)
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(program)], capture_output=True, text=True)
    assert (done.returncode, done.stdout.strip()) == (0, "1"), done.stderr
