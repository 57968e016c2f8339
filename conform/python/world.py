"""What every check needs: the server, the demo rows, the true neighbours, and this client's version.

The vectors are the demo slice of the repository, so a search has a right answer that numpy can compute.
"""

import json
import pathlib
import time

import numpy as np
import pymilvus
from pymilvus import Collection, CollectionSchema, DataType, FieldSchema, connections, utility

from report import Absent

DIM = 384
SHORT = 16  # leading dimensions kept where a check is about something else than vectors
EXACT = {"nprobe": 16}  # every list of the index that `index` makes
DEMO = pathlib.Path(__file__).resolve().parents[2] / "demo"


class World:
    """`elanus` tells whether the server under test is ours; `data` is its data folder, or None when it is not at hand."""

    def __init__(self, host, port, data, elanus):
        self.host, self.port, self.elanus = host, port, elanus
        self.data = pathlib.Path(data) if data else None
        self.version = tuple(int(part) for part in pymilvus.__version__.split(".")[:3])
        self.vectors = np.load(DEMO / "rows.f16.npy").astype(np.float32)
        self.rows = read_rows(DEMO / "rows.jsonl")
        self.queries = np.load(DEMO / "queries.f16.npy").astype(np.float32)
        self.uri = f"http://{host}:{port}"

    def connect(self):
        connections.connect("default", host=self.host, port=str(self.port))

    def connect_to(self, database):
        """Opens and closes a connection into a database and asks it for something."""
        connections.connect("other", host=self.host, port=str(self.port), db_name=database)
        try:
            utility.list_collections(using="other")
        finally:
            connections.disconnect("other")

    def client(self, **options):
        """A MilvusClient, for versions that have one with the calls of today (2.4 on)."""
        from pymilvus import MilvusClient

        return MilvusClient(uri=self.uri, **options)

    def since(self, major, minor):
        return self.version[:2] >= (major, minor)

    def index_files(self):
        """Files under the data folder that hold an index; None when the folder is not at hand."""
        if self.data is None:
            return None
        return {path for path in self.data.rglob("*") if path.is_file() and (path.suffix == ".idx" or "index" in path.parts)}


def orm_database():
    """The module for databases, in clients that have it (2.2.9 on)."""
    try:
        from pymilvus import db
    except ImportError:
        raise Absent("no databases in this client") from None
    return db


def read_rows(path):
    with open(path, encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def fresh(name, fields, **options):
    """A new, empty, strongly consistent collection of that name."""
    if utility.has_collection(name):
        remove(name)
    schema = options.pop("schema", {})
    return Collection(name, CollectionSchema(fields, **schema), consistency_level="Strong", **options)


def remove(name):
    """Releases and drops: some clients drop the index first, which a loaded collection refuses."""
    if utility.has_collection(name):
        collection = Collection(name)
        collection.release()
        collection.drop()


def key(**options):
    return FieldSchema("id", DataType.INT64, is_primary=True, auto_id=options.pop("auto_id", False), **options)


def vector(dim=SHORT, name="vector"):
    return FieldSchema(name, DataType.FLOAT_VECTOR, dim=dim)


def papers(world, name, count=1200, **options):
    """A collection of demo papers with short vectors and scalar attributes, inserted, flushed and not indexed."""
    fields = [key(), FieldSchema("year", DataType.INT64), FieldSchema("authors", DataType.INT32), FieldSchema("has_doi", DataType.BOOL),
              FieldSchema("score", DataType.FLOAT), vector()]
    collection = fresh(name, fields, **options)
    if count:
        insert_papers(world, collection, 0, count)
        flush(collection)
    return collection


def insert_papers(world, collection, start, end, **options):
    rows = world.rows[start:end]
    return collection.insert([
        [row["id"] for row in rows], [row["year"] for row in rows], narrow(np.int32, [row["n_authors"] for row in rows]),
        [row["has_doi"] for row in rows], narrow(np.float32, [score(row) for row in rows]), short(world.vectors[start:end]).tolist(),
    ], **options)


def narrow(dtype, values):
    """Clients before 2.4 guess a column's type from its first value: a plain int is an INT64, a plain float a DOUBLE."""
    if tuple(int(part) for part in pymilvus.__version__.split(".")[:2]) < (2, 4):
        return list(np.array(values, dtype=dtype))
    return values


def score(row):
    """A float attribute that float32 holds exactly."""
    return row["id"] / 4


def short(vectors):
    return np.ascontiguousarray(vectors[..., :SHORT])


def flush(collection):
    """Clients up to 2.1 flush when asked for the row count; later ones have a call."""
    if hasattr(collection, "flush"):
        collection.flush()
    return collection.num_entities


def index(collection, field="vector", index_type="IVF_FLAT", metric="L2", params=None, **options):
    params = {"nlist": 16} if params is None else params
    return collection.create_index(field, {"index_type": index_type, "metric_type": metric, "params": params}, **options)


def indexed(world, name, count=1200, **options):
    """Papers behind an index whose search with EXACT is exact. (To clients before 2.2 FLAT means no index.)"""
    collection = papers(world, name, count, **options)
    index(collection)
    collection.load()
    return collection


def search(collection, vectors, limit=10, field="vector", metric="L2", params=None, **options):
    """`vectors` is a matrix, or a list of bytes for binary vectors."""
    queries = vectors if isinstance(vectors, list) else vectors.tolist()
    param = {"metric_type": metric, "params": EXACT if params is None else params, **options.pop("param", {})}
    return collection.search(queries, field, param, limit, **options)


def squared_distances(queries, vectors):
    """All pairs, in float64, by differences: no cancellation."""
    queries, vectors = queries.astype(np.float64), vectors.astype(np.float64)
    return np.stack([((vectors - query) ** 2).sum(axis=1) for query in queries])


def recall(hits, truth, limit, larger_is_nearer=False):
    """Share of the returned hits that are as near as the true k-th neighbour, and a check that each distance is the true one.

    `truth` is the matrix of true distances, query by row; ids are row numbers.
    """
    found = total = 0
    for query, hit in enumerate(hits):
        ids, distances = list(hit.ids), list(hit.distances)
        assert len(ids) == limit == len(set(ids)), f"query {query}: {len(ids)} hits ({len(set(ids))} distinct), not {limit}"
        true = truth[query][ids]
        assert np.allclose(true, distances, rtol=1e-3, atol=1e-3), f"query {query}: distances {distances[:3]}, truly {true[:3]}"
        ordered = sorted(distances, reverse=larger_is_nearer)
        assert distances == ordered, f"query {query}: not best first: {distances}"
        far = np.sort(truth[query])[-limit] if larger_is_nearer else np.sort(truth[query])[limit - 1]
        near = true >= far - 1e-5 if larger_is_nearer else true <= far + 1e-5
        found, total = found + int(near.sum()), total + limit
    return found / total


def wait_until(true, seconds=60.0, pause=0.2):
    """Polls; the last answer decides."""
    deadline = time.monotonic() + seconds
    while not true():
        if time.monotonic() > deadline:
            return False
        time.sleep(pause)
    return True


def equal(actual, wanted):
    assert actual == wanted, f"{actual!r}, not {wanted!r}"
