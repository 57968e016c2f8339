"""Every kind of scalar index by its name: what filters find with it, what describe says, and what is refused."""

import time

from pymilvus import Collection, DataType, FieldSchema, utility

from refusal import expect, refused
from report import Absent
from world import SHORT, equal, flush, fresh, key, remove, short, vector

INVALID = (1, 5, 1100, 1101, 65535)
COUNT = 1500
NAME = "scalar_kinds"


def values(world):
    """The rows as dictionaries, as the checks know them."""
    return [{
        "id": row["id"], "year": row["year"], "title": row["title"][:300], "authors": row["n_authors"], "doi": row["has_doi"],
        "score": row["id"] / 4,
        "about": {"year": row["year"], "cat": row["primary_cat"], "cats": row["categories"], "doi": row["has_doi"]},
        "color": f"c{row['id'] % 11}", "vector": short(world.vectors[at]).tolist(),
    } for at, row in enumerate(world.rows[:COUNT])]


def collection_of(rows):
    fields = [
        key(), FieldSchema("year", DataType.INT64), FieldSchema("title", DataType.VARCHAR, max_length=2000), FieldSchema("authors", DataType.INT32),
        FieldSchema("doi", DataType.BOOL), FieldSchema("score", DataType.FLOAT), FieldSchema("about", DataType.JSON), vector(),
    ]
    collection = fresh(NAME, fields, schema={"enable_dynamic_field": True})
    collection.insert(rows)
    flush(collection)
    return collection


def json(path, cast, **more):
    return {"json_path": path, "json_cast_type": cast, **more}


# A kind, a field, its parameters, and filters with the rows they are to find.
KINDS = [
    ("STL_SORT", "year", {}, [("1999 < year <= 2003", lambda row: 1999 < row["year"] <= 2003), ("year != 2001", lambda row: row["year"] != 2001)]),
    ("STL_SORT", "title", {}, [('title like "On %"', lambda row: row["title"].startswith("On "))]),
    ("STL_SORT", "score", {}, [("score >= 300.5", lambda row: row["score"] >= 300.5)]),
    ("STL_SORT", "id", {}, [("id < 17", lambda row: row["id"] < 17)]),
    ("INVERTED", "year", {}, [("year in [1999, 2005, 2020]", lambda row: row["year"] in (1999, 2005, 2020))]),
    ("INVERTED", "doi", {}, [("doi == true", lambda row: row["doi"])]),
    ("INVERTED", "title", {}, [('title like "%Learning%"', lambda row: "Learning" in row["title"])]),
    ("BITMAP", "authors", {}, [("authors == 3", lambda row: row["authors"] == 3), ("not (authors in [1, 2, 3])", lambda row: row["authors"] not in (1, 2, 3))]),
    ("BITMAP", "doi", {}, [("doi != true", lambda row: not row["doi"])]),
    ("Trie", "title", {}, [('title like "A %"', lambda row: row["title"].startswith("A "))]),
    ("TRIE", "title", {}, [('"B" < title < "D"', lambda row: "B" < row["title"] < "D")]),
    ("NGRAM", "title", {"min_gram": 2, "max_gram": 3}, [
        ('title like "%twork%"', lambda row: "twork" in row["title"]), ('title like "%of%the%"', lambda row: "the" in row["title"].partition("of")[2]),
    ]),
    ("INVERTED", "about", json('about["year"]', "double"), [('about["year"] > 2015', lambda row: row["year"] > 2015)]),
    ("INVERTED", "about", json('about["cat"]', "varchar"), [('about["cat"] == "cs.CV"', lambda row: row["about"]["cat"] == "cs.CV")]),
    ("INVERTED", "about", json('about["doi"]', "bool"), [('about["doi"] == true', lambda row: row["doi"])]),
    ("INVERTED", "about", json('about["cats"]', "array_varchar"), [('json_contains(about["cats"], "cs.CL")', lambda row: "cs.CL" in row["about"]["cats"])]),
    ("INVERTED", "about", json("about", "json"), [('about["cat"] == "cs.CV"', lambda row: row["about"]["cat"] == "cs.CV")]),
    ("NGRAM", "about", json('about["cat"]', "varchar", min_gram=2, max_gram=4), [('about["cat"] like "%s.C%"', lambda row: "s.C" in row["about"]["cat"])]),
    ("AUTOINDEX", "year", {}, [("year == 2010", lambda row: row["year"] == 2010)]),
    ("AUTOINDEX", "about", json('about["year"]', "double"), [('about["year"] == 2010', lambda row: row["year"] == 2010)]),
]


# The same for arrays.
ARRAYS = [
    ("INVERTED", "cats", {}, [('array_contains(cats, "cs.CV")', lambda row: "cs.CV" in row["cats"])]),
    ("INVERTED", "nums", {}, [("array_contains_all(nums, [3, 4])", lambda row: {3, 4} <= set(row["nums"]))]),
    ("BITMAP", "nums", {}, [("array_contains_any(nums, [6])", lambda row: 6 in row["nums"])]),
]


