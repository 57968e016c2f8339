#!/usr/bin/env python3
"""The race of filters: elanus against hnswlib, usearch, qdrant-edge and LanceDB, at every share of rows that match.

    venv/bin/python bench/filter_peers.py build --data FOLDER --work WORK --headers DIR
    venv/bin/python bench/filter_peers.py explore --data FOLDER --work WORK --elanus target/release/elanus
    venv/bin/python bench/filter_peers.py race --data FOLDER --work WORK --elanus target/release/elanus
    venv/bin/python bench/filter_peers.py page --work WORK > filters.md

Masks on mnist-784 are random or go by the label of a row; those of arxiv-minilm-384 are its six filters. hnswlib and usearch search with a filter in C++
(bench/hnsw_filter.cpp, compiled by `build`; DIR holds their header-only sources, hnswlib/ and include/usearch/, as their packages of source hold them), all
queries in one call; qdrant-edge and LanceDB filter by an indexed column, a query a call. `explore` tries values of each library's search parameter from
fast to thorough until recall@10 is 0.95; `race` measures that one again, all in turn, in rounds, on one core. Ours has one value for all masks. bench/peers.py puts
what `page` writes at the end of its own page.
"""
import argparse
import gzip
import json
import os
import shutil
import subprocess
import sys
import sysconfig
import time
from importlib import metadata

import numpy as np

import page
import peers
import sets

HERE = os.path.dirname(os.path.abspath(__file__))
EF = (16, 32, 64, 128, 256, 512, 1024)
ENOUGH = 0.95
K = 10
QUERIES = 200
PATIENCE_S = 4.0
# A library that is slower than so many queries a second is measured with fewer queries.
ROUND_S = 0.7
LINKS, EFFORT = 16, 200


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("step", choices=("build", "explore", "race", "page"))
    options.add_argument("--data")
    options.add_argument("--work", required=True)
    options.add_argument("--headers")
    options.add_argument("--elanus", default="target/release/elanus")
    options.add_argument("--ef", default="32", help="ours, for all masks")
    options.add_argument("--sets", default="mnist-784")
    options.add_argument("--peers", default=",".join(KINDS))
    options.add_argument("--rounds", type=int, default=3)
    options = options.parse_args()
    if options.step == "page":
        print("\n".join(page.filters(options.work)))
        return
    if "GLIBC_TUNABLES" not in os.environ:
        # hnswlib and usearch run in this process.
        os.execve(sys.executable, [sys.executable, *sys.argv], dict(peers.ENVIRONMENT, OMP_NUM_THREADS="1"))
    if options.step == "build":
        compile_filters(options)
    else:
        # One core for all of them, whatever threads they have.
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    sys.path.insert(0, options.work)
    os.makedirs(f"{options.work}/masks", exist_ok=True)
    os.makedirs(f"{options.work}/results", exist_ok=True)
    for name in options.sets.split(","):
        {"build": build, "explore": explore, "race": race}[options.step](options, name)


def compile_filters(options):
    target = f"{options.work}/hnsw_filter{sysconfig.get_config_var('EXT_SUFFIX')}"
    import pybind11
    paths = [sysconfig.get_path("include"), pybind11.get_include(), options.headers, f"{options.headers}/include"]
    subprocess.run(["g++", "-O3", "-march=native", "-ffast-math", "-shared", "-fPIC", "-std=c++17", *[f"-I{path}" for path in paths], f"{HERE}/hnsw_filter.cpp", "-o", target], check=True)


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
    """hnswlib, and usearch, by the functions of bench/hnsw_filter.cpp."""

    def __init__(self, folder, marks, dim, metric):
        import hnsw_filter
        self.marks, self.index = marks, getattr(hnsw_filter, self.kind)(f"{folder}/index", dim, metric == "L2")

    kind = "Hnswlib"

    @staticmethod
    def build(folder, marks, rows, metric):
        import hnswlib
        index = hnswlib.Index("l2" if metric == "L2" else "ip", rows.shape[1])
        index.init_index(len(rows), LINKS, EFFORT)
        index.add_items(rows)
        index.save_index(f"{folder}/index")

    def search(self, queries, ef, at):
        return self.index.search(queries, K, ef, self.marks[at])


