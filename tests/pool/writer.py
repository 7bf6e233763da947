"""A process that resumes a run and is killed: appends what the pool lacks of COUNT rows, tells each once acknowledged.

Usage: python -m tests.pool.writer POOL COUNT BENCHMARK
"""

from __future__ import annotations

import sys

from steelyard.pool import Pool, pool
from tests.pool.making import row


def main(place: str, count: int, benchmark: str) -> None:
    pool.SEAL_BYTES = 4000  # so that kills land in sealing as often as in appending
    with Pool(place) as store:
        done = {key.case for key in store.done(benchmark)}
        print("open", flush=True)
        for number in range(count):
            cell = [row(number, benchmark=benchmark, metric=metric) for metric in ("correct", "time")]
            if cell[0].case not in done:
                store.append(cell)
                print(number, flush=True)
    print("end", flush=True)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), sys.argv[3])
