"""BM25 by tantivy over the rows of arxiv-bm25-sparse, for the scale of what `cargo bench -p index --bench table -- sparse` says.

    python bench/sparse_peers.py DATA

DATA holds arxiv-bm25-sparse. Its rows are weights tf (k1 + 1) / (tf + K); how often a term occurs is worked out from
them, and each document is made again of its terms. tantivy keeps lengths in a byte, so that its order differs a little.
One thread, k = 10, queries made ready before; of each query the best of seven rounds counts.
"""
import gzip
import sys
import time

import numpy as np
import tantivy

K, ROUNDS = 10, 7


def load(folder, name):
    with gzip.open(f"{folder}/{name}.npy.gz") as file:
        return np.load(file)


def rows(folder, part):
    starts, terms, values = (load(folder, f"{part}_{what}") for what in ("indptr", "indices", "data"))
    for start, end in zip(starts[:-1], starts[1:]):
        yield terms[start:end], values[start:end].astype(np.float64)


def text(terms, weights):
    """A document with these weights: the least is that of a term that occurs once."""
    length = 2.2 / weights.min() - 1
    counts = np.rint(weights * length / (2.2 - weights)).astype(int).clip(1)
    return " ".join(" ".join([str(term)] * count) for term, count in zip(terms, counts))


def build(folder):
    builder = tantivy.SchemaBuilder()
    builder.add_integer_field("row", fast=True, stored=True)
    builder.add_text_field("text", tokenizer_name="whitespace", index_option="freq")
    schema = builder.build()
    index = tantivy.Index(schema)
    writer = index.writer(heap_size=200_000_000, num_threads=1)
    started = time.process_time()
    for row, (terms, weights) in enumerate(rows(folder, "base")):
        writer.add_document(tantivy.Document(row=row, text=text(terms, weights)))
    writer.commit()
    writer.wait_merging_threads()
    index.reload()
    print(f"built in {time.process_time() - started:.2f} s of processor time, documents made included")
    return index, schema


def main(data):
    folder = f"{data}/arxiv-bm25-sparse"
    index, schema = build(folder)
    searcher = index.searcher()
    should = tantivy.Occur.Should
    queries = [
        tantivy.Query.boolean_query(
            [(should, tantivy.Query.term_query(schema, "text", str(term), "freq")) for term in terms]
        )
        for terms, _ in rows(folder, "queries")
    ]
    best = [np.inf] * len(queries)
    for _ in range(ROUNDS):
        answers = []
        for q, query in enumerate(queries):
            started = time.perf_counter()
            found = searcher.search(query, K, count=False)
            best[q] = min(best[q], time.perf_counter() - started)
            answers.append(found)
    truth = np.load(f"{folder}/gt_ip.npy")[:, :K]
    shared = wanted = 0
    for found, true in zip(answers, truth):
        ids = {searcher.doc(address)["row"][0] for _, address in found.hits}
        true = {row for row in true.tolist() if row >= 0}
        shared, wanted = shared + len(ids & true), wanted + len(true)
    print(f"{tantivy.__version__.split(',')[0]}, {searcher.num_segments} segments: {np.mean(best) * 1e6:.1f} us a query, "
          f"{shared / wanted:.4f} of the true rows")


if __name__ == "__main__":
    main(sys.argv[1])