class CompiledUsearch(CompiledHnswlib):
    kind = "Usearch"

    @staticmethod
    def build(folder, marks, rows, metric):
        import hnsw_filter
        hnsw_filter.Usearch.build(f"{folder}/index", rows, metric == "L2", LINKS, EFFORT)


class QdrantEdge:
    @staticmethod
    def build(folder, marks, rows, metric):
        import qdrant_edge as edge
        config = edge.EdgeConfig(vectors=edge.EdgeVectorParams(rows.shape[1], edge.Distance.Euclid if metric == "L2" else edge.Distance.Dot),
                                 hnsw_config=edge.HnswIndexConfig(LINKS, EFFORT, 100, 2), optimizers=edge.EdgeOptimizersConfig(indexing_threshold=1000, default_segment_number=1))
        shard = edge.EdgeShard.create(folder, config)
        for at in range(len(marks)):
            shard.update(edge.UpdateOperation.create_field_index(f"m{at}", edge.PayloadSchemaType.Integer))
        for start in range(0, len(rows), 2000):
            points = [edge.Point(row, rows[row].tolist(), {f"m{at}": 1 for at in range(len(marks)) if marks[at][row]}) for row in range(start, min(start + 2000, len(rows)))]
            shard.update(edge.UpdateOperation.upsert_points(points))
        while shard.optimize():
            pass
        shard.flush()
        shard.close()

    def __init__(self, folder, marks, dim, metric):
        import qdrant_edge as edge
        self.edge, self.shard = edge, edge.EdgeShard.load(folder)

    def search(self, queries, ef, at):
        edge = self.edge
        only = edge.Filter(must=[edge.FieldCondition(f"m{at}", match=edge.MatchValue(1))])
        effort = edge.SearchParams(hnsw_ef=ef)
        return [[point.id for point in self.shard.search(edge.SearchRequest(edge.Query.Nearest(query.tolist()), K, filter=only, params=effort))] for query in queries]


class LanceDb:
    @staticmethod
    def build(folder, marks, rows, metric):
        import lancedb
        import pyarrow
        columns = {"row": pyarrow.array(np.arange(len(rows))), "vector": pyarrow.FixedSizeListArray.from_arrays(pyarrow.array(rows.ravel()), rows.shape[1])}
        columns |= {f"m{at}": pyarrow.array(mask.astype(np.int32)) for at, mask in enumerate(marks)}
        table = lancedb.connect(folder).create_table("t", pyarrow.table(columns))
        table.create_index(metric="l2" if metric == "L2" else "dot", index_type="IVF_HNSW_SQ", num_partitions=1, m=LINKS, ef_construction=EFFORT)
        for at in range(len(marks)):
            table.create_scalar_index(f"m{at}", index_type="BITMAP")

    def __init__(self, folder, marks, dim, metric):
        import lancedb
        self.metric, self.table = "l2" if metric == "L2" else "dot", lancedb.connect(folder).open_table("t")

    def search(self, queries, ef, at):
        def one(query):
            asked = self.table.search(query).distance_type(self.metric).where(f"m{at} = 1", prefilter=True).limit(K).ef(max(ef, 2 * K)).nprobes(1).refine_factor(2)
            return asked.select(["row"]).to_arrow()["row"].to_numpy()
        return [one(query) for query in queries]


KINDS = {"hnswlib": CompiledHnswlib, "usearch": CompiledUsearch, "qdrant-edge": QdrantEdge, "lancedb": LanceDb}
PACKAGES = {"qdrant-edge": "qdrant-edge-py"}


class Set:
    """The rows, queries and masks of one set, and the true neighbours under each mask."""

    def __init__(self, options, name):
        sets.prepare(options.data, options.work, name)
        self.name = name
        self.rows, queries, _, self.metric = sets.load(options.work, name)
        self.queries = np.ascontiguousarray(queries[:QUERIES])
        np.save(f"{options.work}/masks/{name}.queries.npy", self.queries)
        self.names, marks = zip(*masks(options, name, len(self.rows)))
        self.files = [f"{options.work}/masks/{name}.{at}.npy" for at in range(len(marks))]
        for file, mask in zip(self.files, marks):
            np.save(file, mask)
        self.true = [truth(self.rows, self.queries, mask, self.metric) for mask in marks]
        self.marks = [np.ascontiguousarray(mask, dtype=np.uint8) for mask in marks]


