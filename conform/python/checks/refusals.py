"""Bad input: each must be refused, with the code and the words that Milvus's clients look for, and must lose nothing.

A case is (name, call, fragments, codes). Codes name the numeric code (2.3 clients on) and the early enum (before).
"""

import math

import numpy as np
from pymilvus import Collection, CollectionSchema, DataType, FieldSchema, connections, utility

from refusal import code_of, expect, refused, text_of
from report import Absent
from world import SHORT, equal, flush, fresh, index, indexed, insert_papers, key, narrow, papers, remove, search, short, vector

MISSING = (100, 4, 1)  # collection not found: the code, the early enum, and what DescribeCollection says to early clients
INVALID = (1100, 5, 1, 65535)
NOT_LOADED = (101, 1)
ONLY_OURS = {"M 1", "nprobe 0", "nprobe 65537", "ef below the limit"}  # a 2.3 server looks only when an index is built or used


def run(world, report, cases):
    """A server of 2.3 words many refusals otherwise: there only the refusal itself is looked at."""
    for name, call, fragments, codes in cases:
        if name in ONLY_OURS and not world.elanus:
            continue
        with report.check(name):
            error = refused(call)
            if world.elanus:
                expect(error, fragments, codes)


def names(world, report):
    def make(name):
        return lambda: fresh(name, [key(), vector()])

    def make_field(name):
        return lambda: fresh("bad_field", [key(), vector(name=name)])

    collection = fresh("bad_names", [key(), vector()])
    run(world, report, [
        ("collection name that begins with a digit", make("1abc"), ["Invalid collection name: 1abc", "first character"], INVALID),
        ("collection name with a hyphen", make("a-b"), ["Invalid collection name: a-b"], INVALID),
        ("collection name with a blank", make("a b"), ["Invalid collection name"], INVALID),
        ("collection name outside ASCII", make("größe"), ["Invalid collection name"], INVALID),
        ("collection name of 256 characters", make("n" * 256), ["Invalid collection name"], INVALID),
        ("field name that begins with a digit", make_field("2vec"), [("field name", "Invalid field name")], (1701, *INVALID)),
        ("partition name with a blank", lambda: collection.create_partition("a b"), ["Invalid partition name: a b"], INVALID),
        ("alias that is not a name", lambda: utility.create_alias("bad_names", "no!"), ["Invalid collection alias: no!"] if not world.elanus
         else ["Invalid"], INVALID),
        ("alias that is a collection's name", lambda: utility.create_alias("bad_names", "bad_names"), [], (1601, *INVALID)),
    ])
    if world.since(2, 2):
        run(world, report, [("index name with a blank", lambda: index(collection, index_name="a b"), ["Invalid index name: a b"], INVALID)])
    remove("bad_names")


def schemas(world, report):
    def make(fields, **options):
        return lambda: fresh("bad_schema", fields, **options)

    text = [FieldSchema("text", DataType.VARCHAR, max_length=70_000)] if world.since(2, 1) else []
    cases = [
        ("two primary keys", lambda: fresh("bad_schema", [key(), FieldSchema("other", DataType.INT64, is_primary=True), vector()]), [], INVALID),
        ("no primary key", lambda: fresh("bad_schema", [FieldSchema("id", DataType.INT64), vector()]), [], ()),
        ("a float as primary key", lambda: fresh("bad_schema", [FieldSchema("id", DataType.FLOAT, is_primary=True), vector()]), [], ()),
        ("a field twice", make([key(), vector(), vector()]), ["duplicate"], INVALID),
        ("no vector", make([key(), FieldSchema("year", DataType.INT64)]), ["vector field"], INVALID),
        ("dimension 0", make([key(), vector(0)]), ["invalid dimension: 0"], INVALID),
        ("dimension 32769", make([key(), vector(32_769)]), ["invalid dimension: 32769"], INVALID),
        ("binary dimension 12", make([key(), FieldSchema("bits", DataType.BINARY_VECTOR, dim=12)]), ["multiple of 8"], INVALID),
    ]
    if world.elanus:
        cases.append(("17 shards", make([key(), vector()], **({"num_shards": 17} if world.since(2, 2) else {"shards_num": 17})), ["16"], INVALID))
    if text:
        cases.append(("VARCHAR of 70,000", make([key(), *text, vector()]), ["65535"], INVALID))
    run(world, report, cases)
    with report.check("no collection is left of them"):
        equal(utility.has_collection("bad_schema"), False)


