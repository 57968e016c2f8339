"""One class for each library of the race: build, save, open, search one query or many on one thread.

`points` lists the values of the search parameter that are tried, from fast to thorough. `one` answers one query, `many` a matrix of them by the
library's own call (None where it has none, or one that does not keep to one thread); both return row numbers.
"""
import json
import os
import shutil

import numpy as np

EF = [10, 12, 14, 17, 20, 24, 28, 34, 40, 50, 60, 72, 88, 104, 128, 160, 200, 256, 320, 448, 640]
PROBES = [1, 2, 4, 8, 12, 16, 24, 32, 48, 64, 96, 128]


def lists(rows):
    return int(2 * np.sqrt(rows))


class Library:
    def __init__(self, **parameters):
        self.parameters = parameters

    def points(self, k):
        return sorted({max(ef, k) for ef in EF})

    def set(self, point):
        self.point = point

    many = None


class Hnswlib(Library):
    package = "hnswlib"

    def make(self, dim, metric):
        import hnswlib
        self.index = hnswlib.Index("l2" if metric == "L2" else "ip", dim)

    def build(self, rows, metric, threads, folder):
        self.make(rows.shape[1], metric)
        self.index.init_index(len(rows), self.parameters["m"], self.parameters["efc"])
        self.index.add_items(rows, num_threads=threads)
        self.index.save_index(f"{folder}/index")

    def open(self, folder, dim, metric):
        self.make(dim, metric)
        self.index.load_index(f"{folder}/index")
        self.index.set_num_threads(1)

    def set(self, point):
        self.index.set_ef(point)

    def one(self, query, k):
        return self.index.knn_query(query, k, 1)[0][0]

    def many(self, queries, k):
        return self.index.knn_query(queries, k, 1)[0]