def folder(options, name, peer):
    return f"{options.work}/filters/{name}+{peer}"


def opened(options, one):
    return {peer: KINDS[peer](folder(options, one.name, peer), one.marks, one.rows.shape[1], one.metric) for peer in options.peers.split(",")}


def build(options, name):
    one = Set(options, name)
    for peer in options.peers.split(","):
        where = folder(options, name, peer)
        shutil.rmtree(where, ignore_errors=True)
        os.makedirs(where)
        start, cpu = time.perf_counter(), time.process_time()
        KINDS[peer].build(where, one.marks, one.rows, one.metric)
        print(f"{name} {peer}: {time.perf_counter() - start:.0f} s, {time.process_time() - cpu:.0f} CPU-s", flush=True)
    # Ours is built by the first search and kept.
    ours(options, one, 1)


def ours(options, one, rounds):
    """Recall and queries a second: among all rows, then under each mask."""
    command = [options.elanus, "bench", "--data", sets.path(options.work, one.name, "train"), "--queries", f"{options.work}/masks/{one.name}.queries.npy", "--metric", one.metric, "--cache",
               f"{options.work}/ours", "--keep", "--rounds", str(rounds), "--json", "-", "--index", f"HNSW M={LINKS} efConstruction={EFFORT} ef={options.ef}"]
    for file in one.files:
        command += ["--mask", file]
    said = json.loads(subprocess.run(command, check=True, capture_output=True, text=True, env=peers.ENVIRONMENT).stdout)
    return [(run["points"][0]["recall"], run["points"][0]["queries_s"]) for run in said["indexes"][0]["runs"]]


def first_enough(peer, one, at):
    """The first setting that finds enough, or the best: the setting, its recall, and how fast it was."""
    best = None
    for ef in EF:
        start = time.perf_counter()
        found = peer.search(one.queries, ef, at)
        spent = time.perf_counter() - start
        tried = dict(ef=ef, recall=recall(found, one.true[at]), rough=len(one.queries) / spent)
        if best is None or tried["recall"] > best["recall"]:
            best = tried
        if tried["recall"] >= ENOUGH or spent > PATIENCE_S:
            break
    return best


def explored(options, name, peer):
    return f"{options.work}/filters/{name}+{peer}.json"


def explore(options, name):
    one = Set(options, name)
    for peer, index in opened(options, one).items():
        settings = [first_enough(index, one, at) for at in range(len(one.marks))]
        with open(explored(options, name, peer), "w", encoding="utf-8") as file:
            json.dump(settings, file)
        print(name, peer, " ".join(f"{one.names[at]}: ef {tried['ef']}, {tried['recall']:.3f}, {tried['rough']:.0f}/s;" for at, tried in enumerate(settings)), flush=True)


def race(options, name):
    one = Set(options, name)
    built, settings = opened(options, one), {}
    for peer in built:
        with open(explored(options, name, peer), encoding="utf-8") as file:
            settings[peer] = json.load(file)
    times, mine = {(peer, at): [] for peer in built for at in range(len(one.marks))}, []
    for _ in range(options.rounds):
        mine.append(ours(options, one, 1))
        for (peer, at), spent in times.items():
            tried = settings[peer][at]
            count = max(5, min(QUERIES, int(ROUND_S * tried["rough"])))
            start = time.perf_counter()
            built[peer].search(one.queries[:count], tried["ef"], at)
            spent.append(count / (time.perf_counter() - start))
    said = dict(set=name, rounds=options.rounds, when=time.strftime("%Y-%m-%d %H:%M"), ef=options.ef, queries=QUERIES, enough=ENOUGH,
                versions={peer: metadata.version(PACKAGES.get(peer, peer)) for peer in built}, masks=[dict(name=name, rows=int(mask.sum())) for name, mask in zip(one.names, one.marks)],
                ours=[[dict(recall=run[at][0], rate=run[at][1]) for run in mine] for at in range(len(one.marks) + 1)],
                peers={peer: [dict(settings[peer][at], rates=times[peer, at]) for at in range(len(one.marks))] for peer in built})
    with open(f"{options.work}/results/filters-{name}.json", "w", encoding="utf-8") as file:
        json.dump(said, file)


if __name__ == "__main__":
    main()