def missing(world, report):
    """A collection object outlives its collection: every call through it must say what is missing."""
    gone = papers(world, "bad_gone", 0)
    remove("bad_gone")
    not_found = [("collection not found", "can't find collection", "collection bad_gone doesn't exist")]
    query_vector = short(world.queries[:1])
    run(world, report, [
        ("load an unknown collection", gone.load, not_found, MISSING),
        ("search an unknown collection", lambda: search(gone, query_vector, 1), not_found, MISSING),
        ("query an unknown collection", lambda: gone.query("id > 0", output_fields=["id"]), not_found, MISSING),
        ("insert into an unknown collection", lambda: insert_papers(world, gone, 0, 1), not_found, MISSING),
        ("delete from an unknown collection", lambda: gone.delete("id in [1]"), not_found, MISSING),
        ("index an unknown collection", lambda: index(gone), not_found, MISSING),
        ("count an unknown collection", lambda: gone.num_entities, not_found, MISSING),
        ("list partitions of an unknown collection", lambda: gone.partitions, not_found, MISSING),
        ("open an unknown collection without a schema", lambda: Collection("bad_gone"), [], ()),
    ])
    collection = indexed(world, "bad_parts", 100)
    run(world, report, [
        ("search an unknown partition", lambda: search(collection, query_vector, 1, partition_names=["nope"]), ["nope", "not found"], (200, 15, *INVALID)),
        ("insert into an unknown partition", lambda: insert_papers(world, collection, 0, 1, partition_name="nope"), ["nope"], (200, 15, *INVALID)),
        ("load an unknown partition", lambda: collection.load(partition_names=["nope"]), [("nope", "partition not found")], (200, 15, *INVALID)),
        ("search an unknown field", lambda: search(collection, query_vector, 1, field="nope"), ["nope"], (1700, *INVALID)),
        ("output of an unknown field", lambda: collection.query("id > 0", output_fields=["nope"]), ["nope", ("not exist", "not found")],
         (1700, *INVALID)),
        ("filter on an unknown field", lambda: collection.query("nope > 1", output_fields=["id"]), ["cannot parse expression: nope > 1"], INVALID),
        ("index on an unknown field", lambda: index(collection, field="nope"), [("nope", "non-exist field")], (1700, *INVALID)),
    ])
    remove("bad_parts")


def loads(world, report):
    collection = papers(world, "bad_load", 100)
    index(collection)
    not_loaded = [("not loaded", "has not been loaded")]
    run(world, report, [
        ("search before load", lambda: search(collection, short(world.queries[:1]), 1), not_loaded, NOT_LOADED),
        ("query before load", lambda: collection.query("id > 0", output_fields=["id"]), not_loaded, NOT_LOADED),
    ])
    remove("bad_load")


def expressions(world, report):
    collection = indexed(world, "bad_words", 100)
    parse = ["cannot parse expression"]
    run(world, report, [(f"filter: {text}", lambda text=text: collection.query(text, output_fields=["id"]), parse, INVALID) for text in (
        "id >", "id in [", "(id > 1", "id == 1 and", 'id == "one"', "vector > 1", "id ? 1", "year in [1, 'a']",
    )])
    with report.check("search words it likewise"):
        expect(refused(lambda: search(collection, short(world.queries[:1]), 1, expr="id >")), parse if world.elanus else [], INVALID)
    with report.check("a filter nested 3,000 deep is refused or answered, and the server lives"):
        deep = "(" * 3000 + "id > 90" + ")" * 3000
        try:
            equal(len(collection.query(deep, output_fields=["id"])), 9)
        except AssertionError:
            raise
        except Exception as error:  # noqa: BLE001 - a refusal is as good
            assert "Unavailable" not in type(error).__name__, repr(error)
        equal(len(collection.query("id > 90", output_fields=["id"])), 9)
    remove("bad_words")


