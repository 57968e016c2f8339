#!/usr/bin/env python3
"""The race of filters: elanus against hnswlib, usearch, qdrant-edge and LanceDB, at every share of rows that match.

    venv/bin/python bench/filter_peers.py --data FOLDER --work WORK --headers DIR --elanus target/release/elanus

Masks on mnist-784 are random or go by the label of a row; those of arxiv-minilm-384 are its six filters. hnswlib and usearch search with a filter in C++
(bench/hnsw_filter.cpp, compiled here; DIR holds their header-only sources, hnswlib/ and include/usearch/), all queries in one call, one thread; qdrant-edge
and LanceDB filter by an indexed column, a query a call. Each tries values of its search parameter from fast to thorough until recall@10 is 0.95; that
point is then measured again in rounds. Ours has one value for all masks. Writes WORK/results/filters.md, which bench/peers.py puts on its page.
"""
import argparse
import gzip
import json
import os
import shutil
import statistics
import subprocess
import sys
import sysconfig
import time

import numpy as np

import libraries
import peers
import sets

HERE = os.path.dirname(os.path.abspath(__file__))
EF = (16, 32, 64, 128, 256, 512, 1024)
ENOUGH = 0.95
K = 10
QUERIES = 200
PATIENCE_S = 8.0


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--data", required=True)
    options.add_argument("--work", required=True)
    options.add_argument("--headers", required=True)
    options.add_argument("--elanus", default="target/release/elanus")
    options.add_argument("--ef", default="32", help="ours, for all masks")
    options.add_argument("--sets", default="mnist-784,arxiv-minilm-384")
    options.add_argument("--peers", default="hnswlib,usearch,qdrant-edge,lancedb")
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--alone", default="")
    options = options.parse_args()
    if "GLIBC_TUNABLES" not in os.environ:
        # hnswlib and usearch run in this process.
        os.execve(sys.executable, [sys.executable, *sys.argv], dict(peers.ENVIRONMENT, OMP_NUM_THREADS="1"))
    compile_filters(options)
    out = ["## Filters", "", f"Queries a second at the first setting with recall@10 of {ENOUGH} or more, one thread, {QUERIES} queries; in brackets the recall, where no setting tried "
           f"reached it the best. Ours is HNSW with M 16 and ef {options.ef} for all masks, no other parameter changed.", ""]
    for name in options.sets.split(","):
        out += race(options, name)
        with open(f"{options.work}/results/filters.md", "w", encoding="utf-8") as file:
            file.write("\n".join(out))


def compile_filters(options):
    target = f"{options.work}/hnsw_filter{sysconfig.get_config_var('EXT_SUFFIX')}"
    if not os.path.exists(target):
        import pybind11
        paths = [sysconfig.get_path("include"), pybind11.get_include(), options.headers, f"{options.headers}/include"]
        subprocess.run(["g++", "-O3", "-march=native", "-ffast-math", "-shared", "-fPIC", "-std=c++17", *[f"-I{path}" for path in paths], f"{HERE}/hnsw_filter.cpp", "-o", target], check=True)
    sys.path.insert(0, options.work)


def masks(options, name, count):
    """Names and masks, from most to fewest rows."""
    if name == "mnist-784":
        labels = sets.read(f"{options.data}/{name}/train_labels.npy")
        random = np.random.default_rng(7)
        for share in (0.5, 0.1, 0.01, 0.001, 0.0001):
            yield f"random {share:.2%}", random.random(count) < share
        yield "labels 0 to 4", labels < 5
        yield "label 3", labels == 3
        for share in (0.1, 0.01, 0.001):
            yield f"{share:.1%} of label 3", (labels == 3) & (random.random(count) < share)
    else:
        with gzip.open(f"{options.data}/{name}/base.jsonl.gz", "rt", encoding="utf-8") as lines:
            rows = [json.loads(line) for line in lines]
        with open(f"{options.data}/{name}/filters.json", encoding="utf-8") as file:
            filters = json.load(file)
        tests = {
            "year_eq_2019": lambda row: row["year"] == 2019,
            "archive_eq_cs": lambda row: row["archive"] == "cs",
            "year_lt_2000": lambda row: row["year"] < 2000,
            "cat_in_csIR_csDB": lambda row: row["primary_cat"] in ("cs.IR", "cs.DB"),
            "authors_ge_10_and_doi": lambda row: row["n_authors"] >= 10 and row["has_doi"],
            "rare_econ": lambda row: row["archive"] == "econ",
        }
        for key, one in filters.items():
            mask = np.array([tests[key](row) for row in rows])
            assert mask.sum() == one["matching"], key
            yield one["expr"], mask