def finished(name, collection=NAME):
    """Waits until no row is waiting for the index."""
    for _ in range(200):
        progress = utility.index_building_progress(collection, index_name=name)
        if progress["pending_index_rows"] == 0:
            return progress
        time.sleep(0.05)
    raise AssertionError(f"not finished: {progress}")


def find(collection, rows, text, rule):
    found = {row["id"] for row in collection.query(text, output_fields=["id"])}
    wanted = {row["id"] for row in rows if rule(row)}
    assert wanted, f"{text} is to find something"
    equal(found, wanted)


def each(report, collection, rows, table):
    for kind, field, params, filters in table:
        shown = params.get("json_cast_type", "")
        with report.check(f"{kind} on {field} {shown}".strip() + (f" {params['json_path']}" if shown else "")):
            collection.create_index(field, {"index_type": kind, "params": params}, index_name="one")
            progress = finished("one", collection.name)
            equal((progress["total_rows"], progress["indexed_rows"]), (COUNT, COUNT))
            described = collection.index(index_name="one")
            equal((described.field_name, described.params["index_type"]), (field, kind))
            for text, rule in filters:
                find(collection, rows, text, rule)
            collection.drop_index(index_name="one")
            for text, rule in filters:
                find(collection, rows, text, rule)


def arrays(world, report):
    if not world.elanus:
        raise Absent("not in a server of 2.3")
    if not world.since(2, 6):
        raise Absent("this client knows fewer kinds")
    rows = [{"id": row["id"], "cats": row["categories"][:9], "nums": [row["id"] % 7, row["year"] % 5], "vector": short(world.vectors[at]).tolist()}
            for at, row in enumerate(world.rows[:COUNT])]
    fields = [
        key(), FieldSchema("cats", DataType.ARRAY, element_type=DataType.VARCHAR, max_capacity=20, max_length=100),
        FieldSchema("nums", DataType.ARRAY, element_type=DataType.INT64, max_capacity=20), vector(),
    ]
    collection = fresh("scalar_arrays", fields)
    collection.insert(rows)
    flush(collection)
    collection.create_index("vector", {"index_type": "FLAT", "metric_type": "L2"}, index_name="near")
    collection.load()
    each(report, collection, rows, ARRAYS)
    with report.check("Trie on an array is refused"):
        expect(refused(lambda: collection.create_index("cats", {"index_type": "Trie"}, index_name="no", timeout=20)), ["TRIE are only"], INVALID)
    remove("scalar_arrays")


def newer(world, report):
    """Moments, shapes, and sub-fields of structs: types that clients know from 3.0 on."""
    if not world.elanus:
        raise Absent("not in a server of 2.3")
    if not world.since(3, 0):
        raise Absent("this client does not know the types")
    client, name = world.client(), "scalar_newer"
    if client.has_collection(name):
        client.drop_collection(name)
    schema = client.create_schema()
    schema.add_field("id", DataType.INT64, is_primary=True)
    schema.add_field("vector", DataType.FLOAT_VECTOR, dim=4)
    schema.add_field("moment", DataType.TIMESTAMPTZ, nullable=True)
    schema.add_field("place", DataType.GEOMETRY, nullable=True)
    parts = client.create_struct_field_schema()
    parts.add_field("size", DataType.INT64)
    parts.add_field("label", DataType.VARCHAR, max_length=20)
    schema.add_field("parts", DataType.ARRAY, element_type=DataType.STRUCT, struct_schema=parts, max_capacity=10)
    client.create_collection(name, schema=schema, consistency_level="Strong")
    rows = [{
        "id": at, "vector": [float(at), 0.0, 0.0, 1.0], "moment": f"2025-01-{1 + at % 28:02d}T00:00:00Z", "place": f"POINT({at % 50} {at % 30})",
        "parts": [{"size": (at + place) % 9, "label": f"l{place}"} for place in range(at % 4)],
    } for at in range(COUNT)]
    client.insert(name, rows)
    client.flush(name)
    asked = [("vector", "FLAT"), ("moment", "STL_SORT"), ("place", "RTREE"), ("parts[size]", "STL_SORT"), ("parts[label]", "INVERTED")]
    with report.check("STL_SORT on moments, RTREE on shapes, STL_SORT and INVERTED on sub-fields"):
        params = client.prepare_index_params()
        for field, kind in asked:
            params.add_index(field, index_type=kind, **({"metric_type": "L2"} if field == "vector" else {}))
        client.create_index(name, params)
        for field, kind in asked:
            made = client.describe_index(name, field)
            equal((made["index_type"], made["total_rows"], made["pending_index_rows"]), (kind, COUNT, 0))
    client.load_collection(name)

    def found(text):
        return {row["id"] for row in client.query(name, text, output_fields=["id"])}

    with report.check("filters on sub-fields find the same with an index and without"):
        filters = {
            "match_any(parts, $[size] == 5)": lambda row: any(part["size"] == 5 for part in row["parts"]),
            'match_any(parts, $[size] > 2 && $[label] == "l1")': lambda row: any(part["size"] > 2 and part["label"] == "l1" for part in row["parts"]),
        }
        for text, rule in filters.items():
            equal(found(text), {row["id"] for row in rows if rule(row)})
        client.drop_index(name, "parts[size]")
        client.drop_index(name, "parts[label]")
        for text, rule in filters.items():
            equal(found(text), {row["id"] for row in rows if rule(row)})
    with report.check("RTREE on moments and INVERTED on shapes are refused"):
        for field, kind in [("moment", "RTREE"), ("place", "INVERTED"), ("moment", "INVERTED")]:
            params = client.prepare_index_params()
            params.add_index(field, index_type=kind, index_name="no")
            expect(refused(lambda: client.create_index(name, params, timeout=20)), [kind], INVALID)
    client.release_collection(name)
    client.drop_collection(name)


