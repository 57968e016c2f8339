"""The sets of the races: real vectors from a folder, unpacked once to plain float32 .npy files with their true neighbours.

The folder holds mnist-784, sift-imagenet-128, arxiv-minilm-384 and chem-morgan2048, each with its base, queries and true neighbours as .npy or .npy.gz.
"""
import gzip
import os

import numpy as np

# name: base, queries, true neighbours, metric
SETS = {
    "mnist-784": ("train.npy.gz", "test.npy.gz", "gt_l2_1000.npy", "L2"),
    "sift-imagenet-128": ("base.u8.npy.gz", "queries.u8.npy", "gt_l2.npy", "L2"),
    "arxiv-minilm-384": ("base.f16.npy.gz", "queries.f16.npy", "gt_cosine.npy", "COSINE"),
}
BINARY = {"chem-morgan2048": ("base.npy.gz", "queries.npy", "gt_hamming.npy", "HAMMING")}
QUERIES = 1000


def read(path):
    return np.load(gzip.open(path)) if path.endswith(".gz") else np.load(path)


def prepare(data, work, name):
    """Writes NAME.train.npy, NAME.test.npy and NAME.truth.npy into `work` unless they are there."""
    base, queries, truth, metric = (SETS | BINARY)[name]
    os.makedirs(work, exist_ok=True)
    if all(os.path.exists(path(work, name, part)) for part in ("train", "test", "truth")):
        return
    for part, file in (("train", base), ("test", queries)):
        rows = read(f"{data}/{name}/{file}")
        if metric != "HAMMING":
            rows = rows.reshape(len(rows), -1).astype(np.float32)
        if metric == "COSINE":
            # Nearly of length one as they are; exactly so, libraries may use whichever metric is their fastest.
            rows /= np.linalg.norm(rows, axis=1, keepdims=True)
        np.save(path(work, name, part), np.ascontiguousarray(rows[:QUERIES] if part == "test" else rows))
    np.save(path(work, name, "truth"), read(f"{data}/{name}/{truth}")[:QUERIES].astype(np.int32))


def path(work, name, part):
    return os.path.join(work, f"{name}.{part}.npy")


def load(work, name, mapped=False):
    """Rows, queries, true neighbours and metric of a prepared set."""
    parts = [np.load(path(work, name, part), mmap_mode="r" if mapped and part == "train" else None) for part in ("train", "test", "truth")]
    return (*parts, (SETS | BINARY)[name][3])