def inserts(world, report):
    collection = papers(world, "bad_rows", 10)
    good = [[100], [2000], narrow(np.int32, [1]), [True], narrow(np.float32, [0.5]), short(world.vectors[:1]).tolist()]

    def put(place, value):
        return lambda: collection.insert(good[:place] + [value] + good[place + 1:])

    wide = [[0.0] * (SHORT + 1)]
    run(world, report, [
        ("a vector of the wrong dimension", put(5, wide), ["dim"], (109, *INVALID)),
        ("text where a number belongs", put(1, ["old"]), [], (109, *INVALID)),
        ("a missing column", lambda: collection.insert(good[:5]), [], (109, *INVALID)),
        ("columns of different lengths", put(1, [1, 2]), [], (109, *INVALID)),
        ("NaN in a vector", put(5, [[math.nan] * SHORT]), ["NaN"], INVALID),
        ("infinity in a vector", put(5, [[math.inf] * SHORT]), ["inf"], INVALID),
    ] + ([("NaN in a float", put(4, narrow(np.float32, [math.nan])), ["NaN"], INVALID)] if world.elanus else []))
    with report.check("nothing of them is stored"):
        equal(flush(collection), 10)
    remove("bad_rows")
    if world.since(2, 1):
        fields = [key(), FieldSchema("text", DataType.VARCHAR, max_length=8), vector()]
        collection = fresh("bad_text", fields)
        vectors = short(world.vectors[:1]).tolist()
        run(world, report, [
            ("text over max_length", lambda: collection.insert([[1], ["123456789"], vectors]), ["exceeds max length"], INVALID),
            ("text over max_length in bytes", lambda: collection.insert([[1], ["größ€n"], vectors]), ["exceeds max length"], INVALID),
        ])
        with report.check("text of exactly max_length is taken"):
            collection.insert([[1], ["12345678" if world.since(2, 2) else "1234567"], vectors])  # early clients stop one short
            equal(flush(collection), 1)
        remove("bad_text")


def indexes(world, report):
    collection = papers(world, "bad_index", 1200)

    def make(index_type, metric="L2", field="vector", **params):
        return lambda: index(collection, field=field, index_type=index_type, metric=metric, params=params, timeout=20)

    run(world, report, [
        ("unknown index type", make("NOPE"), [("invalid index type: NOPE", "NOPE")], INVALID),
        ("unknown metric", make("IVF_FLAT", "NOPE", nlist=16), ["metric"], INVALID),
        ("metric of bits on floats", make("IVF_FLAT", "HAMMING", nlist=16), ["metric"], INVALID),
        ("index of bits on floats", make("BIN_FLAT", "HAMMING"), [], INVALID),
        ("nlist 0", make("IVF_FLAT", nlist=0), ["nlist", "range"], INVALID),
        ("nlist 65537", make("IVF_FLAT", nlist=65_537), ["nlist", "range"], INVALID),
        ("M 1", make("HNSW", M=1, efConstruction=100), ["M", "range"], INVALID),
        ("M 4096", make("HNSW", M=4096, efConstruction=100), ["M", "range"], INVALID),
        ("efConstruction 0", make("HNSW", M=16, efConstruction=0), ["efConstruction", "range"], INVALID),
        ("m that does not divide the dimension", make("IVF_PQ", nlist=16, m=5, nbits=8), [], INVALID),
        ("nbits 25", make("IVF_PQ", nlist=16, m=4, nbits=25), ["nbits"], INVALID),
        ("a graph on a number", make("HNSW", field="year", M=16, efConstruction=100), [("only supports vector", "vector")], INVALID),
    ])
    if world.elanus and world.since(2, 2):
        run(world, report, [
            ("no metric", lambda: collection.create_index("vector", {"index_type": "HNSW", "params": {"M": 8}}), ["metric type not set"], (1101, *INVALID)),
            ("params over 100 KiB", make("HNSW", M=16, efConstruction=100, note="x" * 110_000), ["exceeds limit"], INVALID),
        ])
    if world.since(2, 4):
        run(world, report, [("sparse index on floats", make("SPARSE_INVERTED_INDEX", "IP"), [], INVALID)])
    if world.elanus:
        with report.check("no index is left of them"):
            equal(collection.has_index(), False)
    remove("bad_index")


