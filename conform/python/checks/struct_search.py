"""Search of vectors inside arrays of structs: by whole lists, by single structs, and queries that tell structs apart."""

import time

import numpy as np
from pymilvus import DataType

from checks.types import message, opened_newer
from world import equal

ROWS, DIM = 2400, 8
KINDS = ["index", "search", "intro"]


def near(metric, query, vectors):
    query, vectors = np.asarray(query, np.float64), np.asarray(vectors, np.float64)
    if metric == "L2":
        return ((vectors - query) ** 2).sum(axis=1)
    dots = vectors @ query
    return dots if metric == "IP" else dots / np.linalg.norm(vectors, axis=1) / np.linalg.norm(query)


def schema_of(client):
    schema = client.create_schema()
    schema.add_field("id", DataType.INT64, is_primary=True)
    schema.add_field("group", DataType.INT64)
    schema.add_field("title", DataType.FLOAT_VECTOR, dim=DIM)
    part = client.create_struct_field_schema()
    part.add_field("kind", DataType.VARCHAR, max_length=16)
    part.add_field("page", DataType.INT64)
    for name in ("cosines", "products", "distances", "single", "more"):
        part.add_field(name, DataType.FLOAT_VECTOR, dim=DIM)
    part.add_field("bits", DataType.BINARY_VECTOR, dim=32)
    schema.add_field("parts", DataType.ARRAY, element_type=DataType.STRUCT, struct_schema=part, max_capacity=8)
    return schema


LISTS = {"cosines": "COSINE", "products": "IP", "distances": "L2"}


def filled(client, name):
    random = np.random.default_rng(11)
    client.drop_collection(name)
    params = client.prepare_index_params()
    params.add_index("title", index_type="AUTOINDEX", metric_type="L2")
    for field, metric in LISTS.items():
        index_type, options = ("HNSW", {"M": 16, "efConstruction": 100}) if field == "cosines" else ("IVF_FLAT", {"nlist": 8})
        params.add_index(f"parts[{field}]", index_name=field, index_type=index_type, metric_type=f"MAX_SIM_{metric}", params=options)
    params.add_index("parts[single]", index_name="single", index_type="HNSW", metric_type="COSINE", params={"M": 16, "efConstruction": 200})
    params.add_index("parts[more]", index_name="more", index_type="FLAT", metric_type="COSINE")
    params.add_index("parts[bits]", index_name="bits", index_type="BIN_FLAT", metric_type="MAX_SIM_HAMMING")
    client.create_collection(name, schema=schema_of(client), index_params=params, consistency_level="Strong")
    rows = []
    for at in range(ROWS):
        parts = [{
            "kind": KINDS[int(random.integers(3))], "page": page, "bits": random.bytes(4),
            **{field: random.normal(size=DIM).astype(np.float32) for field in (*LISTS, "single", "more")},
        } for page in range(int(random.integers(0, 6)))]
        rows.append({"id": at, "group": at % 7, "title": random.normal(size=DIM).astype(np.float32), "parts": parts})
    for start in range(0, ROWS, 800):
        client.insert(name, rows[start:start + 800])
    return rows


def elements(rows, field, query, keep=lambda row, part: True):
    """Structs by nearness: (score, row, place)."""
    found = []
    for row in rows:
        kept = [(place, part[field]) for place, part in enumerate(row["parts"]) if keep(row, part)]
        if kept:
            scores = near("COSINE", query, [vector for _, vector in kept])
            found += [(score, row["id"], place) for score, (place, _) in zip(scores, kept, strict=True)]
    return sorted(found, key=lambda one: -one[0])


def hits_of(hits):
    return [(hit["id"], hit["offset"]) for hit in hits]


