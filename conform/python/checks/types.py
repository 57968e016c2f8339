"""Every type of field, in and out: while rows grow, after a flush, and what is refused."""

import json

import numpy as np
from pymilvus import DataType

from refusal import refused
from report import Absent
from world import equal

ROWS = 40


def opened(world):
    if not world.since(3, 0):
        raise Absent("not every type in this client")
    if not world.elanus:
        raise Absent("not in a server of 2.3")
    return world.client()


def opened_newer(world):
    """For what clients have from 2.6 on."""
    if not world.elanus or not world.since(2, 6):
        raise Absent("not in this client")
    return world.client()


def made(client, name, schema, **indexes):
    if client.has_collection(name):
        client.drop_collection(name)
    params = client.prepare_index_params()
    for field, metric in indexes.items():
        params.add_index(field, index_type="AUTOINDEX", metric_type=metric)
    client.create_collection(name, schema=schema, index_params=params, consistency_level="Strong")
    client.load_collection(name)


def dense(client, **options):
    schema = client.create_schema(**options)
    schema.add_field("id", DataType.INT64, is_primary=True)
    schema.add_field("vector", DataType.FLOAT_VECTOR, dim=2)
    return schema


def row(key, **fields):
    return {"id": key, "vector": [float(key), 1.0], **fields}


def twice(client, name, report, what, check):
    """Runs a check on rows in memory and again on rows in a file."""
    with report.check(what):
        check()
    client.flush(name)
    with report.check(f"{what}, from a file"):
        check()


def message(call):
    error = refused(call)
    return f"{getattr(error, 'code', '')} {error}"


def vectors(world, report):
    client, name = opened(world), "types_vectors"
    schema = client.create_schema()
    schema.add_field("id", DataType.INT64, is_primary=True)
    schema.add_field("half", DataType.FLOAT16_VECTOR, dim=4)
    schema.add_field("brain", DataType.BFLOAT16_VECTOR, dim=4)
    schema.add_field("bytes", DataType.INT8_VECTOR, dim=4)
    schema.add_field("sparse", DataType.SPARSE_FLOAT_VECTOR)
    made(client, name, schema, half="L2", brain="L2", bytes="L2")
    random = np.random.default_rng(7)
    floats = random.integers(-8, 8, (ROWS, 4)).astype(np.float32)
    brains = [(vector.view(np.uint32) >> 16).astype(np.uint16).tobytes() for vector in floats]
    sparse = [{int(i): float(v) for i, v in zip(random.choice(90, 5, replace=False), random.integers(1, 9, 5), strict=True)} for _ in range(ROWS)]
    client.insert(name, [{"id": at, "half": floats[at].astype(np.float16), "brain": brains[at], "bytes": floats[at].astype(np.int8), "sparse": sparse[at]}
                         for at in range(ROWS)])
    truth = ((floats - floats[3]) ** 2).sum(axis=1)

    def back():
        found = client.query(name, ids=[0, 7], output_fields=["half", "brain", "bytes", "sparse"])
        for one in found:
            equal(np.frombuffer(one["half"][0] if isinstance(one["half"], list) else one["half"], np.float16).tolist(), floats[one["id"]].tolist())
            given = one["brain"][0] if isinstance(one["brain"], list) else one["brain"]
            equal(given if isinstance(given, bytes) else np.asarray(given).tobytes(), brains[one["id"]])
            equal(np.frombuffer(one["bytes"][0] if isinstance(one["bytes"], list) else one["bytes"], np.int8).tolist(), floats[one["id"]].astype(int).tolist())
            equal({int(i): v for i, v in one["sparse"].items()}, sparse[one["id"]])

    def nearest():
        for field, query in [("half", floats[3].astype(np.float16)), ("brain", brains[3]), ("bytes", floats[3].astype(np.int8))]:
            hits = client.search(name, [query], anns_field=field, limit=5, search_params={"metric_type": "L2"})[0]
            equal([hit["distance"] for hit in hits], sorted(truth)[:5])
        hits = client.search(name, [sparse[3]], anns_field="sparse", limit=3, search_params={"metric_type": "IP"})[0]
        products = sorted((sum(v * row.get(i, 0) for i, v in sparse[3].items()) for row in sparse), reverse=True)
        equal([hit["distance"] for hit in hits], products[:3])

    twice(client, name, report, "float16, bfloat16, int8 and sparse vectors come back", back)
    twice(client, name, report, "they are searched", nearest)
    with report.check("what is no such vector is refused"):
        good = {"id": 1, "half": floats[0].astype(np.float16), "brain": brains[0], "bytes": floats[0].astype(np.int8), "sparse": {1: 1.0}}
        assert "number or infinity" in message(lambda: client.insert(name, [{**good, "half": np.array([np.nan] * 4, np.float16)}]))
        assert "negative value in sparse" in message(lambda: client.insert(name, [{**good, "sparse": {1: -1.0}}]))
    client.drop_collection(name)