def truth(rows, queries, mask, metric):
    among = np.flatnonzero(mask)
    near = rows[among]
    far = -(queries @ near.T) if metric != "L2" else (near.astype(np.float64) ** 2).sum(1) - 2 * (queries @ near.T)
    return among[np.argsort(far, axis=1, kind="stable")[:, :K]]


def recall(found, true):
    return float(np.mean([len(np.intersect1d(answer, right)) / len(right) for answer, right in zip(found, true)]))


class CompiledHnswlib:
    def __init__(self, options, name, rows, metric, marks):
        import hnsw_filter
        self.marks = marks
        self.index = hnsw_filter.Hnswlib(f"{options.work}/indexes/{name}+hnswlib/index", rows.shape[1], metric == "L2")

    def search(self, queries, ef, at):
        return self.index.search(queries, K, ef, self.marks[at])


class CompiledUsearch(CompiledHnswlib):
    def __init__(self, options, name, rows, metric, marks):
        import hnsw_filter
        self.marks = marks
        self.index = hnsw_filter.Usearch(rows, metric == "L2", 16, 200)


class QdrantEdge:
    def __init__(self, options, name, rows, metric, marks):
        import qdrant_edge as edge
        self.edge, folder = edge, f"{options.work}/qdrant-{name}"
        shutil.rmtree(folder, ignore_errors=True)
        os.makedirs(folder)
        config = edge.EdgeConfig(vectors=edge.EdgeVectorParams(rows.shape[1], edge.Distance.Euclid if metric == "L2" else edge.Distance.Dot),
                                 hnsw_config=edge.HnswIndexConfig(16, 200, 100, 2), optimizers=edge.EdgeOptimizersConfig(indexing_threshold=1000, default_segment_number=1))
        self.shard = edge.EdgeShard.create(folder, config)
        for at in range(len(marks)):
            self.shard.update(edge.UpdateOperation.create_field_index(f"m{at}", edge.PayloadSchemaType.Integer))
        for start in range(0, len(rows), 2000):
            points = [edge.Point(row, rows[row].tolist(), {f"m{at}": 1 for at in range(len(marks)) if marks[at][row]}) for row in range(start, min(start + 2000, len(rows)))]
            self.shard.update(edge.UpdateOperation.upsert_points(points))
        self.shard.optimize()

    def search(self, queries, ef, at):
        edge = self.edge
        only = edge.Filter(must=[edge.FieldCondition(f"m{at}", match=edge.MatchValue(1))])
        effort = edge.SearchParams(hnsw_ef=ef)
        return [[point.id for point in self.shard.search(edge.SearchRequest(edge.Query.Nearest(query.tolist()), K, filter=only, params=effort))] for query in queries]


class LanceDb:
    def __init__(self, options, name, rows, metric, marks):
        import lancedb
        import pyarrow
        folder = f"{options.work}/lance-{name}"
        shutil.rmtree(folder, ignore_errors=True)
        columns = {"row": pyarrow.array(np.arange(len(rows))), "vector": pyarrow.FixedSizeListArray.from_arrays(pyarrow.array(rows.ravel()), rows.shape[1])}
        columns |= {f"m{at}": pyarrow.array(mask.astype(np.int32)) for at, mask in enumerate(marks)}
        self.metric = "l2" if metric == "L2" else "dot"
        self.table = lancedb.connect(folder).create_table("t", pyarrow.table(columns))
        self.table.create_index(metric=self.metric, index_type="IVF_HNSW_SQ", num_partitions=1, m=16, ef_construction=200)
        for at in range(len(marks)):
            self.table.create_scalar_index(f"m{at}", index_type="BITMAP")

    def search(self, queries, ef, at):
        def one(query):
            asked = self.table.search(query).distance_type(self.metric).where(f"m{at} = 1", prefilter=True).limit(K).ef(ef).nprobes(1).refine_factor(2)
            return asked.select(["row"]).to_arrow()["row"].to_numpy()
        return [one(query) for query in queries]


