"""Search and query: the right rows, in the right order, with the options each client can send."""

import numpy as np
from pymilvus import DataType, FieldSchema

from refusal import refused
from report import Absent
from world import (SHORT, equal, flush, fresh, index, indexed, insert_papers, key, papers, recall, remove, score, search, short,
                   squared_distances)

COUNT = 1200


def query(world, report):
    collection = indexed(world, "find_query", COUNT)
    rows = world.rows[:COUNT]

    def ids(expression, **options):
        return sorted(row["id"] for row in collection.query(expression, output_fields=["id"], **options))

    with report.check("filters answer what Python answers"):
        for expression, true in [
            ("id in [5, 900, 5000]", lambda r: r["id"] in (5, 900, 5000)),
            ("year == 2019", lambda r: r["year"] == 2019),
            ("year >= 1995 && year < 2001", lambda r: 1995 <= r["year"] < 2001),
            ("1995 <= year < 2001", lambda r: 1995 <= r["year"] < 2001),
            ("not (authors > 1) and has_doi == true", lambda r: not r["n_authors"] > 1 and r["has_doi"]),
            ("authors in [7, 8] or score < 3.5", lambda r: r["n_authors"] in (7, 8) or score(r) < 3.5),
            ("year not in [2018, 2019]", lambda r: r["year"] not in (2018, 2019)),
            ("score >= 10.25 and score <= 20", lambda r: 10.25 <= score(r) <= 20),
        ]:
            if "not in [2018" in expression and not (world.elanus or world.since(2, 3)):
                continue
            wanted = [row["id"] for row in rows if true(row)]
            got = ids(expression)
            assert got == wanted, f"{expression}: {len(got)} rows, not {len(wanted)}"
    with report.check("arithmetic in a filter"):
        equal(ids("id % 100 == 7"), [row["id"] for row in rows if row["id"] % 100 == 7])
        equal(ids("year + 1 == 2000"), [row["id"] for row in rows if row["year"] + 1 == 2000])
    if world.since(2, 2):
        with report.check("limit and offset page through by key"):
            pages = [[row["id"] for row in collection.query("id >= 0", output_fields=["id"], limit=30, offset=at)] for at in (0, 30, 60)]
            equal([len(page) for page in pages], [30, 30, 30])
            equal(len({number for page in pages for number in page}), 90)
        with report.check("limit with a filter that matches fewer rows"):
            equal(len(collection.query("id < 7", output_fields=["id"], limit=10)), 7)
            equal(collection.query("id < 7", output_fields=["id"], limit=10, offset=7), [])
    if world.since(2, 3):
        with report.check("count(*)"):
            equal(collection.query("", output_fields=["count(*)"])[0]["count(*)"], COUNT)
            equal(collection.query("year == 2019", output_fields=["count(*)"])[0]["count(*)"], sum(row["year"] == 2019 for row in rows))
    if world.since(2, 3):
        with report.check('output_fields ["*"] returns every field'):
            row = collection.query("id == 3", output_fields=["*"])[0]
            equal(set(row), {"id", "year", "authors", "has_doi", "score", "vector"})
    with report.check("no match is an empty list"):
        equal(collection.query("year == 1066", output_fields=["id"]), [])
    if hasattr(collection, "query_iterator"):
        with report.check("query_iterator walks over everything once"):
            walk, seen = collection.query_iterator(batch_size=100, expr="year > 2000", output_fields=["id"]), []
            while batch := walk.next():
                seen += [row["id"] for row in batch]
            walk.close()
            equal(sorted(seen), [row["id"] for row in rows if row["year"] > 2000])
    remove("find_query")


def basics(world, report):
    collection = indexed(world, "find_basics", COUNT)
    vectors, queries = short(world.vectors[:COUNT]), short(world.queries[:16])
    truth = squared_distances(queries, vectors)
    with report.check("16 queries at once, 25 hits each, all right"):
        equal(recall(search(collection, queries, 25), truth, 25), 1.0)
    with report.check("one query, one hit"):
        hits = search(collection, queries[:1], 1)
        equal((len(hits), len(hits[0]), hits[0].ids[0]), (1, 1, int(truth[0].argmin())))
    with report.check("more hits asked for than rows: all rows"):
        equal(len(search(collection, queries[:1], 5000)[0]), COUNT)
    with report.check("output fields come with the hits"):
        bools = ["has_doi"] if world.since(2, 1) else []  # the first client cannot read a bool
        for hit in search(collection, queries[:1], 10, output_fields=["year", "score", *bools])[0]:
            given = world.rows[hit.id]
            equal((hit.entity.get("year"), hit.entity.get("score")), (given["year"], score(given)))
            equal([hit.entity.get(name) for name in bools], [given[name] for name in bools])
    with report.check("a filter is exact at any selectivity"):
        for expression, true in [("year == 2019", lambda r: r["year"] == 2019), ("id in [17, 801]", lambda r: r["id"] in (17, 801)),
                                 ("authors > 6", lambda r: r["n_authors"] > 6)]:
            passing = np.array([true(row) for row in world.rows[:COUNT]])
            limit = min(10, int(passing.sum()))
            masked = np.where(passing[None, :], truth, np.inf)
            equal(recall(search(collection, queries, limit, expr=expression), masked, limit), 1.0)
    with report.check("a filter that nothing passes: no hits"):
        equal([len(hit) for hit in search(collection, queries[:2], 5, expr="year == 1066")], [0, 0])
    with report.check("round_decimal"):
        hits = search(collection, queries[:1], 5, round_decimal=2)[0]
        assert all(abs(distance * 100 - round(distance * 100)) < 1e-3 for distance in hits.distances), list(hits.distances)
    if world.since(2, 2):
        with report.check("offset skips the first hits"):
            whole = list(search(collection, queries[:1], 20)[0].ids)
            equal(list(search(collection, queries[:1], 10, param={"offset": 10})[0].ids), whole[10:])
    remove("find_basics")


