"""Values, filters and parameters that cannot be: refused with the code and the words of the contract, and nothing is lost."""

import struct

from pymilvus import DataType

from checks.types import dense, made, message, opened, row
from world import equal


def refusals(report, cases):
    """Cases are (what, call, fragments); a code of the caller's kind must come with them."""
    for what, call, *fragments in cases:
        with report.check(f"refused: {what}"):
            said = message(call)
            assert any(code in said for code in ("1100", "1101", "1700", "1701")), said
            assert all(fragment.lower() in said.lower() for fragment in fragments), said


def rows(world, report):
    client, name = opened(world), "bad_values"
    schema = dense(client, enable_dynamic_field=True)
    schema.add_field("need", DataType.INT64)
    for field, kind, options in (
        ("byte", DataType.INT8, {}), ("word", DataType.VARCHAR, {"max_length": 5}), ("doc", DataType.JSON, {}), ("float", DataType.FLOAT, {}),
        ("double", DataType.DOUBLE, {}), ("longs", DataType.ARRAY, {"element_type": DataType.INT64, "max_capacity": 3}),
        ("words", DataType.ARRAY, {"element_type": DataType.VARCHAR, "max_length": 3, "max_capacity": 3}),
        ("place", DataType.GEOMETRY, {}), ("at", DataType.TIMESTAMPTZ, {}),
    ):
        schema.add_field(field, kind, nullable=True, **options)
    made(client, name, schema, vector="L2")
    client.insert(name, [row(1, need=1, word="abc", doc={"a": 1})])

    def put(**fields):
        return lambda: client.insert(name, [row(2, **{"need": 1, **fields})])

    refusals(report, [
        ("a null where there must be a value", put(need=None), "need"),
        ("a text over max_length", put(word="abcdef"), "exceeds max length"),
        ("a text over max_length in bytes", put(word="größe"), "exceeds max length"),
        ("an element over max_length", put(words=["abcd"]), "exceeds max length"),
        ("more elements than max_capacity", put(longs=[1, 2, 3, 4]), "exceeds max capacity"),
        ("a number outside of its width", put(byte=128), "byte"),
        ("no shape", put(place="POINT (1"), "invalid geometry data"),
        ("a shape that is not closed", put(place="POLYGON ((0 0, 1 0, 1 1))"), "invalid geometry data"),
        ("no moment", put(at="yesterday"), "invalid timestamptz string"),
        ("a moment that is not in the calendar", put(at="2025-02-30T00:00:00Z"), "invalid timestamptz string"),
        ("a moment after the year 9999", put(at="10000-01-01T00:00:00Z"), "timestamptz"),
        ("NaN in a float", put(float=float("nan")), "is not a number or infinity"),
        ("infinity in a double", put(double=float("inf")), "is not a number or infinity"),
        ("JSON over 65,536 bytes", put(doc={"a": "x" * 65_537}), "exceeds max length (65536)"),
        ("a dynamic row over 65,536 bytes", put(extra="x" * 65_537), "exceeds max length (65536)"),
        ("a vector of another dimension", lambda: client.insert(name, [{"id": 2, "vector": [1.0], "need": 1}]), "dim"),
    ])
    with report.check("refused: what is no JSON, what is no UTF-8, as bytes on the wire"):
        from pymilvus.grpc_gen import milvus_pb2, schema_pb2

        handler = client._get_connection() if hasattr(client, "_get_connection") else client._handler
        stub = getattr(handler, "_stub", None) or handler.stub
        fields = [
            schema_pb2.FieldData(type=DataType.INT64, field_name="id", scalars=schema_pb2.ScalarField(long_data=schema_pb2.LongArray(data=[2]))),
            schema_pb2.FieldData(type=DataType.INT64, field_name="need", scalars=schema_pb2.ScalarField(long_data=schema_pb2.LongArray(data=[1]))),
            schema_pb2.FieldData(type=DataType.FLOAT_VECTOR, field_name="vector",
                                 vectors=schema_pb2.VectorField(dim=2, float_vector=schema_pb2.FloatArray(data=[1.0, 1.0]))),
        ]
        for text in (b"{", b"", b"{'a': 1}", b'{"a": \xff}', b"[" * 100_000, b'{"a": 1} x'):
            doc = schema_pb2.FieldData(type=DataType.JSON, field_name="doc", scalars=schema_pb2.ScalarField(json_data=schema_pb2.JSONArray(data=[text])))
            answer = stub.Insert(milvus_pb2.InsertRequest(collection_name=name, fields_data=[*fields, doc], num_rows=1))
            equal((answer.status.code, answer.insert_cnt), (1100, 0))
        word = schema_pb2.FieldData(type=DataType.VARCHAR, field_name="word", scalars=schema_pb2.ScalarField(string_data=schema_pb2.StringArray(data=["ok"])))
        request = milvus_pb2.InsertRequest(collection_name=name, fields_data=[*fields, word], num_rows=1).SerializeToString()
        bent = request.replace(struct.pack("2s", b"ok"), b"\xff\xfe", 1)
        assert bent != request, "the bytes are there to be bent"
        sender = handler._channel.unary_unary("/milvus.proto.milvus.MilvusService/Insert", request_serializer=lambda message: message,
                                              response_deserializer=milvus_pb2.MutationResult.FromString)
        try:
            answer = sender(bent)
            assert answer.status.code != 0 and answer.insert_cnt == 0, answer
        except Exception as error:  # noqa: BLE001 - a refusal by the decoder is as good
            assert "Unavailable" not in type(error).__name__, repr(error)
    with report.check("nothing of them is stored, and the next row is"):
        client.insert(name, [row(3, need=1, word="grün")])
        equal([(one["id"], one["word"]) for one in client.query(name, filter="id >= 0", output_fields=["word"])], [(1, "abc"), (3, "grün")])
    client.drop_collection(name)