KINDS = {"hnswlib": CompiledHnswlib, "usearch": CompiledUsearch, "qdrant-edge": QdrantEdge, "lancedb": LanceDb}


def ours(options, name, metric, files):
    command = [options.elanus, "bench", "--data", sets.path(options.work, name, "train"), "--queries", f"{options.work}/masks/{name}.queries.npy", "--metric", metric, "--cache",
               f"{options.work}/ours", "--keep", "--rounds", str(options.rounds), "--json", "-", "--index", f"HNSW M=16 efConstruction=200 ef={options.ef}"]
    for file in files:
        command += ["--mask", file]
    said = json.loads(subprocess.run(command, check=True, capture_output=True, text=True, env=peers.ENVIRONMENT).stdout)
    return [(run["points"][0]["recall"], run["points"][0]["queries_s"]) for run in said["indexes"][0]["runs"]]


def explore(peer, queries, at, true):
    """The first setting that finds enough, or the best: the setting, its recall, and how fast it was."""
    best = None
    for ef in EF:
        start = time.perf_counter()
        found = peer.search(queries, ef, at)
        spent = time.perf_counter() - start
        one = (ef, recall(found, true), len(queries) / spent)
        if best is None or one[1] > best[1]:
            best = one
        if one[1] >= ENOUGH or spent > PATIENCE_S:
            break
    return best


def race(options, name):
    sets.prepare(options.data, options.work, name)
    rows, queries, _, metric = sets.load(options.work, name)
    queries = np.ascontiguousarray(queries[:QUERIES])
    os.makedirs(f"{options.work}/masks", exist_ok=True)
    os.makedirs(f"{options.work}/results", exist_ok=True)
    np.save(f"{options.work}/masks/{name}.queries.npy", queries)
    names, marks = zip(*masks(options, name, len(rows)))
    files = [f"{options.work}/masks/{name}.{at}.npy" for at in range(len(marks))]
    for file, mask in zip(files, marks):
        np.save(file, mask)
    marks = [np.ascontiguousarray(mask, dtype=np.uint8) for mask in marks]
    true = [truth(rows, queries, mask, metric) for mask in marks]
    built = {}
    for peer in options.peers.split(","):
        start, cpu = time.perf_counter(), time.process_time()
        built[peer] = KINDS[peer](options, name, rows, metric, marks)
        print(f"{name} {peer} ready in {time.perf_counter() - start:.0f} s, {time.process_time() - cpu:.0f} CPU-s", flush=True)
    with peers.alone(options.alone):
        mine = ours(options, name, metric, files)
        best = {(peer, at): explore(built[peer], queries, at, true[at]) for peer in built for at in range(len(marks))}
    times = {key: [one[2]] for key, one in best.items()}
    with peers.alone(options.alone):
        for _ in range(options.rounds - 1):
            for (peer, at), (ef, _, rough) in best.items():
                if rough > QUERIES / PATIENCE_S:
                    start = time.perf_counter()
                    built[peer].search(queries, ef, at)
                    times[peer, at].append(QUERIES / (time.perf_counter() - start))
    return page(name, names, marks, mine, best, times, list(built))


def page(name, names, marks, mine, best, times, built):
    out = [f"### {name}", "", "| rows that match | Elanus | of unfiltered | " + " | ".join(built) + " | ahead of the best |", "| --- |" + " ---: |" * (len(built) + 3)]
    free = mine[0][1]
    out.append(f"| all | {mine[0][1]:,.0f} ({mine[0][0]:.3f}) | 1 |" + " |" * (len(built) + 1))
    for at, mask in enumerate(marks):
        found, rate = mine[at + 1]
        cells, rates = [], []
        for peer in built:
            median = statistics.median(times[peer, at])
            cells.append(f"{median:,.0f} ({best[peer, at][1]:.3f})")
            if best[peer, at][1] >= ENOUGH:
                rates.append(median)
        ahead = f"{rate / max(rates):.1f}x" if rates else "none reaches it"
        out.append(f"| {names[at]}: {mask.sum():,} | {rate:,.0f} ({found:.3f}) | {rate / free:.2f} | " + " | ".join(cells) + f" | {ahead} |")
    return out + [""]


if __name__ == "__main__":
    main()