def arrays(world, report):
    client, name = opened(world), "types_arrays"
    schema = dense(client)
    kinds = {"bools": DataType.BOOL, "bytes": DataType.INT8, "shorts": DataType.INT16, "ints": DataType.INT32, "longs": DataType.INT64,
             "floats": DataType.FLOAT, "doubles": DataType.DOUBLE}
    for field, kind in kinds.items():
        schema.add_field(field, DataType.ARRAY, element_type=kind, max_capacity=4, nullable=True)
    schema.add_field("texts", DataType.ARRAY, element_type=DataType.VARCHAR, max_capacity=4, max_length=5, nullable=True)
    made(client, name, schema, vector="L2")
    given = []
    for at in range(ROWS):
        count = at % 5
        values = {"bools": [i % 2 == 0 for i in range(count)], "texts": ["é" * (i % 3) for i in range(count)]}
        for field in ("bytes", "shorts", "ints", "longs"):
            values[field] = [i - at for i in range(count)]
        for field in ("floats", "doubles"):
            values[field] = [i / 4 - at for i in range(count)]
        if at % 7 == 3:
            values = dict.fromkeys(values)
        given.append(row(at, **values))
    client.insert(name, given)

    def back():
        found = client.query(name, filter="id >= 0", output_fields=[*kinds, "texts"])
        for one in sorted(found, key=lambda one: one["id"]):
            want = {field: given[one["id"]][field] for field in [*kinds, "texts"]}
            equal({field: one[field] if one[field] is None else list(one[field]) for field in want}, want)

    twice(client, name, report, "arrays of every type come back", back)
    with report.check("too many elements, too long elements, elements out of range are refused"):
        empty = dict.fromkeys([*kinds, "texts"], [])
        assert "1100" in message(lambda: client.insert(name, [row(1, **{**empty, "longs": [1, 2, 3, 4, 5]})]))
        assert "exceeds max capacity" in message(lambda: client.insert(name, [row(1, **{**empty, "longs": [1, 2, 3, 4, 5]})]))
        assert "exceeds max length" in message(lambda: client.insert(name, [row(1, **{**empty, "texts": ["abcdef"]})]))
        assert "does not fit Int8" in message(lambda: client.insert(name, [row(1, **{**empty, "bytes": [128]})]))
    client.drop_collection(name)


def moments_and_shapes(world, report):
    client, name = opened(world), "types_moments"
    schema = dense(client)
    schema.add_field("at", DataType.TIMESTAMPTZ, nullable=True)
    schema.add_field("since", DataType.TIMESTAMPTZ, default_value="2024-01-01T00:00:00Z")
    schema.add_field("place", DataType.GEOMETRY, nullable=True)
    made(client, name, schema, vector="L2")
    client.insert(name, [
        row(0, at="2025-01-31T08:00:00+08:00", place="POINT(1 2)"),
        row(1, at="2025-01-31 00:00:00.5", since="1999-12-31T23:00:00-01:00", place="POLYGON((0 0,4 0,4 4,0 0))"),
        row(2, at=None, place=None),
    ])

    def back():
        found = {one["id"]: one for one in client.query(name, filter="id >= 0", output_fields=["at", "since", "place"])}
        equal([found[at]["at"] for at in range(3)], ["2025-01-31T00:00:00Z", "2025-01-31T00:00:00.5Z", None])
        equal([found[at]["since"] for at in range(3)], ["2024-01-01T00:00:00Z", "2000-01-01T00:00:00Z", "2024-01-01T00:00:00Z"])
        equal([found[at]["place"] for at in range(3)], ["POINT (1 2)", "POLYGON ((0 0, 4 0, 4 4, 0 0))", None])
        found = client.query(name, ids=[0], output_fields=["at"], timezone="Asia/Shanghai")
        equal(found[0]["at"], "2025-01-31T08:00:00+08:00")

    twice(client, name, report, "moments come back in the zone asked for, shapes as WKT", back)
    with report.check("the collection's own zone"):
        client.alter_collection_properties(name, properties={"timezone": "America/New_York"})
        equal(client.query(name, ids=[0], output_fields=["at"])[0]["at"], "2025-01-30T19:00:00-05:00")
        client.insert(name, [row(3, at="2025-07-01T00:00:00")])
        equal(client.query(name, ids=[3], output_fields=["at"], timezone="UTC")[0]["at"], "2025-07-01T04:00:00Z")
    with report.check("what is no moment, no shape and no zone is refused"):
        assert "1100" in message(lambda: client.insert(name, [row(9, at="yesterday")]))
        assert "invalid timestamptz string" in message(lambda: client.insert(name, [row(9, at="yesterday")]))
        assert "invalid geometry" in message(lambda: client.insert(name, [row(9, place="POINT (1)")]))
        assert "timezone" in message(lambda: client.query(name, ids=[0], output_fields=["at"], timezone="Nowhere/Land"))
        assert "timezone" in message(lambda: client.alter_collection_properties(name, properties={"timezone": "Nowhere/Land"}))
    client.drop_collection(name)


