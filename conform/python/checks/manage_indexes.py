"""The page "Manage Indexes" of the manual, step by step: build, check, search, drop, and what is left afterwards.

The parameters of the IVF_FLAT case are the page's own.
"""

import json

from pymilvus import utility

from refusal import code_of, refused
from world import DIM, equal, flush, fresh, key, recall, remove, search, squared_distances, vector, wait_until

ROWS = 3_000
QUERIES = 20
LIMIT = 10

IVF_FLAT = {"metric_type": "L2", "index_type": "IVF_FLAT", "params": {"nlist": 1024}}
HNSW = {"metric_type": "L2", "index_type": "HNSW", "params": {"M": 16, "efConstruction": 200}}
FLAT = {"metric_type": "L2", "index_type": "FLAT", "params": {}}


def ivf_flat(world, report):
    walk(world, report, IVF_FLAT, {"nprobe": 1024}, recall_min=1.0)


def hnsw(world, report):
    walk(world, report, HNSW, {"ef": 256}, recall_min=0.98)


def flat(world, report):
    if not world.since(2, 2):
        flat_means_none(world, report)
        return
    walk(world, report, FLAT, {}, recall_min=1.0)


def walk(world, report, params, search_params, recall_min):
    name = f"page_{params['index_type'].lower()}"
    files_before = world.index_files()
    collection = fill(world, name, ROWS)
    truth = squared_distances(world.queries[:QUERIES], world.vectors[:ROWS])
    with report.check("create_index returns status code 0"):
        status = collection.create_index(field_name="vector", index_params=params)
        equal(getattr(status, "code", 0), 0)
    with report.check("index() returns the parameters that were given"):
        given_back(collection.index().params, params)
        equal(collection.index().field_name, "vector")
        equal(collection.has_index(), True)
    with report.check("index_building_progress reaches total = indexed"):
        finish_building(name, ROWS)
    if world.elanus and files_before is not None and params is not FLAT:
        with report.check("the index is a file in the data folder"):
            assert wait_until(lambda: world.index_files() - files_before, 30), "no *.idx file and nothing under index/"
    collection.load()
    with report.check("search returns the true neighbours"):
        reached = recall(search(collection, world.queries[:QUERIES], LIMIT, params=search_params), truth, LIMIT)
        assert reached >= recall_min, f"recall {reached:.3f}, wanted {recall_min}"
    collection.release()
    with report.check("drop_index"):
        collection.drop_index()
    no_index(world, report, collection)
    if world.elanus:
        if files_before is not None:
            with report.check("the index files are gone from the data folder"):
                assert wait_until(lambda: not world.index_files() - files_before), sorted(world.index_files() - files_before)[:5]
        with report.check("search after a reload without an index scans"):
            collection.load()
            equal(recall(search(collection, world.queries[:QUERIES], LIMIT), truth, LIMIT), 1.0)
            collection.release()
    else:
        with report.check("load without an index is refused"):
            refused(collection.load)
    remove(name)


def flat_means_none(world, report):
    """Clients before 2.2 never ask for FLAT: they drop the index that is there and leave it at that."""
    collection = fill(world, "page_flat", ROWS)
    with report.check("create_index with FLAT takes the index away"):
        collection.create_index(field_name="vector", index_params=IVF_FLAT)
        collection.create_index(field_name="vector", index_params=FLAT)
        if world.elanus:  # a 2.3 server does not know the name this client drops
            equal(collection.has_index(), False)
    if world.elanus:
        truth = squared_distances(world.queries[:QUERIES], world.vectors[:ROWS])
        with report.check("search without an index returns the true neighbours"):
            collection.load()
            equal(recall(search(collection, world.queries[:QUERIES], LIMIT), truth, LIMIT), 1.0)
    remove("page_flat")


def small(world, report):
    """Below rootCoord.minSegmentSizeToEnableIndex no index is built; the client must still see an end."""
    collection = fill(world, "page_small", 500)
    truth = squared_distances(world.queries[:5], world.vectors[:500])
    with report.check("create_index on 500 rows ends and counts them all"):
        collection.create_index("vector", IVF_FLAT)
        finish_building("page_small", 500)
        given_back(collection.index().params, IVF_FLAT)
    collection.load()
    with report.check("search on 500 rows returns the true neighbours"):
        equal(recall(search(collection, world.queries[:5], 10, params={"nprobe": 1024}), truth, 10), 1.0)
    remove("page_small")


def fill(world, name, count):
    collection = fresh(name, [key(), vector(DIM)])
    for start in range(0, count, 1000):
        end = min(count, start + 1000)
        collection.insert([list(range(start, end)), world.vectors[start:end].tolist()])
    equal(flush(collection), count)
    return collection


def finish_building(name, count):
    def finished():
        progress = utility.index_building_progress(name)
        assert 0 <= progress["indexed_rows"] <= progress["total_rows"], progress
        return progress["total_rows"] == count == progress["indexed_rows"]

    assert wait_until(finished, 120), utility.index_building_progress(name)
    utility.wait_for_index_building_complete(name)


def given_back(actual, given):
    """Early clients keep `params` as the JSON text it travels as."""
    actual = dict(actual)
    if isinstance(actual.get("params"), str):
        actual["params"] = json.loads(actual["params"])
    actual.setdefault("params", {})
    equal({name: actual.get(name) for name in given}, given)


def no_index(world, report, collection):
    with report.check("after the drop there is no index: has_index, indexes, index()"):
        equal(collection.has_index(), False)
        equal(list(collection.indexes), [])
        error = refused(collection.index)
        equal(type(error).__name__, "IndexNotExistException")
    with report.check("after the drop the building progress is refused: index not found"):
        error = refused(lambda: utility.index_building_progress(collection.name))
        if world.since(2, 3):
            equal(code_of(error), 700)
        elif world.elanus or not world.since(2, 1):
            equal(code_of(error), 25)
    if world.since(2, 4):
        with report.check("after the drop MilvusClient lists [] and describes None"):
            client = world.client()
            equal(client.list_indexes(collection.name), [])
            equal(client.describe_index(collection.name, "vector"), None)
            client.close()