def filters(world, report):
    client, name = opened(world), "bad_filters"
    schema = dense(client)
    schema.add_field("word", DataType.VARCHAR, max_length=9)
    schema.add_field("longs", DataType.ARRAY, element_type=DataType.INT64, max_capacity=3)
    schema.add_field("doc", DataType.JSON)
    made(client, name, schema, vector="L2")
    client.insert(name, [row(at, word=f"w{at}", longs=[at], doc={"n": at}) for at in range(5)])

    def ask(text, **templates):
        return lambda: client.query(name, filter=text, output_fields=["id"], filter_params=templates)

    parse = "failed to create query plan: cannot parse expression"
    refusals(report, [
        (text, ask(text), parse, *fragments) for text, *fragments in [
            ("nothing > 1", "field nothing not exist"), ("unknown(id)",), ("word == 5", "comparisons between VarChar and Int64 are not supported"),
            ("id == 'x'",), ("id in [1.0]", "cannot cast value to Int64"), ("5 < id < 3", "invalid range: lowerbound is greater than upperbound"),
            ("word == doc", "two column comparison with JSON type is not supported"), ("id << 1 == 2", "shift is not supported"), ("id",
             "predicate is not a boolean expression"), ("vector == 1",), ("vector is null",), ("longs[0] is null",), ("longs == 1",), ("id like 'x'",),
            ("id % 0 == 1",), ("id / 0 == 1",), ("id % 1.5 == 1",), ("9223372036854775808 == id",), ("word == 'open",), ('word == "open',),
            ("((((",), ("id == 1 id == 2",), ("id = 1",), ("text_match(word, 'x')", 'field "word" does not enable match'), ("word =~ '['",
             "invalid regex pattern"), ("random_sample(1.5)",), ("random_sample(0.5) or id == 1",), ("array_contains(longs, 'x')",),
            ("array_contains(id, 1)",), ("exists id",), ("id & 1 == 1",), ("word < 'a' < 'b'",), ("not (id)",), ("id in {}",),
            ("id == nan", "field nan not exist"), ("id < inf", "field inf not exist"), ("id < 1e999", "expected a floating number of 64 bits"),
            ("id > 9223372036854775807 + 1", "overflows int64"),
        ]
    ])
    refusals(report, [
        ("a template that is missing", ask("id == {x}"), "the value of expression template variable name {x} is not found"),
        ("a template of another type", ask("id == {x}", x="a"), "comparisons between Int64 and VarChar are not supported"),
        ("a template that is no list", ask("id in {x}", x=5), "the value of term expression template variable {x} is not array"),
        ("a list of another type", ask("id in {x}", x=["a"]), "cannot parse expression"),
        ("a template between constants", ask("{x} == 1", x=5), "placeholder was not supported between two constants"),
        ("10,000 parentheses", ask("(" * 10_000 + "id == 1" + ")" * 10_000), "cannot parse expression"),
        ("10,000 times not", ask("not " * 10_000 + "(id == 1)"), "cannot parse expression"),
        ("10,000 signs", ask("-" * 10_000 + "id == 1"), "cannot parse expression"),
        ("a list 10,000 deep", ask("doc == " + "[" * 10_000 + "]" * 10_000), "cannot parse expression"),
        ("a JSON path 10,000 deep", ask("doc" + "['n']" * 10_000 + " == 1 and"), "cannot parse expression"),
        ("no filter and no limit", lambda: client.query(name, filter=""), "empty expression should be used with limit"),
        ("a delete of everything", lambda: client.delete(name, filter="1 == 1"), "delete plan can't be empty or always true"),
        ("a delete that cannot be read", lambda: client.delete(name, filter="id >"), "failed to create delete plan: cannot parse expression"),
        ("a part of a JSON field as output", lambda: client.query(name, filter="id > 0", output_fields=["doc['n']"]), "subkeys of json field"),
        ("an unknown output field", lambda: client.query(name, filter="id > 0", output_fields=["nothing"]), "nothing"),
        ("search by a key that is not there", lambda: client.search(name, ids=[1, 77], limit=2, anns_field="vector"),
         "some of the provided primary key IDs do not exist"),
    ])
    with report.check("NaN and infinity come as templates: nothing is equal to them, everything is less than infinity"):
        for text, value, count in (("id == {x}", "nan", 0), ("id < {x}", "nan", 0), ("id != {x}", "nan", 5), ("not (id > {x})", "nan", 5), ("id < {x}", "inf", 5),
                                   ("id <= {x}", "-inf", 0), ("doc['n'] == {x}", "nan", 0)):
            equal(len(ask(text, x=float(value))()), count)
    with report.check("100,000 values in a list, as text and as a template"):
        many = list(range(4, 400_004, 4))
        equal(len(ask(f"id in {many}")()), 1)
        equal(len(ask("id not in {x}", x=many)()), 4)
    with report.check("a filter of 10 MB answers"):
        equal(len(ask("id in [" + ", ".join(["1234567"] * 1_100_000) + ", 3]")()), 1)
    with report.check("20,000 conditions answer"):
        equal(len(ask(" or ".join(f"id == {at}" for at in range(20_000)))()), 5)
        equal(len(ask(" and ".join(["id >= 1"] * 20_000))()), 4)
    with report.check("search by keys finds the rows themselves"):
        equal([hits[0]["id"] for hits in client.search(name, ids=[2, 4], limit=1, anns_field="vector")], [2, 4])
    with report.check("after all of them every row is there"):
        equal(len(ask("id >= 0")()), 5)
    client.drop_collection(name)