def kinds(world, report):
    if not world.elanus:
        raise Absent("not in a server of 2.3")
    if not world.since(2, 6):
        raise Absent("this client knows fewer kinds")
    rows = values(world)
    collection = collection_of(rows)
    collection.create_index("vector", {"index_type": "FLAT", "metric_type": "L2"}, index_name="near")
    collection.load()

    def holds(text, rule):
        find(collection, rows, text, rule)

    each(report, collection, rows, KINDS)
    with report.check("several paths of one JSON field, each under a name of its own"):
        collection.create_index("about", {"index_type": "INVERTED", "params": json('about["year"]', "double")}, index_name="years")
        collection.create_index("about", {"index_type": "INVERTED", "params": json('about["cat"]', "varchar")}, index_name="kinds")
        names = {made.index_name for made in Collection(NAME).indexes}
        equal(names, {"near", "years", "kinds"})
        holds('about["cat"] == "cs.CV" and about["year"] > 2010', lambda row: row["about"]["cat"] == "cs.CV" and row["year"] > 2010)
        collection.drop_index(index_name="years")
        collection.drop_index(index_name="kinds")
    with report.check("a key of the dynamic field"):
        collection.create_index("color", {"index_type": "INVERTED", "params": json("color", "varchar")}, index_name="colors")
        finished("colors")
        holds('color == "c3"', lambda row: row["color"] == "c3")
        collection.drop_index(index_name="colors")
    with report.check("rows that come later are found too"):
        collection.create_index("year", {"index_type": "STL_SORT"}, index_name="one")
        finished("one")
        more = [{**row, "id": row["id"] + 100_000} for row in rows[:40]]
        collection.insert(more)
        wanted = {row["id"] for row in rows + more if row["year"] == 2001}
        equal({row["id"] for row in collection.query("year == 2001", output_fields=["id"])}, wanted)
        collection.drop_index(index_name="one")
    with report.check("alter_index takes mmap.enabled"):
        collection.create_index("year", {"index_type": "INVERTED"}, index_name="one")
        collection.release()
        collection.alter_index("one", {"mmap.enabled": True})
        collection.drop_index(index_name="one")
    refusals(report, collection)
    remove(NAME)


def refusals(report, collection):
    def make(kind, field, **params):
        return lambda: collection.create_index(field, {"index_type": kind, "params": params}, index_name="refused", timeout=20)

    cases = [
        ("BITMAP on a float", make("BITMAP", "score"), ["bitmap index are only supported"]),
        ("BITMAP on the primary key", make("BITMAP", "id"), ["primary key"]),
        ("Trie on a number", make("Trie", "year"), ["TRIE are only supported on varchar"]),
        ("STL_SORT on a bool", make("STL_SORT", "doi"), ["STL_SORT are only supported"]),
        ("NGRAM on a number", make("NGRAM", "year", min_gram=2, max_gram=3), ["Ngram index only support"]),
        ("NGRAM without max_gram", make("NGRAM", "title", min_gram=2), ["min_gram and max_gram"]),
        ("NGRAM with min over max", make("NGRAM", "title", min_gram=4, max_gram=3), ["min_gram"]),
        ("RTREE on text", make("RTREE", "title"), ["RTREE"]),
        ("HYBRID", make("HYBRID", "year"), ["invalid index type: HYBRID"]),
        ("JSON without a cast type", make("INVERTED", "about", json_path='about["year"]'), ["json_cast_type"]),
        ("an unknown cast type", make("INVERTED", "about", json_path='about["year"]', json_cast_type="int"), ["json_cast_type"]),
        ("a cast type the kind does not take", make("BITMAP", "about", json_path='about["year"]', json_cast_type="double"), ["json_cast_type"]),
        ("a path into another field", make("INVERTED", "about", json_path="year", json_cast_type="double"), ["json_path"]),
        ("a scalar kind on vectors", make("INVERTED", "vector"), []),
    ]
    for name, call, fragments in cases:
        with report.check(name):
            expect(refused(call), fragments, INVALID)
    with report.check("no index is left of them"):
        equal({made.index_name for made in Collection(NAME).indexes}, {"near"})
