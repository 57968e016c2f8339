#!/usr/bin/env python3
"""Filtered search end to end: recall and cost of real filters, against the same search without a filter.

    python bench/filters.py --server target/release/elanus --data FOLDER [--ef 64] [--rounds 3]

FOLDER holds arxiv-minilm-384: base.f16.npy.gz, base.jsonl.gz (attributes), queries.f16.npy, gt_cosine.npy, and filters.json, which names
expressions and the files of their true neighbours. Needs pymilvus 3 and numpy. One query a call, one client; the parameters
are the same for every filter. Recall is recall@10; CPU is the server's, from the process table.
"""
import argparse
import gzip
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time

import numpy as np
from pymilvus import DataType, MilvusClient

FIELDS = {"year": DataType.INT64, "n_authors": DataType.INT64, "has_doi": DataType.BOOL, "archive": DataType.VARCHAR, "primary_cat": DataType.VARCHAR}


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--server", default="target/release/elanus")
    options.add_argument("--data", required=True)
    options.add_argument("--ef", type=int, default=64)
    options.add_argument("--rounds", type=int, default=3)
    options = options.parse_args()
    folder = tempfile.mkdtemp(prefix="elanus-filters-")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = subprocess.Popen([options.server, "serve", "--data", folder, "--port", str(port)], stdout=subprocess.DEVNULL)
    try:
        client = connect(f"http://127.0.0.1:{port}")
        fill(client, options.data)
        measure(client, server.pid, options)
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(20)
        shutil.rmtree(folder, ignore_errors=True)


def connect(uri):
    for _ in range(100):
        try:
            return MilvusClient(uri)
        except Exception:  # not open yet
            time.sleep(0.05)
    raise SystemExit(f"no server at {uri}")


def fill(client, data):
    vectors = np.load(gzip.open(f"{data}/base.f16.npy.gz")).astype(np.float32)
    with gzip.open(f"{data}/base.jsonl.gz", "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    schema = client.create_schema(auto_id=False)
    schema.add_field("id", DataType.INT64, is_primary=True)
    schema.add_field("vector", DataType.FLOAT_VECTOR, dim=vectors.shape[1])
    for name, kind in FIELDS.items():
        schema.add_field(name, kind, **({"max_length": 64} if kind == DataType.VARCHAR else {}))
    client.create_collection("papers", schema=schema)
    for start in range(0, len(rows), 2000):
        batch = [{"id": row["id"], "vector": vectors[row["id"]], **{name: row[name] for name in FIELDS}} for row in rows[start:start + 2000]]
        client.insert("papers", batch)
    client.flush("papers")
    index = client.prepare_index_params()
    index.add_index("vector", index_type="HNSW", metric_type="COSINE", params={"M": 16, "efConstruction": 200})
    client.create_index("papers", index)
    client.load_collection("papers")
    print(f"{len(rows)} rows of {vectors.shape[1]}, HNSW, COSINE")


def measure(client, pid, options):
    queries = np.load(f"{options.data}/queries.f16.npy").astype(np.float32)
    with open(f"{options.data}/filters.json", encoding="utf-8") as file:
        filters = json.load(file)
    asked = [("no filter", "", "gt_cosine.npy", 1.0)]
    asked += [(name, one["expr"], one["file"], one["selectivity"]) for name, one in filters.items()]
    bare = None
    for name, expression, file, share in asked:
        truth = np.load(f"{options.data}/{file}")[:, :10]
        rates, costs, found = [], [], 0
        for _ in range(options.rounds):
            found, start, spent = 0, time.perf_counter(), cpu_s(pid)
            for query, near in zip(queries, truth):
                hits = client.search("papers", [query], limit=10, filter=expression, search_params={"params": {"ef": options.ef}})[0]
                assert len(hits) == 10, (name, len(hits))
                found += len({hit["id"] for hit in hits} & set(near.tolist()))
            rates.append(len(queries) / (time.perf_counter() - start))
            costs.append((cpu_s(pid) - spent) / len(queries) * 1e6)
        rate, cost = sorted(rates)[len(rates) // 2], sorted(costs)[len(costs) // 2]
        bare = bare or (rate, cost)
        print(f"{name:>24} {share:8.2%}  recall {found / (10 * len(queries)):.4f}  {rate:6.0f} a second ({rate / bare[0]:.2f} of unfiltered)"
              f"  server {cost:5.0f} CPU-us ({cost / bare[1]:.2f})")


def cpu_s(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii") as stat:
        fields = stat.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    main()
