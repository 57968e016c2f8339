"""Rows in and out: insert, delete, upsert, flush, keys of both kinds, and the types that are more than a number."""

import numpy as np
import pandas
from pymilvus import DataType, FieldSchema, utility

from refusal import refused
from report import Absent
from world import equal, flush, fresh, index, indexed, insert_papers, key, papers, remove, score, search, short, vector


def insert(world, report):
    collection = papers(world, "rows_in", 0)
    with report.check("insert returns the keys, the count and a timestamp"):
        result = insert_papers(world, collection, 0, 500)
        equal(list(result.primary_keys), list(range(500)))
        equal(result.insert_count, 500)
        assert result.timestamp > 0
    with report.check("a data frame goes in as well"):
        rows = world.rows[500:600]
        frame = pandas.DataFrame({
            "id": [row["id"] for row in rows], "year": [row["year"] for row in rows],
            "authors": np.array([row["n_authors"] for row in rows], dtype=np.int32), "has_doi": [row["has_doi"] for row in rows],
            "score": np.array([score(row) for row in rows], dtype=np.float32), "vector": short(world.vectors[500:600]).tolist(),
        })
        equal(collection.insert(frame).insert_count, 100)
    with report.check("flush counts them"):
        equal(flush(collection), 600)
    index(collection)
    collection.load()
    with report.check("every value comes back as it went in"):
        bools = ["has_doi"] if world.since(2, 1) else []  # the first client cannot read a bool
        rows = collection.query("id in [3, 550]", output_fields=["year", "authors", "score", *bools])
        for row in rows:
            given = world.rows[row["id"]]
            equal((row["year"], row["authors"], row["score"]), (given["year"], given["n_authors"], score(given)))
            equal([row[name] for name in bools], [given[name] for name in bools])
        equal(sorted(row["id"] for row in rows), [3, 550])
    if world.since(2, 3):
        with report.check("the vector comes back bit for bit"):
            row = collection.query("id == 42", output_fields=["vector"])[0]
            equal([float(x) for x in row["vector"]], short(world.vectors[42]).tolist())
    remove("rows_in")


def delete(world, report):
    collection = indexed(world, "rows_out", 1200)
    with report.check("delete by keys"):
        equal(collection.delete("id in [1, 2, 3]").delete_count, 3)
        equal(collection.query("id in [1, 2, 3, 4]", output_fields=["id"]), [{"id": 4}])
    with report.check("a deleted row is not found by search"):
        nearest = search(collection, short(world.vectors[2:3]), 5)[0].ids
        assert not {1, 2, 3} & set(nearest), nearest
    with report.check("deleting what is not there is no error"):
        collection.delete("id in [99999]")
    with report.check("a deleted key can be inserted again"):
        insert_papers(world, collection, 2, 3)
        equal(collection.query("id == 2", output_fields=["year"]), [{"id": 2, "year": world.rows[2]["year"]}])
        equal(search(collection, short(world.vectors[2:3]), 1)[0].ids[0], 2)
    if world.since(2, 3):
        with report.check("delete by a filter"):
            collection.delete("year < 2005 and id > 10")
            left = collection.query("id >= 0", output_fields=["id"])
            wanted = {row["id"] for row in world.rows[:1200] if not (row["year"] < 2005 and row["id"] > 10)} - {1, 3}
            equal({row["id"] for row in left}, wanted)
    with report.check("deletes survive release and load"):
        collection.release()
        collection.load()
        equal(collection.query("id in [1, 3]", output_fields=["id"]), [])
    remove("rows_out")


def upsert(world, report):
    collection = papers(world, "rows_up", 100)
    if not hasattr(collection, "upsert"):
        remove("rows_up")
        raise Absent("no upsert in this client")
    index(collection)
    collection.load()
    with report.check("upsert replaces and adds"):
        rows = world.rows[90:110]
        result = collection.upsert([
            [row["id"] for row in rows], [3000] * 20, [1] * 20, [True] * 20, [0.5] * 20, short(world.vectors[200:220]).tolist(),
        ])
        equal(result.upsert_count, 20)
        found = collection.query("id >= 0", output_fields=["year"])
        equal(len(found), 110)
        equal(sorted(row["id"] for row in found if row["year"] == 3000), list(range(90, 110)))
    with report.check("search sees the new vector, not the old"):
        equal(search(collection, short(world.vectors[205:206]), 1)[0].ids[0], 95)
        hit = search(collection, short(world.vectors[95:96]), 1)[0]
        assert hit.ids[0] != 95 or hit.distances[0] > 1e-6, (hit.ids[0], hit.distances[0])
    remove("rows_up")