def texts_and_null_vectors(world, report):
    client, name = opened(world), "types_texts"
    schema = client.create_schema()
    schema.add_field("id", DataType.INT64, is_primary=True)
    schema.add_field("vector", DataType.FLOAT_VECTOR, dim=2, nullable=True)
    schema.add_field("sparse", DataType.SPARSE_FLOAT_VECTOR, nullable=True)
    schema.add_field("body", DataType.TEXT, nullable=True)
    made(client, name, schema, vector="L2")
    long = "lorem ipsum ☂ " * 30_000
    client.insert(name, [
        {"id": 0, "vector": [0.0, 1.0], "sparse": {1: 1.0}, "body": long},
        {"id": 1, "vector": None, "sparse": None, "body": ""},
        {"id": 2, "vector": [2.0, 1.0], "sparse": {7: 2.0}, "body": None},
    ])

    def back():
        found = {one["id"]: one for one in client.query(name, filter="id >= 0", output_fields=["vector", "sparse", "body"])}
        equal([found[at]["body"] for at in range(3)], [long, "", None])
        equal([found[at]["vector"] and [float(x) for x in found[at]["vector"]] for at in range(3)], [[0.0, 1.0], None, [2.0, 1.0]])
        equal([found[at]["sparse"] for at in range(3)], [{1: 1.0}, None, {7: 2.0}])

    def nearest():
        hits = client.search(name, [[1.9, 1.0]], anns_field="vector", limit=5, output_fields=["vector"])[0]
        equal([hit["id"] for hit in hits], [2, 0])

    twice(client, name, report, "long texts and absent vectors come back", back)
    twice(client, name, report, "rows without a vector are not found", nearest)
    client.drop_collection(name)


def structs(world, report):
    client, name = opened(world), "types_structs"
    schema = dense(client)
    part = client.create_struct_field_schema()
    part.add_field("name", DataType.VARCHAR, max_length=20)
    part.add_field("count", DataType.INT16)
    part.add_field("clip", DataType.FLOAT_VECTOR, dim=3)
    schema.add_field("parts", DataType.ARRAY, element_type=DataType.STRUCT, struct_schema=part, max_capacity=3)
    made(client, name, schema, vector="L2")
    given = [row(at, parts=[{"name": f"n{at}-{i}", "count": i - at, "clip": [float(at), float(i), 0.5]} for i in range(at % 4)]) for at in range(ROWS)]
    client.insert(name, given)

    def back():
        found = client.query(name, filter="id >= 0", output_fields=["parts"])
        for one in found:
            parts = [{**part, "clip": [float(x) for x in part["clip"]]} for part in one["parts"]]
            equal(parts, given[one["id"]]["parts"])

    with report.check("describe tells the struct"):
        told = client.describe_collection(name)
        assert "parts" in json.dumps(told, default=str), told
    twice(client, name, report, "arrays of structs with vectors come back", back)
    with report.check("too many structs are refused"):
        many = [{"name": "x", "count": 1, "clip": [0.0, 0.0, 0.0]}] * 4
        assert "exceeds max capacity" in message(lambda: client.insert(name, [row(99, parts=many)]))
    client.drop_collection(name)