def metrics(world, report):
    vectors, queries = short(world.vectors[:COUNT]), short(world.queries[:8])
    dots = queries.astype(np.float64) @ vectors.astype(np.float64).T
    norms = np.linalg.norm(queries.astype(np.float64), axis=1)[:, None] * np.linalg.norm(vectors.astype(np.float64), axis=1)[None, :]
    for metric, truth in [("IP", dots), ("COSINE", dots / norms)]:
        if metric == "COSINE" and not world.since(2, 3):
            continue
        collection = papers(world, f"find_{metric.lower()}", COUNT)
        index(collection, metric=metric)
        collection.load()
        with report.check(f"{metric}: larger is nearer"):
            equal(recall(search(collection, queries, 10, metric=metric), truth, 10, larger_is_nearer=True), 1.0)
        with report.check(f"{metric}: the wrong metric in a search is refused"):
            refused(lambda collection=collection: search(collection, queries, 10, metric="L2"))
        if world.since(2, 3):
            with report.check(f"{metric}: range search stays between the bounds"):
                low, high = float(np.sort(truth[0])[-40]), float(np.sort(truth[0])[-5])
                hits = search(collection, queries[:1], 100, metric=metric, params={"nprobe": 16, "radius": low, "range_filter": high})[0]
                wanted = set(np.flatnonzero((truth[0] > low + 1e-6) & (truth[0] <= high - 1e-6)).tolist())
                near_all = len(wanted & set(hits.ids)) >= 0.85 * len(wanted)  # a range search may stop after empty lists
                assert near_all, f"{len(wanted - set(hits.ids))} of {len(wanted)} missing"
                assert all(low - 1e-5 <= distance <= high + 1e-5 for distance in hits.distances), list(hits.distances)
        remove(f"find_{metric.lower()}")


def consistency(world, report):
    collection = indexed(world, "find_time", COUNT)

    def nearest(at, **options):
        return search(collection, short(world.vectors[at:at + 1]), 1, **options)[0].ids[0]

    with report.check("Strong: a row is found right after its insert"):
        for at in range(COUNT, COUNT + 10):
            insert_papers(world, collection, at, at + 1)
            equal(nearest(at), at)
    with report.check("guarantee_timestamp of an insert finds its rows"):
        result = insert_papers(world, collection, 1300, 1301)
        equal(nearest(1300, guarantee_timestamp=result.timestamp), 1300)
    if world.since(2, 2):
        with report.check("levels in the request: Strong, Session, Bounded, Eventually"):
            for at, level in enumerate(["Strong", "Session", "Bounded", "Eventually"], start=1400):
                insert_papers(world, collection, at, at + 1)
                if level in ("Strong", "Session"):
                    equal(nearest(at, consistency_level=level), at)
                else:
                    equal(nearest(3, consistency_level=level), 3)
                rows = collection.query("id == 3", output_fields=["id"], consistency_level=level)
                equal(rows, [{"id": 3}])
    remove("find_time")
    with report.check("collections of each level can be made and read back"):
        for level in ["Strong", "Session", "Bounded", "Eventually"]:
            made = papers_of_level(world, level)
            index(made)
            made.load()
            equal(len(search(made, short(world.queries[:1]), 3)), 1)
            remove("find_level")


def papers_of_level(world, level):
    from pymilvus import Collection, CollectionSchema

    remove("find_level")
    made = Collection("find_level", CollectionSchema([key(), FieldSchema("vector", DataType.FLOAT_VECTOR, dim=SHORT)]), consistency_level=level)
    made.insert([list(range(50)), short(world.vectors[:50]).tolist()])
    flush(made)
    return made


def time_travel(world, report):
    if world.since(2, 2):
        raise Absent("travel_timestamp went away after 2.1")
    collection = papers(world, "find_travel", 200)
    index(collection)
    collection.load()
    with report.check("travel_timestamp 0 is now"):
        equal(search(collection, short(world.vectors[7:8]), 1, travel_timestamp=0)[0].ids[0], 7)
    if world.elanus:
        with report.check("travel_timestamp of an insert sees it and nothing later"):
            first = insert_papers(world, collection, 200, 300)
            insert_papers(world, collection, 300, 400)
            collection.delete("id in [250]")
            past = {"travel_timestamp": first.timestamp}
            equal(search(collection, short(world.vectors[250:251]), 1, **past)[0].ids[0], 250)
            assert max(search(collection, short(world.vectors[350:351]), 20, **past)[0].ids) < 300
            equal(search(collection, short(world.vectors[350:351]), 1)[0].ids[0], 350)
    remove("find_travel")