def schemas(world, report):
    client, name = opened(world), "bad_schemas"

    def make(*fields, options=None, **rest):
        def call():
            schema = client.create_schema(**(options or {}))
            schema.add_field("id", DataType.INT64, is_primary=True)
            for field, kind, more in fields:
                schema.add_field(field, kind, **more)
            client.create_collection(name, schema=schema, **rest)
        return call

    vector = ("vector", DataType.FLOAT_VECTOR, {"dim": 2})
    refusals(report, [
        ("a dimension of 1", make(("vector", DataType.FLOAT_VECTOR, {"dim": 1})), "invalid dimension: 1. should be in range 2 ~ 32768"),
        ("a sparse vector with a dimension", make(("vector", DataType.SPARSE_FLOAT_VECTOR, {"dim": 8})), "dim should not be specified for sparse vector field"),
        ("VARCHAR without max_length", make(vector, ("word", DataType.VARCHAR, {})), "max_length"),
        ("an array of no elements", make(vector, ("a", DataType.ARRAY, {"element_type": DataType.INT64, "max_capacity": 0})),
         "the maximum capacity specified for a Array should be in (0, 4096]"),
        ("a keyword as name", make(vector, ("like", DataType.INT64, {})), "like is keyword in milvus"),
        ("65 fields", make(vector, *[(f"f{at}", DataType.INT64, {}) for at in range(63)]), "maximum field's number should be limited to 64"),
        ("11 vector fields", make(*[(f"f{at}", DataType.FLOAT_VECTOR, {"dim": 2}) for at in range(11)]), "maximum vector field's number should be limited to 10"),
        ("a nullable partition key", make(vector, ("k", DataType.INT64, {"is_partition_key": True, "nullable": True})), "partition key field not support nullable"),
        ("a default over max_length", make(vector, ("word", DataType.VARCHAR, {"max_length": 2, "default_value": "abc"})), "exceeds max length"),
        ("a default outside of its width", make(vector, ("n", DataType.INT8, {"default_value": 300})), "n"),
        ("a description over 1,024 bytes", make(vector, options={"description": "x" * 1025}), "description"),
        ("a time to live of a million years", make(vector, properties={"collection.ttl.seconds": str(10**14)}), "TTL is out of range"),
    ])
    with report.check("refused: a vector as clustering key, with a code of its own"):
        assert message(make(("vector", DataType.FLOAT_VECTOR, {"dim": 2, "is_clustering_key": True}))).startswith("107"), "code 107"
    with report.check("no collection is left of them"):
        equal(client.has_collection(name), False)
    with report.check("the same collection again, also after its dynamic field was enabled"):
        make(vector)()
        make(vector)()
        client.alter_collection_properties(name, properties={"dynamicfield.enabled": True})
        make(vector, options={"enable_dynamic_field": True})()
        assert "different parameters" in message(make(vector)), "another schema"
    with report.check("refused: dropping one of several indexes of a field without its name, code 702"):
        client.drop_collection(name)
        make(vector, ("doc", DataType.JSON, {}))()
        params = client.prepare_index_params()
        for at in ("a", "b"):
            params.add_index("doc", index_type="INVERTED", index_name=at, params={"json_path": f"doc['{at}']", "json_cast_type": "double"})
        client.create_index(name, params)
        from pymilvus.grpc_gen import milvus_pb2

        handler = client._get_connection() if hasattr(client, "_get_connection") else client._handler
        stub = getattr(handler, "_stub", None) or handler.stub
        answer = stub.DropIndex(milvus_pb2.DropIndexRequest(collection_name=name, field_name="doc"))
        equal(answer.code, 702)
        equal(len(client.list_indexes(name)), 2)
        client.drop_index(name, "a")
        equal(client.list_indexes(name), ["b"])
    client.drop_collection(name)