def search(world, report):
    client, name = opened_newer(world), "struct_search"
    from pymilvus import AnnSearchRequest, RRFRanker, WeightedRanker
    from pymilvus.client.embedding_list import EmbeddingList

    rows = filled(client, name)
    random = np.random.default_rng(5)
    lists = [random.normal(size=(3, DIM)).astype(np.float32), random.normal(size=(1, DIM)).astype(np.float32)]
    query = random.normal(size=DIM).astype(np.float32).tolist()

    def by_lists():
        for field, metric in LISTS.items():
            for options, keep in (({}, lambda row: True), ({"filter": "group == 3"}, lambda row: row["group"] == 3)):
                answers = client.search(name, data=[EmbeddingList(list(one)) for one in lists], anns_field=f"parts[{field}]", limit=5, **options)
                for one, hits in zip(lists, answers, strict=True):
                    best = min if metric == "L2" else max
                    scores = {row["id"]: sum(best(near(metric, token, [part[field] for part in row["parts"]])) for token in one)
                              for row in rows if row["parts"] and keep(row)}
                    wanted = sorted(scores, key=scores.get, reverse=metric != "L2")[:5]
                    equal([hit["id"] for hit in hits], wanted)
                    assert np.allclose([hit["distance"] for hit in hits], [scores[key] for key in wanted], atol=1e-4), (field, hits)

    def by_bits():
        asked = [row["parts"][0]["bits"] for row in rows if row["parts"]][:2]
        hits = client.search(name, data=[EmbeddingList([np.frombuffer(one, np.uint8) for one in asked], dtype=DataType.BINARY_VECTOR)],
                             anns_field="parts[bits]", limit=3)[0]
        unpacked = [np.unpackbits(np.frombuffer(one, np.uint8)) for one in asked]
        scores = {row["id"]: sum(min(int((np.unpackbits(np.frombuffer(part["bits"], np.uint8)) != one).sum()) for part in row["parts"]) for one in unpacked)
                  for row in rows if row["parts"]}
        equal([hit["distance"] for hit in hits], sorted(scores.values())[:3])

    def by_keys():
        """The lists of rows as queries; rows without structs find nothing."""
        row, blank = next(row for row in rows if row["parts"]), next(row for row in rows if not row["parts"])
        for field in LISTS:
            asked = EmbeddingList([part[field] for part in row["parts"]])
            given = client.search(name, data=[asked], anns_field=f"parts[{field}]", limit=5)[0]
            nothing, found = client.search(name, ids=[blank["id"], row["id"]], anns_field=f"parts[{field}]", limit=5)
            equal(([hit["id"] for hit in found], len(nothing)), ([hit["id"] for hit in given], 0))
            assert np.allclose([hit["distance"] for hit in found], [hit["distance"] for hit in given], atol=1e-4), (found, given)

    def by_structs():
        truth = elements(rows, "single", query)
        equal(hits_of(client.search(name, data=[query], anns_field="parts[single]", limit=10)[0]), [one[1:] for one in truth[:10]])
        filtered = elements(rows, "single", query, lambda row, part: row["id"] > 5 and part["kind"] == "index" and part["page"] > 1)
        found = client.search(name, data=[query], anns_field="parts[single]", limit=10,
                              filter='id > 5 and element_filter(parts, $[kind] == "index" and $[page] > 1)')[0]
        equal(hits_of(found), [one[1:] for one in filtered[:10]])
        inside = {one[1:] for one in truth if one[0] > 0.8}
        found = client.search(name, data=[query], anns_field="parts[single]", limit=2000, search_params={"params": {"radius": 0.8, "range_filter": 1.0, "ef": 2000}})[0]
        assert len(inside) * 0.9 <= len(set(hits_of(found)) & inside) and set(hits_of(found)) <= inside, (len(found), len(inside))
        best = {}
        for _, key, place in truth:
            best.setdefault(key, place)
        found = client.search(name, data=[query], anns_field="parts[single]", limit=10, group_by_field="id")[0]
        equal(hits_of(found), list(best.items())[:10])

    def hybrids():
        asked = [AnnSearchRequest([query], "title", {"metric_type": "L2"}, limit=30), AnnSearchRequest([query], "parts[single]", {"metric_type": "COSINE"}, limit=30)]
        hits = client.hybrid_search(name, asked, RRFRanker(), limit=10)[0]
        titles = [rows[at]["id"] for at in np.argsort(near("L2", query, [row["title"] for row in rows]))[:30]]
        parts = list(dict.fromkeys(key for _, key, _ in elements(rows, "single", query)[:30]))
        fused = {}
        for ranked in (titles, parts):
            for rank, key in enumerate(ranked):
                fused[key] = fused.get(key, 0) + 1 / (61 + rank)
        assert np.allclose([hit["distance"] for hit in hits], sorted(fused.values(), reverse=True)[:10], atol=1e-5), hits
        asked = [AnnSearchRequest([query], f"parts[{field}]", {"metric_type": "COSINE"}, limit=30) for field in ("single", "more")]
        hits = client.hybrid_search(name, asked, RRFRanker(), limit=10)[0]
        fused = {}
        for field in ("single", "more"):
            for rank, one in enumerate(elements(rows, field, query)[:30]):
                fused[one[1:]] = fused.get(one[1:], 0) + 1 / (61 + rank)
        assert np.allclose([hit["distance"] for hit in hits], sorted(fused.values(), reverse=True)[:10], atol=1e-5), hits
        assert all(abs(fused[(hit["id"], hit["offset"])] - hit["distance"]) < 1e-5 for hit in hits), hits

    def collapses():
        """What several structs of a row make of its score, before it is ranked with others."""
        for strategy, score in (
            ({"strategy": "max"}, lambda scores: scores[0]), ({"strategy": "sum"}, sum), ({"strategy": "avg"}, lambda scores: sum(scores) / len(scores)),
            ({"strategy": "topk_sum", "topk": 2}, lambda scores: sum(scores[:2])), ({"strategy": "topk_avg", "topk": 2}, lambda scores: sum(scores[:2]) / len(scores[:2])),
        ):
            of_structs = {}
            for near_as, key, _ in elements(rows, "single", query)[:60]:
                of_structs.setdefault(key, []).append(near_as)
            of_rows = dict(zip((row["id"] for row in rows), near("COSINE", query, [row["title"] for row in rows]), strict=True))
            asked = [AnnSearchRequest([query], "title", {"metric_type": "L2"}, limit=40),
                     AnnSearchRequest([query], "parts[single]", {"metric_type": "COSINE", "params": {"element_scope": {"collapse": strategy}, "ef": 200}}, limit=60)]
            hits = client.hybrid_search(name, asked, WeightedRanker(0.0, 1.0, norm_score=False), limit=5)[0]
            equal(len(of_rows), ROWS)
            wanted = sorted(((score(scores), key) for key, scores in of_structs.items()), reverse=True)[:5]
            assert np.allclose([hit["distance"] for hit in hits], [one[0] for one in wanted], atol=1e-4), (strategy, hits, wanted)
            equal([hit["id"] for hit in hits], [one[1] for one in wanted])
            assert all("offset" not in hit for hit in hits), hits

    def queries():
        passing = [(row["id"], place) for row in rows[:60] for place, part in enumerate(row["parts"]) if part["kind"] == "intro" and part["page"] >= 1]
        text = 'id < 60 and element_filter(parts, $[kind] == "intro" and $[page] >= 1)'
        found = client.query(name, filter=text, output_fields=["group"])
        equal([(one["id"], one["offset"]) for one in found], passing)
        equal([(one["id"], one["offset"]) for one in client.query(name, filter=text, output_fields=["group"], limit=7, offset=3)], passing[3:10])
        walk, seen = client.query_iterator(name, filter=text, output_fields=["group"], batch_size=4), []
        while batch := walk.next():
            seen += [(one["id"], one["offset"]) for one in batch]
        equal(seen, passing)
        equal(client.query(name, filter=text, output_fields=["count(*)"])[0]["count(*)"], len(passing))
        each = client.query(name, filter=text, output_fields=["id", "count(*)", "sum(group)"], group_by_fields=["id"])
        wanted = {key: sum(one[0] == key for one in passing) for key, _ in passing}
        equal({one["id"]: (one["count(*)"], one["sum(group)"]) for one in each}, {key: (count, count * (key % 7)) for key, count in wanted.items()})
        counted = client.query(name, filter='match_any(parts, $[kind] == "intro")', output_fields=["count(*)"])
        equal(counted[0]["count(*)"], sum(any(part["kind"] == "intro" for part in row["parts"]) for row in rows))

    def all_of(when):
        for what, check in (("by lists, each MAX_SIM metric", by_lists), ("by lists of bits", by_bits), ("by lists of rows", by_keys), ("by single structs, filtered, in a range, in groups", by_structs),
                            ("hybrid with rows and with other structs", hybrids),
                            ("hybrid with what several structs make of a row", collapses), ("queries tell which structs pass", queries)):
            if check in (queries, by_keys) and not world.since(3, 0):
                continue
            with report.check(f"{what}, {when}"):
                check()

    all_of("in memory")
    client.flush(name)
    for _ in range(200):
        if all(client.describe_index(name, index)["pending_index_rows"] == 0 for index in ("cosines", "single")):
            break
        time.sleep(0.1)
    all_of("by index")
    with report.check("describe_index says which metric"):
        equal([client.describe_index(name, field)["metric_type"] for field in ("cosines", "distances", "single")], ["MAX_SIM_COSINE", "MAX_SIM_L2", "COSINE"])
    with report.check("lists with as many candidates as are asked for"):
        for params in ({"retrieval_ann_ratio": 1.0}, {"retrieval_ann_ratio": 10, "emb_list_rerank": False}, {"retrieval_ann_ratio": 1000.5, "emb_list_rerank": True}):
            hits = client.search(name, data=[EmbeddingList(list(lists[0]))], anns_field="parts[cosines]", limit=5, search_params={"params": params})[0]
            scores = {row["id"]: sum(max(near("COSINE", token, [part["cosines"] for part in row["parts"]])) for token in lists[0]) for row in rows if row["parts"]}
            equal([hit["id"] for hit in hits], sorted(scores, key=scores.get, reverse=True)[:5])

    def hybrid(*fields):
        """Searches of these fields with these parameters, ranked together."""
        asked = [AnnSearchRequest([EmbeddingList([np.ones(DIM, np.float32)])] if field in LISTS else [query], field if field == "title" else f"parts[{field}]",
                                  {"params": {"element_scope": scope} if scope is not None else {}}, limit=5) for field, scope in fields]
        return lambda: client.hybrid_search(name, asked, RRFRanker(), limit=3)

    collapse = {"collapse": {"strategy": "max"}}
    for what, call, fragment in (
        ("a scope where structs of one array are ranked", hybrid(("single", collapse), ("more", None)), "not allowed for same-struct element-level hybrid search"),
        ("a scope of rows", hybrid(("title", collapse), ("single", None)), "only supported for element-level search"),
        ("a scope without a strategy", hybrid(("title", None), ("single", {"collapse": {}})), "element_scope.collapse.strategy is required"),
        ("a strategy that is none", hybrid(("title", None), ("single", {"collapse": {"strategy": "min"}})), "unsupported element_scope.collapse.strategy: min"),
        ("the best so many without a number", hybrid(("title", None), ("single", {"collapse": {"strategy": "topk_sum"}})), "topk is required"),
        ("no candidates", lambda: client.search(name, data=[EmbeddingList([np.ones(DIM, np.float32)])], anns_field="parts[cosines]", limit=3,
                                                search_params={"params": {"retrieval_ann_ratio": 0}}), "retrieval_ann_ratio could not be less than or equal to 0"),
    ):
        with report.check(f"refused: {what}"):
            said = message(call)
            assert fragment in said and ("1100" in said or "1101" in said), said
    one = EmbeddingList([np.ones(DIM, np.float32)])
    for what, options, asked, fragment in (
        ("in a range", {}, {"params": {"radius": 1}}, "range search is not supported for vector array (embedding-list) fields in hybrid search, fieldName:parts[cosines]"),
        ("in groups", {"group_by_field": "group"}, {}, "group by search is not supported for vector array (embedding-list) fields in hybrid search, fieldName:parts[cosines]"),
    ):
        with report.check(f"refused: lists {what} in a hybrid search"):
            asked = [AnnSearchRequest([query], "title", {}, limit=5), AnnSearchRequest([one], "parts[cosines]", asked, limit=5)]
            said = message(lambda asked=asked, options=options: client.hybrid_search(name, asked, RRFRanker(), limit=3, **options))
            assert "1100" in said and fragment in said, said
    with report.check("refused: lists batch by batch"):
        said = message(lambda: client.search(name, data=[one], anns_field="parts[cosines]", limit=3, iterator=True, search_iter_v2=True, search_iter_batch_size=3))
        assert "1100" in said and "search iterator is not supported for multi-search-multi on embedding list fields" in said, said
    cases = [
        ("single vectors where lists are asked for", {"data": [query], "anns_field": "parts[cosines]"}, "vector type must be the same"),
        ("lists where single vectors are asked for", {"data": [one], "anns_field": "parts[single]"}, "vector type must be the same"),
        ("lists of vectors of another dimension", {"data": [EmbeddingList([np.ones(DIM - 1, np.float32)])], "anns_field": "parts[cosines]"}, "dimension mismatch"),
        ("another metric than the index's", {"data": [one], "anns_field": "parts[cosines]", "search_params": {"metric_type": "MAX_SIM_IP"}}, "metric type not match"),
        ("lists in groups", {"data": [one], "anns_field": "parts[cosines]", "group_by_field": "group"},
         "group by is not supported for multi-search-multi on embedding list fields: invalid parameter[expected=][actual=]"),
        ("lists in a range", {"data": [one], "anns_field": "parts[cosines]", "search_params": {"params": {"radius": 1}}},
         "range search is not supported for multi-search-multi on embedding list fields: invalid parameter[expected=][actual=]"),
        ("lists in a range and in groups", {"data": [one], "anns_field": "parts[cosines]", "group_by_field": "group", "search_params": {"params": {"radius": 1}}},
         "Not allowed to do range-search when doing search-group-by"),
        ("structs in groups by anything but the key", {"data": [query], "anns_field": "parts[single]", "group_by_field": "group"},
         "only group by primary key is supported for element-level search"),
    ]
    if world.since(3, 0):
        cases.append(("structs by primary key", {"ids": [1], "anns_field": "parts[single]"}, "field is not a vector field"))
    for what, options, fragment in cases:
        with report.check(f"refused: {what}"):
            said = message(lambda options=options: client.search(name, limit=3, **options))
            assert "1100" in said and fragment in said, said
    strategies(report, client, name, rows, lists[0])
    client.drop_collection(name)