def living_schema(world, report):
    client, name = opened(world), "types_living"
    schema = dense(client)
    schema.add_field("label", DataType.VARCHAR, max_length=4)
    schema.add_field("tags", DataType.ARRAY, element_type=DataType.INT64, max_capacity=2, nullable=True)
    made(client, name, schema, vector="L2")
    client.insert(name, [row(0, label="a", tags=[1]), row(1, label="b", tags=None)])
    client.flush(name)
    client.insert(name, [row(2, label="c", tags=[])])
    with report.check("a field added later is null, or its default, in older rows"):
        client.add_collection_field(name, field_name="year", data_type=DataType.INT64, nullable=True)
        client.add_collection_field(name, field_name="kind", data_type=DataType.VARCHAR, max_length=9, nullable=True, default_value="paper")
        client.add_collection_field(name, field_name="seen", data_type=DataType.TIMESTAMPTZ, nullable=True)
        client.add_collection_field(name, field_name="more", data_type=DataType.ARRAY, element_type=DataType.VARCHAR, max_capacity=3, max_length=9, nullable=True)
        client.insert(name, [row(3, label="d", tags=[2], year=1999, kind="talk", seen="2025-01-01T00:00:00Z", more=["x"])])
        found = {one["id"]: one for one in client.query(name, filter="id >= 0", output_fields=["year", "kind", "seen", "more"])}
        equal([found[at]["year"] for at in range(4)], [None, None, None, 1999])
        equal([found[at]["kind"] for at in range(4)], ["paper", "paper", "paper", "talk"])
        equal([found[at]["more"] and list(found[at]["more"]) for at in range(4)], [None, None, None, ["x"]])
        equal([one["id"] for one in client.query(name, filter="kind == 'paper' and year is null", output_fields=["id"])], [0, 1, 2])
    with report.check("max_length and max_capacity grow"):
        assert "exceeds max length" in message(lambda: client.insert(name, [row(4, label="abcdef", tags=None)]))
        client.alter_collection_field(name, field_name="label", field_params={"max_length": 8})
        client.alter_collection_field(name, field_name="tags", field_params={"max_capacity": 5})
        client.insert(name, [row(4, label="abcdef", tags=[1, 2, 3, 4, 5])])
        assert "1100" in message(lambda: client.alter_collection_field(name, field_name="label", field_params={"max_length": 2}))
    with report.check("the dynamic field can be enabled, not disabled"):
        client.alter_collection_properties(name, properties={"dynamicfield.enabled": True})
        client.insert(name, [row(5, label="e", tags=None, color="red")])
        found = client.query(name, filter="color == 'red'", output_fields=["color"])
        equal([(one["id"], one["color"]) for one in found], [(5, "red")])
        assert "disabled" in message(lambda: client.alter_collection_properties(name, properties={"dynamicfield.enabled": False}))
    with report.check("a struct can be added"):
        part = client.create_struct_field_schema()
        part.add_field("word", DataType.VARCHAR, max_length=20)
        client.add_collection_struct_field(name, field_name="parts", struct_schema=part, max_capacity=3, nullable=True)
        client.insert(name, [row(6, label="f", tags=None, parts=[{"word": "hi"}])])
        found = {one["id"]: one["parts"] for one in client.query(name, ids=[0, 6], output_fields=["parts"])}
        equal(found, {0: None, 6: [{"word": "hi"}]})
    with report.check("a dropped field is gone, and its name free for another"):
        client.drop_collection_field(name, field_name="year")
        assert "year" not in [field["name"] for field in client.describe_collection(name)["fields"]]
        client.add_collection_field(name, field_name="year", data_type=DataType.VARCHAR, max_length=9, nullable=True)
        equal({one["year"] for one in client.query(name, filter="id >= 0", output_fields=["year"])}, {None})
        assert "cannot be dropped" in message(lambda: client.drop_collection_field(name, field_name="id"))
        assert "vector field" in message(lambda: client.drop_collection_field(name, field_name="vector"))
    with report.check("an added field must be nullable and new"):
        assert "must be nullable" in message(lambda: client.add_collection_field(name, field_name="n", data_type=DataType.INT64))
        assert "duplicate field name" in message(lambda: client.add_collection_field(name, field_name="label", data_type=DataType.INT64, nullable=True))
    client.flush(name)
    with report.check("all of it from a file"):
        found = {one["id"]: one for one in client.query(name, filter="id >= 0", output_fields=["label", "kind", "parts", "year"])}
        equal([found[at]["label"] for at in range(7)], ["a", "b", "c", "d", "abcdef", "e", "f"])
        equal([found[at]["kind"] for at in range(4)], ["paper", "paper", "paper", "talk"])
        equal(found[6]["parts"], [{"word": "hi"}])
    client.drop_collection(name)


