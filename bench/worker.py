"""One library in a process of its own: builds an index and keeps it on disk, or opens it and answers, a JSON line for each line that asks.

    worker.py build WORK SET PEER THREADS
    worker.py serve WORK SET PEER

`serve` reads {"do": "recall" | "pass", "k": .., "points": [..]}: "memory" says how much the process has grown,
"recall" runs every point once and says what it finds, "pass" measures queries a second
of each point, one query a call and, where the library has such a call, all queries in one call, on one thread.
"""
import ctypes
import gc
import json
import os
import shutil
import sys
import time

import numpy as np
import psutil

import libraries
import sets


def memory_bytes():
    """What the process keeps in memory, after giving back what it does not need."""
    gc.collect()
    ctypes.CDLL("libc.so.6").malloc_trim(0)
    return psutil.Process().memory_info().rss


def folder_of(work, name, peer):
    return os.path.join(work, "indexes", f"{name}+{peer}")


def build(work, name, peer, threads):
    kind, parameters = libraries.ALL[peer]
    rows, _, _, metric = sets.load(work, name)
    folder = folder_of(work, name, peer)
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    library = kind(**parameters)
    cpu, wall = time.process_time(), time.perf_counter()
    library.build(rows, metric, threads, folder)
    said = dict(build_cpu_s=time.process_time() - cpu, build_s=time.perf_counter() - wall, threads=threads, disk_bytes=libraries.disk_bytes(folder))
    with open(f"{folder}.json", "w", encoding="ascii") as file:
        json.dump(said, file)


class Service:
    def __init__(self, work, name, peer):
        kind, parameters = libraries.ALL[peer]
        self.rows, self.queries, self.truth, self.metric = sets.load(work, name, mapped=True)
        before = memory_bytes()
        self.library = kind(**parameters)
        dim = self.rows.shape[1]
        self.library.open(folder_of(work, name, peer), dim, self.metric)
        self.before = before

    def limits(self, k):
        """How far the k-th true neighbour of each query is: a row as near as that is as good."""
        last = self.truth[:, k - 1]
        return np.array([self.distances(query, [row])[0] for query, row in zip(self.queries, last)])

    def distances(self, query, rows):
        near = self.rows[np.asarray(rows, dtype=np.int64)]
        if self.metric == "HAMMING":
            return np.bitwise_count(near ^ query).sum(axis=1)
        near = near.astype(np.float64)
        return ((near - query) ** 2).sum(axis=1) if self.metric == "L2" else -(near @ query.astype(np.float64))

    def found(self, answers, k, limits):
        hits = 0
        for answer, truth, query, limit in zip(answers, self.truth, self.queries, limits):
            answer = np.unique(np.asarray(answer)[:k].astype(np.int64))
            answer = answer[(answer >= 0) & (answer < len(self.rows))]
            is_true = np.isin(answer, truth[:k])
            others = answer[~is_true]
            hits += is_true.sum() + (self.distances(query, others) <= limit + 1e-9 * abs(limit)).sum()
        return float(min(hits / (k * len(self.queries)), 1.0))

    def memory(self, k, points):
        # Before anything else: rows that are looked at to judge answers are not the library's.
        self.library.set(self.library.points(k)[0])
        for query in self.queries:
            self.library.one(query, k)
        return dict(memory_bytes=memory_bytes() - self.before)

    def recall(self, k, points):
        limits, said = self.limits(k), []
        points = points or self.library.points(k)
        for point in points:
            self.library.set(point)
            # Of the processor: nobody else's work counts, so this can be done at any time.
            start = time.process_time()
            answers = [self.library.one(query, k) for query in self.queries]
            spent = time.process_time() - start
            said.append(dict(point=point, recall=self.found(answers, k, limits), rough=len(self.queries) / spent))
            # What lies beyond is not asked about.
            if len(said) > 1 and said[-1]["recall"] > 0.994 and (point == points[-1] or not isinstance(point, list) or said[-1]["rough"] < 0.3 * max(one["rough"] for one in said if one["recall"] > 0.99)):
                break
        return dict(points=said)

    def timed(self, k, points):
        said = []
        for point in points:
            self.library.set(point)
            one, many = self.library.one, self.library.many
            [one(query, k) for query in self.queries[:50]]
            start = time.perf_counter()
            for query in self.queries:
                one(query, k)
            each = len(self.queries) / (time.perf_counter() - start)
            together = None
            if many:
                start = time.perf_counter()
                many(self.queries, k)
                together = len(self.queries) / (time.perf_counter() - start)
            said.append(dict(point=point, each=each, together=together))
        return dict(points=said)


def serve(work, name, peer):
    # Libraries talk on standard output, so answers get a place of their own.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    service = Service(work, name, peer)
    for line in sys.stdin:
        asked = json.loads(line)
        do = {"memory": service.memory, "recall": service.recall, "pass": service.timed}[asked["do"]]
        print(json.dumps(do(asked["k"], asked["points"])), file=answers, flush=True)


if __name__ == "__main__":
    if sys.argv[1] == "build":
        build(*sys.argv[2:5], int(sys.argv[5]))
    else:
        serve(*sys.argv[2:5])