def binary(world, report):
    """Sign bits of the demo vectors: 384 bits a row."""
    bits = np.packbits(world.vectors[:COUNT] > 0, axis=1)
    asked = np.packbits(world.queries[:8] > 0, axis=1)
    both = np.bitwise_count(asked[:, None, :] & bits[None, :, :]).sum(axis=2).astype(np.float64) if hasattr(np, "bitwise_count") else None
    if both is None:
        both = np.unpackbits(asked, axis=1).astype(np.float64) @ np.unpackbits(bits, axis=1).astype(np.float64).T
    sizes, asked_sizes = np.unpackbits(bits, axis=1).sum(axis=1), np.unpackbits(asked, axis=1).sum(axis=1)
    either = sizes[None, :] + asked_sizes[:, None] - both
    for metric, index_type, params, truth in [
        ("HAMMING", "BIN_FLAT", {}, either - both), ("JACCARD", "BIN_FLAT", {}, 1 - both / either),
        ("HAMMING", "BIN_IVF_FLAT", {"nlist": 16}, either - both), ("JACCARD", "BIN_IVF_FLAT", {"nlist": 16}, 1 - both / either),
    ]:
        collection = fresh("find_bits", [key(), FieldSchema("bits", DataType.BINARY_VECTOR, dim=384)])
        collection.insert([list(range(COUNT)), [row.tobytes() for row in bits]])
        flush(collection)
        index(collection, "bits", index_type, metric, params)
        collection.load()
        with report.check(f"{index_type} {metric}: the true neighbours"):
            hits = search(collection, [row.tobytes() for row in asked], 10, "bits", metric)
            equal(recall(hits, truth, 10), 1.0)
        remove("find_bits")


def iterate(world, report):
    collection = papers(world, "find_iterate", COUNT)
    if not hasattr(collection, "search_iterator"):
        remove("find_iterate")
        raise Absent("no iterators in this client")
    index(collection)
    collection.load()
    with report.check("search_iterator returns nearer rows first, each once"):
        query = short(world.queries[:1])
        walk = collection.search_iterator(query.tolist(), "vector", {"metric_type": "L2", "params": {"nprobe": 16}}, batch_size=50, limit=400)
        seen, distances = [], []
        while batch := walk.next():
            seen += list(batch.ids())
            distances += list(batch.distances())
        walk.close()
        equal((len(seen), len(set(seen))), (400, 400))
        truth = np.sort(squared_distances(query, short(world.vectors[:COUNT]))[0])[:400]
        assert np.allclose(np.sort(distances), truth, atol=1e-3), "not the 400 nearest"
    remove("find_iterate")


def hybrid(world, report):
    if not world.since(2, 4):
        raise Absent("no hybrid search in this client")
    if not world.elanus:
        raise Absent("not in a server of 2.3")
    from pymilvus import AnnSearchRequest, RRFRanker, WeightedRanker

    fields = [key(), FieldSchema("head", DataType.FLOAT_VECTOR, dim=SHORT), FieldSchema("tail", DataType.FLOAT_VECTOR, dim=SHORT)]
    collection = fresh("find_hybrid", fields)
    head, tail = world.vectors[:COUNT, :SHORT], world.vectors[:COUNT, -SHORT:]
    collection.insert([list(range(COUNT)), head.tolist(), tail.tolist()])
    flush(collection)
    index(collection, "head", metric="IP")
    index(collection, "tail", metric="IP")
    collection.load()
    asked = [AnnSearchRequest(world.queries[:1, part].tolist(), name, {"metric_type": "IP", "params": {"nprobe": 16}}, limit=COUNT)
             for name, part in (("head", slice(None, SHORT)), ("tail", slice(-SHORT, None)))]
    scores = [world.queries[0, :SHORT].astype(np.float64) @ head.T, world.queries[0, -SHORT:].astype(np.float64) @ tail.T]
    with report.check("RRF: one over 60 plus the rank, summed"):
        ranks = [np.argsort(np.argsort(-score_of)) + 1 for score_of in scores]
        fused = sum(1 / (60 + rank) for rank in ranks)
        hits = collection.hybrid_search(asked, RRFRanker(), limit=10)[0]
        assert np.allclose(np.sort(fused)[::-1][:10], list(hits.distances), atol=1e-5), list(hits.distances)
    with report.check("weighted: ten hits, best first"):
        distances = list(collection.hybrid_search(asked, WeightedRanker(0.7, 0.3), limit=10)[0].distances)
        equal((len(distances), distances), (10, sorted(distances, reverse=True)))
    remove("find_hybrid")
