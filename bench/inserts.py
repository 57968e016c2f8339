"""hnswlib, one row a call on one thread, as `cargo bench -p index --bench table -- SET grow` does it with ours.

    python bench/inserts.py ROWS.npy QUERIES.npy TRUTH.npy
"""
import sys
import time

import hnswlib
import numpy as np

K, EFS = 10, [10, 20, 40, 80, 160, 320]


def main(rows, queries, truth):
    rows, queries, truth = (np.ascontiguousarray(np.load(path)) for path in (rows, queries, truth))
    index = hnswlib.Index("l2", rows.shape[1])
    index.init_index(len(rows), M=16, ef_construction=200, random_seed=1)
    started = time.thread_time()
    for number in range(len(rows)):
        index.add_items(rows[number : number + 1], [number], num_threads=1)
    seconds = time.thread_time() - started
    print(f"hnswlib {getattr(hnswlib, '__version__', '')}: {seconds * 1e6 / len(rows):.0f} us a row one by one, {seconds:.1f} s of one core in all")
    index.set_num_threads(1)
    for ef in EFS:
        index.set_ef(ef)
        best, found = np.inf, 0
        for _ in range(3):
            started = time.perf_counter()
            answers = [index.knn_query(query, K)[0][0] for query in queries]
            best = min(best, time.perf_counter() - started)
        found = sum(len(set(a.tolist()) & set(t[:K].tolist())) for a, t in zip(answers, truth))
        print(f"  ef {ef:4} recall {found / len(queries) / K:.4f} {len(queries) / best:8.0f} queries/s")


if __name__ == "__main__":
    main(*sys.argv[1:4])