def strategies(report, client, name, rows, asked):
    """Ways to find candidates: whichever is named, lists are scored as a whole."""
    from pymilvus.client.embedding_list import EmbeddingList

    def index(**options):
        params = client.prepare_index_params()
        params.add_index("parts[products]", index_name="products", index_type="HNSW", metric_type="MAX_SIM_IP", params={"M": 16, "efConstruction": 100, **options})
        client.create_index(name, params)

    client.release_collection(name)
    client.drop_index(name, "products")
    for what, options, fragment in (
        ("a strategy that is none", {"emb_list_strategy": "guess"}, "emb_list_strategy guess is not supported"),
        ("a parameter of a strategy out of its range", {"emb_list_strategy": "muvera", "muvera_num_projections": 9}, "out of range"),
    ):
        with report.check(f"refused: {what}"):
            said = message(lambda options=options: index(**options))
            assert "1100" in said and fragment in said, said
    with report.check("an index with a strategy"):
        index(emb_list_strategy="muvera", muvera_num_projections=4)
        equal(client.describe_index(name, "products")["emb_list_strategy"], "muvera")
        client.load_collection(name)
        hits = client.search(name, data=[EmbeddingList(list(asked))], anns_field="parts[products]", limit=5)[0]
        scores = {row["id"]: sum(max(near("IP", token, [part["products"] for part in row["parts"]])) for token in asked) for row in rows if row["parts"]}
        equal([hit["id"] for hit in hits], sorted(scores, key=scores.get, reverse=True)[:5])