def partial_update(world, report):
    client, name = opened(world), "types_partial"
    schema = dense(client, enable_dynamic_field=True)
    schema.add_field("label", DataType.VARCHAR, max_length=9)
    schema.add_field("year", DataType.INT64, nullable=True)
    schema.add_field("tags", DataType.ARRAY, element_type=DataType.INT64, max_capacity=4, nullable=True)
    made(client, name, schema, vector="L2")
    client.insert(name, [row(at, label=f"l{at}", year=2000 + at, tags=[at, 7], color="red", size=at) for at in range(3)])
    client.flush(name)
    client.insert(name, [row(3, label="l3", year=None, tags=None)])
    wanted = ["vector", "label", "year", "tags", "color", "size"]

    def told(key):
        one = client.get(name, ids=[key], output_fields=wanted)[0]
        return (one["label"], one["year"], one["tags"] if one["tags"] is None else list(one["tags"]), one.get("color"), one.get("size"), [float(x) for x in one["vector"]])

    with report.check("fields that are not given keep their values"):
        client.upsert(name, [{"id": 1, "label": "new"}, {"id": 3, "label": "three"}], partial_update=True)
        equal(told(1), ("new", 2001, [1, 7], "red", 1, [1.0, 1.0]))
        equal(told(3), ("three", None, None, None, None, [3.0, 1.0]))
        client.upsert(name, [{"id": 2, "year": None}], partial_update=True)
        equal(told(2), ("l2", None, [2, 7], "red", 2, [2.0, 1.0]))
        equal(client.query(name, filter="", output_fields=["count(*)"])[0]["count(*)"], 4)
    with report.check("dynamic keys are merged"):
        client.upsert(name, [{"id": 1, "color": "blue"}], partial_update=True)
        equal(told(1), ("new", 2001, [1, 7], "blue", 1, [1.0, 1.0]))
    with report.check("arrays grow and shrink by elements"):
        client.upsert(name, [{"id": 0, "tags": [8, 9]}], field_ops={"tags": "array_append"})
        equal(told(0)[2], [0, 7, 8, 9])
        client.upsert(name, [{"id": 0, "tags": [7, 9]}], field_ops={"tags": "array_remove"})
        equal(told(0), ("l0", 2000, [0, 8], "red", 0, [0.0, 1.0]))
        assert "exceeds max capacity" in message(lambda: client.upsert(name, [{"id": 0, "tags": [1, 2, 3]}], field_ops={"tags": "array_append"}))
    with report.check("a new key needs every field"):
        assert "not passed" in message(lambda: client.upsert(name, [{"id": 77, "label": "x"}], partial_update=True))
        client.upsert(name, [{"id": 77, "label": "x", "vector": [7.0, 7.0]}], partial_update=True)
        equal(told(77)[:3], ("x", None, None))
    with report.check("one key twice is refused"):
        assert "duplicate primary keys" in message(lambda: client.upsert(name, [{"id": 0, "label": "x"}, {"id": 0, "label": "y"}], partial_update=True))
    if hasattr(client, "add_collection_field"):
        with report.check("rows whose dynamic keys are older than a field of that name can be changed"):
            client.add_collection_field(name, field_name="size", data_type=DataType.INT64, nullable=True)
            client.upsert(name, [{"id": 1, "label": "more"}, {"id": 2, "label": "much"}], partial_update=True)
            client.upsert(name, [{"id": 1, "color": "green"}, {"id": 2, "color": "grey"}], partial_update=True)
            client.upsert(name, [{"id": 2, "size": 5}], partial_update=True)
            found = client.query(name, filter="$meta['size'] in [1, 2]", output_fields=["label", "size", "color"])
            equal([(one["id"], one["label"], one["size"], one["color"]) for one in found], [(1, "more", None, "green"), (2, "much", 5, "grey")])
    client.drop_collection(name)
