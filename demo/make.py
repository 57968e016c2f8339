"""Cuts the demo slice out of a folder of embedded arXiv titles.

The source folder holds four files, rows in the same order in each pair:
  base.f16.npy.gz     N x 384 float16, all-MiniLM-L6-v2 embeddings of the titles, normalised
  base.jsonl.gz       one JSON object a row (arxiv_id, title, primary_cat, archive, categories, created, year, ...)
  queries.f16.npy     held-out titles, embedded the same way
  queries.jsonl.gz

The slice is chosen by a fixed seed, so the same source gives the same bytes:
  python demo/make.py SOURCE [DEMO]
"""

import gzip
import json
import pathlib
import sys

import numpy as np

ROWS = 5_000
QUERIES = 200
SEED = 20261122
KEPT = ("arxiv_id", "title", "primary_cat", "archive", "categories", "created", "year", "n_authors", "has_doi")


def read_rows(path):
    with gzip.open(path, "rt", encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def choose(rows, count, seen, pick):
    """The numbers of `count` rows in random order of drawing, sorted; papers in `seen` are passed over and added to it."""
    chosen = []
    for number in pick.permutation(len(rows)).tolist():
        if rows[number]["arxiv_id"] not in seen:
            seen.add(rows[number]["arxiv_id"])
            chosen.append(number)
            if len(chosen) == count:
                break
    return sorted(chosen)


def write_slice(folder, name, vectors, rows, chosen):
    np.save(folder / f"{name}.f16.npy", np.ascontiguousarray(vectors[chosen], dtype="<f2"))
    with open(folder / f"{name}.jsonl", "w", encoding="utf-8", newline="\n") as file:
        for new_id, old_id in enumerate(chosen):
            row = {"id": new_id, **{key: rows[old_id][key] for key in KEPT}}
            file.write(json.dumps(row, ensure_ascii=False, separators=(",", ":")) + "\n")


def main():
    source = pathlib.Path(sys.argv[1])
    demo = pathlib.Path(sys.argv[2] if len(sys.argv) > 2 else pathlib.Path(__file__).parent)
    pick = np.random.default_rng(SEED)

    seen = set()  # a paper listed in two categories is in the source twice; here once, and never on both sides
    for name, vector_file, count in (("rows", "base.f16.npy.gz", ROWS), ("queries", "queries.f16.npy", QUERIES)):
        path = source / vector_file
        vectors = np.load(gzip.open(path) if path.suffix == ".gz" else path)
        rows = read_rows(source / (vector_file.split(".")[0] + ".jsonl.gz"))
        chosen = choose(rows, count, seen, pick)
        write_slice(demo, name, vectors, rows, chosen)


if __name__ == "__main__":
    main()