def auto_id(world, report):
    collection = fresh("rows_auto", [key(auto_id=True), FieldSchema("year", DataType.INT64), vector()])
    with report.check("the server makes distinct keys and returns them"):
        years = [row["year"] for row in world.rows[:50]]
        keys = list(collection.insert([years, short(world.vectors[:50]).tolist()]).primary_keys)
        equal(len(set(keys)), 50)
        index(collection)
        collection.load()
        rows = collection.query(f"id in {keys[:10]}", output_fields=["year"])
        equal({row["id"]: row["year"] for row in rows}, dict(zip(keys[:10], years[:10])))
        equal(search(collection, short(world.vectors[7:8]), 1)[0].ids[0], keys[7])
    remove("rows_auto")


def text_keys(world, report):
    if not world.since(2, 1):
        raise Absent("no VARCHAR in this client")
    name = FieldSchema("arxiv_id", DataType.VARCHAR, is_primary=True, auto_id=False, max_length=32)
    collection = fresh("rows_text", [name, FieldSchema("title", DataType.VARCHAR, max_length=300), vector()])
    rows = world.rows[:300]
    with report.check("insert returns the text keys"):
        result = collection.insert([[row["arxiv_id"] for row in rows], [row["title"] for row in rows], short(world.vectors[:300]).tolist()])
        equal(list(result.primary_keys), [row["arxiv_id"] for row in rows])
    flush(collection)
    index(collection)
    collection.load()
    with report.check("search answers with text keys"):
        hits = search(collection, short(world.vectors[10:12]), 1, output_fields=["title"])
        equal([hit.ids[0] for hit in hits], [rows[10]["arxiv_id"], rows[11]["arxiv_id"]])
        equal([hit[0].entity.get("title") for hit in hits], [rows[10]["title"], rows[11]["title"]])
    with report.check("query by text: equal, in, order, prefix"):
        one = rows[20]
        equal([row["arxiv_id"] for row in collection.query(f'title == "{one["title"]}"')], [one["arxiv_id"]])
        equal(len(collection.query(f'arxiv_id in ["{one["arxiv_id"]}", "{rows[21]["arxiv_id"]}", "none"]')), 2)
        less = {row["arxiv_id"] for row in collection.query('arxiv_id < "1200"')}
        equal(less, {row["arxiv_id"] for row in rows if row["arxiv_id"] < "1200"})
        prefix = {row["arxiv_id"] for row in collection.query('title like "On %"')}
        equal(prefix, {row["arxiv_id"] for row in rows if row["title"].startswith("On ")})
    with report.check("text outside ASCII comes back"):
        words = ["", "naïve Größe", "向量数据库", "\U0001f985 kite"]
        collection.insert([["w0", "w1", "w2", "w3"], words, short(world.vectors[300:304]).tolist()])
        found = collection.query('arxiv_id in ["w0", "w1", "w2", "w3"]', output_fields=["title"])
        equal({row["arxiv_id"]: row["title"] for row in found}, {f"w{i}": word for i, word in enumerate(words)})
    with report.check("delete by text keys"):
        equal(collection.delete(f'arxiv_id in ["{rows[0]["arxiv_id"]}"]').delete_count, 1)
        equal(collection.query(f'arxiv_id == "{rows[0]["arxiv_id"]}"'), [])
    remove("rows_text")


def json_and_dynamic(world, report):
    if not hasattr(DataType, "JSON"):
        raise Absent("no JSON in this client")
    fields = [key(), FieldSchema("about", DataType.JSON), vector()]
    collection = fresh("rows_json", fields, schema={"enable_dynamic_field": True})
    rows = world.rows[:200]
    about = [{"title": row["title"], "cats": row["categories"], "n": {"authors": row["n_authors"], "half": row["n_authors"] / 2}, "none": None}
             for row in rows]
    with report.check("rows with a JSON field and with keys outside the schema go in"):
        vectors = short(world.vectors[:200]).tolist()
        result = collection.insert([
            {"id": row["id"], "about": said, "vector": vectors[at], "year": row["year"], "cat": row["primary_cat"]}
            for at, (row, said) in enumerate(zip(rows, about))
        ])
        equal(result.insert_count, 200)
    flush(collection)
    index(collection)
    collection.load()
    with report.check("JSON comes back as it went in"):
        found = collection.query("id in [0, 1, 2]", output_fields=["about"])
        equal({row["id"]: as_object(row["about"]) for row in found}, {at: about[at] for at in range(3)})
    with report.check("filters reach into JSON"):
        found = collection.query('about["n"]["authors"] >= 5', output_fields=["id"])
        equal({row["id"] for row in found}, {row["id"] for row in rows if row["n_authors"] >= 5})
        if world.elanus or world.since(2, 3):
            found = collection.query('json_contains(about["cats"], "cs.CV")', output_fields=["id"])
            equal({row["id"] for row in found}, {row["id"] for row in rows if "cs.CV" in row["categories"]})
    with report.check("dynamic keys filter and come back"):
        found = collection.query("year == 2019", output_fields=["cat", "year"])
        equal({row["id"]: (row["cat"], row["year"]) for row in found},
              {row["id"]: (row["primary_cat"], 2019) for row in rows if row["year"] == 2019})
        hit = search(collection, short(world.vectors[9:10]), 1, output_fields=["cat"])[0][0]
        equal(hit.entity.get("cat"), rows[9]["primary_cat"])
    remove("rows_json")


