"""Collections, partitions, aliases and databases: make them, look at them, change them, drop them."""

import numpy as np
from pymilvus import Collection, CollectionSchema, DataType, FieldSchema, Partition, utility

from refusal import refused
from report import Absent
from world import (SHORT, equal, flush, fresh, index, insert_papers, key, narrow, orm_database, papers, remove, score, search, short, vector,
                   wait_until)


def collections(world, report):
    name = "cat_one"
    remove(name)
    fields = [key(description="the key"), FieldSchema("year", DataType.INT64, description="of publication"), FieldSchema("ratio", DataType.DOUBLE),
              FieldSchema("tiny", DataType.INT8), FieldSchema("less", DataType.INT16), vector()]
    schema = CollectionSchema(fields, description="papers of a demo")
    with report.check("create, has, list"):
        equal(utility.has_collection(name), False)
        collection = Collection(name, schema, consistency_level="Strong")
        equal(utility.has_collection(name), True)
        assert name in utility.list_collections()
    with report.check("describe returns the schema as it was given"):
        seen = Collection(name).schema
        equal(seen.description, "papers of a demo")
        equal([field.name for field in seen.fields], [field.name for field in fields])
        equal([field.dtype for field in seen.fields], [field.dtype for field in fields])
        equal([field.description for field in seen.fields], [field.description for field in fields])
        equal([field.is_primary for field in seen.fields], [True, False, False, False, False, False])
        equal(int(seen.fields[5].params["dim"]), SHORT)
        equal(seen.primary_field.name, "id")
        equal(Collection(name).num_entities, 0)
        equal(Collection(name).is_empty, True)
    with report.check("the same collection again is no error, another schema is"):
        equal(Collection(name, schema, consistency_level="Strong").name, name)
        other = CollectionSchema([key(), vector(SHORT * 2)])
        refused(lambda: Collection(name, other))
    with report.check("scalars of every width come back"):
        collection.insert([[1, 2], [1999, -5], [0.1, -1e300], narrow(np.int8, [-128, 127]), narrow(np.int16, [-32768, 32767]),
                           short(world.vectors[:2]).tolist()])
        flush(collection)
        index(collection)
        collection.load()
        rows = collection.query("id in [1, 2]", output_fields=["year", "ratio", "tiny", "less"])
        found = {row["id"]: (row["year"], row["ratio"], row["tiny"], row["less"]) for row in rows}
        equal(found, {1: (1999, 0.1, -128, -32768), 2: (-5, -1e300, 127, 32767)})
    remove(name)
    with report.check("drop, and dropping what is not there"):
        equal(utility.has_collection(name), False)
        utility.drop_collection("cat_never_was")
    with report.check("names with underscore and 255 characters"):
        long_name = "_" + "n" * 254
        fresh(long_name, [key(), vector()])
        equal(utility.has_collection(long_name), True)
        remove(long_name)


def alter(world, report):
    if not hasattr(utility, "rename_collection"):
        raise Absent("no rename or properties in this client")
    remove("cat_after")
    collection = fresh("cat_before", [key(), vector()], num_shards=1)
    with report.check("shards"):
        equal(collection.num_shards, 1)
    with report.check("rename"):
        utility.rename_collection("cat_before", "cat_after")
        equal((utility.has_collection("cat_before"), utility.has_collection("cat_after")), (False, True))
    with report.check("set_properties: a time to live shows in describe"):
        collection = Collection("cat_after")
        collection.set_properties({"collection.ttl.seconds": 86400})
        assert "86400" in str(collection.describe()), collection.describe()
    with report.check("rename to a name that is taken is refused"):
        fresh("cat_taken", [key(), vector()])
        refused(lambda: utility.rename_collection("cat_after", "cat_taken"))
    remove("cat_after")
    remove("cat_taken")


def partitions(world, report):
    collection = papers(world, "cat_parts", 0)
    new = "new-1" if world.elanus else "new_1"  # hyphens came later
    with report.check("create, has, list"):
        equal([part.name for part in collection.partitions], ["_default"])
        collection.create_partition("old")
        Partition(collection, new)
        equal(sorted(part.name for part in collection.partitions), ["_default", new, "old"])
        equal((collection.has_partition("old"), collection.has_partition("never")), (True, False))
        equal(utility.has_partition("cat_parts", "old"), True)
    with report.check("insert into a partition counts there and in the whole"):
        insert_papers(world, collection, 0, 60, partition_name="old")
        insert_papers(world, collection, 60, 100, partition_name=new)
        insert_papers(world, collection, 100, 110)
        equal(flush(collection), 110)
        counts = {part.name: part.num_entities for part in collection.partitions}
        equal(counts, {"_default": 10, "old": 60, new: 40})
    index(collection)
    with report.check("search and query stay inside the partitions named"):
        collection.load()
        hits = search(collection, short(world.queries[:3]), 40, partition_names=[new])
        equal([sorted(hit.ids) for hit in hits], [list(range(60, 100))] * 3)
        rows = collection.query("id >= 0", partition_names=["old", "_default"], output_fields=["id"])
        equal(sorted(row["id"] for row in rows), list(range(60)) + list(range(100, 110)))
    with report.check("a loaded partition alone answers, the others do not"):
        collection.release()
        collection.load(partition_names=["old"])
        equal(sorted(search(collection, short(world.queries[:1]), 100, partition_names=["old"])[0].ids), list(range(60)))
        refused(lambda: search(collection, short(world.queries[:1]), 5, partition_names=[new]))
    collection.release()
    with report.check("drop takes the rows along; _default stays"):
        collection.drop_partition("old")
        equal(collection.has_partition("old"), False)
        assert wait_until(lambda: collection.num_entities == 50, 15), collection.num_entities
        refused(lambda: collection.drop_partition("_default"))
    remove("cat_parts")