def searches(world, report):
    collection = indexed(world, "bad_search", 1200)
    one = short(world.queries[:1])
    cases = [
        ("a query of the wrong dimension", lambda: search(collection, world.queries[:1, :SHORT + 1], 1), ["dim"], INVALID),
        ("limit 0", lambda: search(collection, one, 0), [("topk [0]", "limit", "should be in range [1, 16384]")], INVALID),
        ("limit 16385", lambda: search(collection, one, 16_385), ["16385", "16384"], INVALID),
        ("nprobe 0", lambda: search(collection, one, 1, params={"nprobe": 0}), ["nprobe", "range"], (2000, *INVALID)),
        ("nprobe 65537", lambda: search(collection, one, 1, params={"nprobe": 65_537}), ["nprobe", "range"], (2000, *INVALID)),
        ("another metric than the index's", lambda: search(collection, one, 1, metric="IP"), ["metric type not match"], (2000, *INVALID)),
        ("round_decimal 7", lambda: search(collection, one, 1, round_decimal=7), ["round_decimal"], INVALID),
    ]
    if world.elanus:
        cases.append(("NaN in a query", lambda: search(collection, one * math.nan, 1), [("NaN", "infinity")], INVALID))
        cases.append(("16,385 queries", lambda: search(collection, short(world.queries[:1]).repeat(16_385, axis=0), 1), ["16384"], INVALID))
    if world.since(2, 2):
        cases.append(("offset and limit over 16384", lambda: search(collection, one, 10_000, param={"offset": 10_000}), ["16384"], INVALID))
    run(world, report, cases)
    collection.release()
    collection.drop_index()
    index(collection, index_type="HNSW", params={"M": 16, "efConstruction": 100})
    collection.load()
    run(world, report, [("ef below the limit", lambda: search(collection, one, 50, params={"ef": 10}), ["ef"], (2000, *INVALID))])
    with report.check("after all of them a good search answers"):
        equal(search(collection, short(world.vectors[3:4]), 1, params={"ef": 64})[0].ids[0], 3)
    remove("bad_search")


def too_large(world, report):
    collection = indexed(world, "bad_large", 100)
    with report.check("a message over 64 MiB is refused by its size"):
        error = refused(lambda: collection.query("id > 0" + " " * (68 << 20), output_fields=["id"], timeout=60))
        assert "larger than max" in text_of(error) + repr(error), text_of(error)[:300]
    with report.check("the connection still serves"):
        equal(len(collection.query("id in [1, 2]", output_fields=["id"])), 2)
    remove("bad_large")


def rules(world, report):
    """The special rules that clients rely on."""
    with report.check("describe of a missing collection: the code and the words has_collection looks for"):
        from pymilvus.orm import utility as inner

        handler = inner._get_connection("default")
        handler = handler[0] if isinstance(handler, tuple) else handler
        error = refused(lambda: handler.describe_collection("bad_never_was"))
        assert "can't find collection" in text_of(error), text_of(error)
        equal(code_of(error), 100 if world.since(2, 3) else 1)
    with report.check("creating a partition twice"):
        collection = fresh("bad_rules", [key(), vector()])
        collection.create_partition("p")
        try:
            collection.create_partition("p")
        except Exception as error:  # noqa: BLE001 - early clients and early servers refuse
            assert "exist" in text_of(error), repr(error)
        equal(len(collection.partitions), 2)
    with report.check("dropping an alias, a partition that is not there"):
        for call in (lambda: utility.drop_alias("bad_no_alias"), lambda: collection.drop_partition("bad_no_part")):
            try:
                call()
            except Exception as error:  # noqa: BLE001 - lines differ; a crash of the connection would not do
                assert "Unavailable" not in type(error).__name__, repr(error)
    remove("bad_rules")
    if world.since(2, 4):
        with report.check("creating a collection twice with another schema: the server's own words"):
            client = world.client()
            fresh("bad_rules", [key(), vector()])
            schema = CollectionSchema([key(), vector(SHORT * 2)])
            error = refused(lambda: client.create_collection("bad_rules", schema=schema))
            assert "create duplicate collection with different parameters" in text_of(error), text_of(error)
            client.close()
            remove("bad_rules")


def credentials(world, report):
    if not world.since(2, 2):
        raise Absent("not asked of this client")
    with report.check("a user and a password are taken while authorization is off"):
        connections.connect("named", host=world.host, port=str(world.port), user="root", password="Milvus")
        equal(isinstance(utility.list_collections(using="named"), list), True)
        connections.disconnect("named")
    with report.check("the server says its version"):
        assert "." in utility.get_server_version(), utility.get_server_version()