class Faiss(Library):
    package = "faiss-cpu"

    def build(self, rows, metric, threads, folder):
        import faiss
        faiss.omp_set_num_threads(threads)
        count, dim = rows.shape
        spec = self.parameters["spec"].format(lists=lists(count), parts=dim // 2)
        index = faiss.index_factory(dim, spec, faiss.METRIC_L2 if metric == "L2" else faiss.METRIC_INNER_PRODUCT)
        if "HNSW" in spec:
            index.hnsw.efConstruction = self.parameters["efc"]
        index.train(rows)
        index.add(rows)
        faiss.write_index(index, f"{folder}/index")

    def open(self, folder, dim, metric):
        import faiss
        faiss.omp_set_num_threads(1)
        self.index = faiss.read_index(f"{folder}/index")
        self.inner = faiss.downcast_index(self.index.base_index) if hasattr(self.index, "base_index") else self.index

    def set(self, point):
        self.inner.hnsw.efSearch = point

    def one(self, query, k):
        return self.index.search(query[None], k)[1][0]

    def many(self, queries, k):
        return self.index.search(queries, k)[1]


class FaissFlat(Faiss):
    # Many queries in a call share each read of the rows, which is other work than one.
    many = None

    def points(self, k):
        return [0]

    def set(self, point):
        pass


class FaissLists(Faiss):
    # A batch shares the search for lists among its queries; a single query can't, so batches aren't compared.
    many = None

    def points(self, k):
        if hasattr(self.index, "k_factor"):
            return [[probes, factor] for probes in PROBES for factor in ((2, 5, 12) if k < 100 else (1, 3))]
        return PROBES

    def open(self, folder, dim, metric):
        super().open(folder, dim, metric)
        if hasattr(self.inner, "qb"):
            self.inner.qb = self.parameters.get("query_bits", 4)

    def set(self, point):
        if isinstance(point, int):
            self.inner.nprobe = point
        else:
            self.inner.nprobe, self.index.k_factor = point


class FaissBinaryFlat(FaissFlat):
    def build(self, rows, metric, threads, folder):
        import faiss
        index = faiss.IndexBinaryFlat(8 * rows.shape[1])
        index.add(rows)
        faiss.write_index_binary(index, f"{folder}/index")

    def open(self, folder, dim, metric):
        import faiss
        faiss.omp_set_num_threads(1)
        self.index = faiss.read_index_binary(f"{folder}/index")


class Usearch(Library):
    package = "usearch"

    def build(self, rows, metric, threads, folder):
        from usearch.index import Index
        index = Index(ndim=rows.shape[1], metric="l2sq" if metric == "L2" else "ip", dtype="f32", connectivity=self.parameters["m"],
                      expansion_add=self.parameters["efc"], enable_key_lookups=False)
        index.add(np.arange(len(rows), dtype=np.uint64), rows, threads=threads)
        index.save(f"{folder}/index")

    def open(self, folder, dim, metric):
        from usearch.index import Index
        self.index = Index.restore(f"{folder}/index")

    def set(self, point):
        self.index.expansion_search = point

    def one(self, query, k):
        return self.index.search(query, k, threads=1).keys

    def many(self, queries, k):
        return self.index.search(queries, k, threads=1).keys


class Svs(Library):
    package = "scalable-vs"

    def build(self, rows, metric, threads, folder):
        import svs
        degree, window = self.parameters["degree"], self.parameters["window"]
        parameters = svs.VamanaBuildParameters(alpha=1.2, graph_max_degree=degree, window_size=window, max_candidate_pool_size=3 * window, prune_to=degree - 4)
        index = svs.Vamana.build(parameters, rows, svs.DistanceType.L2, num_threads=threads)
        index.save(f"{folder}/config", f"{folder}/graph", f"{folder}/data")

    def open(self, folder, dim, metric):
        import svs
        data = svs.VectorDataLoader(f"{folder}/data", svs.DataType.float32, dims=dim)
        self.index = svs.Vamana(f"{folder}/config", svs.GraphLoader(f"{folder}/graph"), data, svs.DistanceType.L2, num_threads=1)

    def set(self, point):
        self.index.search_window_size = point

    def one(self, query, k):
        return self.index.search(query, k)[0][0]

    def many(self, queries, k):
        return self.index.search(queries, k)[0]


class Scann(Library):
    package = "scann"

    def build(self, rows, metric, threads, folder):
        import scann
        count = len(rows)
        builder = scann.scann_ops_pybind.builder(rows, 10, "squared_l2" if metric == "L2" else "dot_product")
        soar = dict(soar_lambda=1.5, overretrieve_factor=2.0) if metric != "L2" else {}
        builder = builder.tree(num_leaves=lists(count), num_leaves_to_search=10, training_sample_size=min(count, 100_000), **soar)
        builder = builder.score_ah(2, anisotropic_quantization_threshold=float("nan") if metric == "L2" else 0.2)
        builder.set_n_training_threads(threads)
        builder.reorder(100).build().serialize(folder)

    def open(self, folder, dim, metric):
        import scann
        self.index = scann.scann_ops_pybind.load_searcher(folder)

    def points(self, k):
        return [[leaves, reorder] for leaves in (2, 4, 8, 12, 18, 27, 40, 60, 90) for reorder in ((25, 40, 80) if k < 100 else (150, 250, 500))]

    def one(self, query, k):
        return self.index.search(query, k, self.point[1], self.point[0])[0]

    def many(self, queries, k):
        return self.index.search_batched(queries, k, self.point[1], self.point[0])[0]


class Vsag(Library):
    package = "pyvsag"

    def make(self, dim):
        import pyvsag
        inner = dict(base_quantization_type=self.parameters["codes"], max_degree=self.parameters["degree"], ef_construction=200,
                     build_thread_count=self.threads, use_reorder=True, precise_quantization_type="fp32")
        self.index = pyvsag.Index("hgraph", json.dumps(dict(dtype="float32", metric_type="l2", dim=int(dim), index_param=inner)))

    def build(self, rows, metric, threads, folder):
        self.threads = threads
        self.make(rows.shape[1])
        self.index.build(rows.ravel(), np.arange(len(rows), dtype=np.int64), len(rows), int(rows.shape[1]))
        self.index.save(f"{folder}/index")

    def open(self, folder, dim, metric):
        self.threads = 1
        self.make(dim)
        self.index.load(f"{folder}/index")

    def set(self, point):
        self.point = json.dumps(dict(hgraph=dict(ef_search=point)))

    def one(self, query, k):
        return row_numbers(self.index.knn_search(query, k, self.point))


class Zvec(Library):
    package = "zvec"

    def build(self, rows, metric, threads, folder):
        import zvec
        zvec.init(log_level=zvec.LogLevel.ERROR, query_threads=1, optimize_threads=threads)
        shape = zvec.HnswIndexParam(zvec.MetricType.L2 if metric == "L2" else zvec.MetricType.IP, m=self.parameters["m"], ef_construction=self.parameters["efc"])
        vectors = [zvec.VectorSchema("v", zvec.DataType.VECTOR_FP32, rows.shape[1], index_param=shape)]
        shutil.rmtree(f"{folder}/c", ignore_errors=True)
        collection = zvec.create_and_open(f"{folder}/c", zvec.CollectionSchema(name="c", fields=[], vectors=vectors))
        for start in range(0, len(rows), 1000):
            collection.insert([zvec.Doc(id=str(row), vectors={"v": rows[row].tolist()}) for row in range(start, min(start + 1000, len(rows)))])
        collection.optimize(zvec.OptimizeOption(concurrency=threads))
        collection.flush()
        collection.close()

    def open(self, folder, dim, metric):
        import zvec
        zvec.init(log_level=zvec.LogLevel.ERROR, query_threads=1, optimize_threads=1)
        self.zvec = zvec
        self.index = zvec.open(f"{folder}/c", zvec.CollectionOption(read_only=True))

    def set(self, point):
        self.point = self.zvec.HnswQueryParam(ef=point)

    def one(self, query, k):
        return self.index.query_internal_ids(self.zvec.Query("v", vector=query, param=self.point), topk=k)


class SymphonyQg(Library):
    package = "rabitqlib"

    def build(self, rows, metric, threads, folder):
        import rabitqlib
        index = rabitqlib.SymqgIndex(rows.shape[1], self.parameters["degree"], "l2")
        index.build(rows, 200, threads)
        index.save(f"{folder}/index")

    def open(self, folder, dim, metric):
        import rabitqlib
        self.index = rabitqlib.SymqgIndex.load(f"{folder}/index")

    def one(self, query, k):
        return row_numbers(self.index.search(query[None], k, self.point, 1))[0]

    def many(self, queries, k):
        return row_numbers(self.index.search(queries, k, self.point, 1))


def row_numbers(answer):
    """Of an answer of two arrays the one that holds whole numbers."""
    return answer[0] if answer[0].dtype.kind in "ui" else answer[1]


GRAPHS = {
    "hnswlib": (Hnswlib, dict(m=16, efc=200)),
    "faiss-hnsw": (Faiss, dict(spec="HNSW16,Flat", efc=200)),
    "usearch": (Usearch, dict(m=16, efc=200)),
    "svs-vamana": (Svs, dict(degree=32, window=200)),
    "vsag-sq8": (Vsag, dict(degree=32, codes="sq8")),
    "zvec-hnsw": (Zvec, dict(m=16, efc=200)),
    "symphonyqg": (SymphonyQg, dict(degree=32)),
}
LISTS = {
    "faiss-ivf-flat": (FaissLists, dict(spec="IVF{lists},Flat")),
    "faiss-ivf-sq8": (FaissLists, dict(spec="IVF{lists},SQ8,RFlat")),
    "faiss-ivf-pq-fastscan": (FaissLists, dict(spec="IVF{lists},PQ{parts}x4fs,RFlat")),
    "faiss-ivf-rabitq": (FaissLists, dict(spec="IVF{lists},RaBitQ,RFlat")),
    "scann": (Scann, dict()),
}
FLAT = {"faiss-flat": (FaissFlat, dict(spec="Flat"))}
BINARY = {"faiss-binary-flat": (FaissBinaryFlat, dict())}
ALL = GRAPHS | LISTS | FLAT | BINARY


def disk_bytes(folder):
    return sum(os.path.getsize(os.path.join(where, file)) for where, _, files in os.walk(folder) for file in files)