def aliases(world, report):
    for name in ("shelf", "desk"):
        drop_alias(name)
    first, second = fresh("cat_a", [key(), vector()]), fresh("cat_b", [key(), vector()])
    with report.check("create: the alias opens the collection"):
        utility.create_alias("cat_a", "shelf")
        equal(utility.has_collection("shelf"), True)
        equal([field.name for field in Collection("shelf").schema.fields], ["id", "vector"])
        Collection("shelf").insert([[7], short(world.vectors[:1]).tolist()])
        equal((flush(first), flush(second)), (1, 0))
    utility.create_alias("cat_a", "desk")
    if world.since(2, 1):
        with report.check("list_aliases"):
            equal(sorted(utility.list_aliases("cat_a")), ["desk", "shelf"])
    with report.check("alter moves it"):
        utility.alter_alias("cat_b", "shelf")
        equal(Collection("shelf").num_entities, 0)
        if world.since(2, 1):
            equal(list(utility.list_aliases("cat_a")), ["desk"])
    with report.check("refused: an alias that exists elsewhere, one for no collection"):
        refused(lambda: utility.create_alias("cat_a", "shelf"))
        refused(lambda: utility.create_alias("cat_never_was", "nothing"))
    with report.check("drop"):
        utility.drop_alias("shelf")
        equal(utility.has_collection("shelf"), False)
    drop_alias("desk")
    remove("cat_a")
    remove("cat_b")


def drop_alias(name):
    try:
        utility.drop_alias(name)
    except Exception:  # noqa: BLE001, S110 - it was not there
        pass


def databases(world, report):
    db = orm_database()
    db.using_database("default")
    if "library" in db.list_database():
        db.using_database("library")
        for name in utility.list_collections():
            remove(name)
        db.using_database("default")
        db.drop_database("library")
    remove("cat_shared")
    with report.check("create, list"):
        db.create_database("library")
        assert {"default", "library"} <= set(db.list_database()), db.list_database()
    with report.check("the same collection name lives in two databases"):
        fresh("cat_shared", [key(), vector()])
        db.using_database("library")
        equal(utility.list_collections(), [])
        inside = fresh("cat_shared", [key(), vector()])
        inside.insert([[1], short(world.vectors[:1]).tolist()])
        equal(flush(inside), 1)
        db.using_database("default")
        equal(Collection("cat_shared").num_entities, 0)
    with report.check("a database with a collection in it is not dropped"):
        refused(lambda: db.drop_database("library"))
    with report.check("drop"):
        db.using_database("library")
        remove("cat_shared")
        db.using_database("default")
        db.drop_database("library")
        equal("library" in db.list_database(), False)
    db.using_database("default")
    with report.check("refused: the same name twice, an unknown database"):
        db.create_database("library")
        refused(lambda: db.create_database("library"))
        db.drop_database("library")
        refused(lambda: world.connect_to("never_was"))
    remove("cat_shared")


def loading(world, report):
    collection = papers(world, "cat_load", 1200)
    index(collection)
    with report.check("load: progress ends at 100 %"):
        collection.load()
        utility.wait_for_loading_complete("cat_load", timeout=60)
        progress = utility.loading_progress("cat_load")
        ended = progress.get("loading_progress") == "100%" or progress.get("num_loaded_entities") == progress.get("num_total_entities") == 1200
        assert ended, progress
    with report.check("load again is no error"):
        collection.load()
        equal(search(collection, short(world.vectors[5:6]), 1)[0].ids[0], 5)
    if hasattr(utility, "load_state"):
        with report.check("load_state"):
            equal(str(utility.load_state("cat_load")), "Loaded")
            collection.release()
            equal(str(utility.load_state("cat_load")), "NotLoad")
            equal(str(utility.load_state("cat_never_was")), "NotExist")
    if hasattr(collection, "get_replicas"):
        with report.check("get_replicas: one group"):
            collection.load()
            equal(len(collection.get_replicas().groups), 1)
    with report.check("release, and release again"):
        collection.release()
        collection.release()
        refused(lambda: search(collection, short(world.queries[:1]), 1))
    with report.check("rows inserted after the load are found"):
        collection.load()
        insert_papers(world, collection, 1200, 1250)
        equal(search(collection, short(world.vectors[1230:1231]), 1)[0].ids[0], 1230)
        rows = collection.query("id in [1249]", output_fields=["score"])
        equal(rows[0]["score"], score(world.rows[1249]))
    remove("cat_load")