def as_object(value):
    """Some clients hand JSON out as text or bytes."""
    import json

    return json.loads(value) if isinstance(value, (str, bytes)) else value


def arrays(world, report):
    if not hasattr(DataType, "ARRAY"):
        raise Absent("no ARRAY in this client")
    fields = [key(), FieldSchema("cats", DataType.ARRAY, element_type=DataType.VARCHAR, max_capacity=16, max_length=32),
              FieldSchema("spans", DataType.ARRAY, element_type=DataType.INT64, max_capacity=8), vector()]
    collection = fresh("rows_array", fields)
    rows = world.rows[:200]
    collection.insert([[row["id"] for row in rows], [row["categories"] for row in rows], [[row["year"], row["n_authors"]] for row in rows],
                       short(world.vectors[:200]).tolist()])
    flush(collection)
    index(collection)
    collection.load()
    with report.check("arrays come back"):
        found = collection.query("id in [0, 7]", output_fields=["cats", "spans"])
        equal({row["id"]: (list(row["cats"]), list(row["spans"])) for row in found},
              {at: (rows[at]["categories"], [rows[at]["year"], rows[at]["n_authors"]]) for at in (0, 7)})
    with report.check("array_contains, array_length, elements"):
        found = collection.query('array_contains(cats, "cs.LG")', output_fields=["id"])
        equal({row["id"] for row in found}, {row["id"] for row in rows if "cs.LG" in row["categories"]})
        found = collection.query("array_length(cats) == 3 and spans[0] > 2010", output_fields=["id"])
        equal({row["id"] for row in found}, {row["id"] for row in rows if len(row["categories"]) == 3 and row["year"] > 2010})
    remove("rows_array")


def nulls(world, report):
    if not world.since(2, 5):
        raise Absent("no nullable fields in this client")
    if not world.elanus:
        raise Absent("not in a server of 2.3")
    fields = [key(), FieldSchema("year", DataType.INT64, nullable=True), FieldSchema("kind", DataType.VARCHAR, max_length=20, default_value="paper"), vector()]
    collection = fresh("rows_null", fields)
    vectors = short(world.vectors[:4]).tolist()
    collection.insert([{"id": 0, "vector": vectors[0]}, {"id": 1, "year": None, "kind": "talk", "vector": vectors[1]}])
    collection.insert([{"id": 2, "year": 2000, "kind": None, "vector": vectors[2]}])
    index(collection)
    collection.load()
    with report.check("a missing value is null, or the default where there is one"):
        found = collection.query("id >= 0", output_fields=["year", "kind"])
        equal({row["id"]: (row["year"], row["kind"]) for row in found}, {0: (None, "paper"), 1: (None, "talk"), 2: (2000, "paper")})
    with report.check("is null, is not null"):
        equal([row["id"] for row in collection.query("year is not null", output_fields=["id"])], [2])
        equal(sorted(row["id"] for row in collection.query("year is null", output_fields=["id"])), [0, 1])
    with report.check("null where it is not allowed is refused"):
        refused(lambda: collection.insert([{"id": None, "vector": vectors[3]}]))
    remove("rows_null")


def many(world, report):
    """Row counts stay true over several flushes and loads."""
    collection = indexed(world, "rows_many", 1500)
    with report.check("num_entities after three inserts and flushes"):
        insert_papers(world, collection, 1500, 2000)
        equal(flush(collection), 2000)
        insert_papers(world, collection, 2000, 2600)
        equal(flush(collection), 2600)
    with report.check("each row is found once"):
        found = collection.query("id >= 0 and id < 5000", output_fields=["id"])
        equal(sorted(row["id"] for row in found), list(range(2600)))
        equal(utility.has_collection("rows_many"), True)
    remove("rows_many")
