//! What may happen to a segment while it lives: later schemas, indexes that come and go, readers beside the writer.

#[cfg(test)]
mod tests {
    use data::{
        Batch, Column, Field, FieldId, KeyRef, Keys, PartitionId, Schema, SegmentId, Timestamp, Type, Value,
        Values,
    };
    use host::{Cancel, Pool, Progress};
    use index::{Element, Hits, Index, Metric, Query, Spec, Vectors};
    use segment::{Error, Growing, Mask, Nearest, Sealed, Segment, merge, write};
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};
    use store::{Blobs, MemoryDisk, Store};

    const ID: FieldId = FieldId(100);
    const VECTOR: FieldId = FieldId(101);
    const COLOR: FieldId = FieldId(102);
    const NOTE: FieldId = FieldId(103);
    const LATER: FieldId = FieldId(104);

    fn blobs() -> Blobs {
        Store::open(Arc::new(MemoryDisk::new())).unwrap().blobs().clone()
    }

    fn schema() -> Arc<Schema> {
        let vector = Field { id: VECTOR, ..Field::new("vector", Type::FloatVector).with_dim(2) };
        let fields = vec![Field { id: ID, ..Field::new("id", Type::Int64).primary() }, vector];
        Arc::new(Schema { fields, ..Schema::default() })
    }

    /// Three fields more: one with a default, one that may be absent, one of vectors.
    fn later_schema() -> Arc<Schema> {
        let mut schema = (*schema()).clone();
        let color = Field::new("color", Type::VarChar).with_max_length(9);
        schema.fields.insert(1, Field { id: COLOR, default: Some(Value::Text("red".into())), ..color });
        schema.fields.push(Field { id: NOTE, nullable: true, ..Field::new("note", Type::Int32) });
        let later = Field::new("later", Type::FloatVector).with_dim(4);
        schema.fields.push(Field { id: LATER, nullable: true, ..later });
        Arc::new(schema)
    }

    fn rows(ids: std::ops::Range<i64>) -> Vec<Column> {
        let vectors = ids.clone().flat_map(|id| [id as f32, -id as f32]).collect();
        vec![Column::from_ints(ids.collect()), Column::from_vectors(2, vectors).unwrap()]
    }

    fn batch(ids: std::ops::Range<i64>) -> Batch {
        Batch::new(ids.clone().count(), rows(ids)).unwrap()
    }

    fn keys(ids: impl IntoIterator<Item = i64>) -> Keys {
        Keys::new(Column::from_ints(ids.into_iter().collect())).unwrap()
    }

    fn growing(schema: &Arc<Schema>) -> Growing {
        Growing::new(SegmentId(1), PartitionId(1), Arc::clone(schema))
    }

    fn seal(growing: &Growing, blobs: &Blobs, name: &str) -> Sealed {
        write(&growing.freeze(), blobs, name, &Cancel::new()).unwrap();
        Sealed::open(blobs, name, SegmentId(1), PartitionId(1), growing.schema()).unwrap()
    }

    fn nearest(
        segment: &Segment,
        field: FieldId,
        query: &[f32],
        mask: &Mask,
        use_index: bool,
    ) -> Result<Vec<Hits>, Error> {
        segment.search(&Nearest {
            field,
            queries: Vectors::F32 { dim: query.len(), values: query },
            query: &Query::exact(Metric::L2, 3),
            metric: Metric::L2,
            mask,
            use_index,
            awaits_index: true,
            cancel: &Cancel::new(),
        })
    }

    fn check_later_fields(segment: &Segment) {
        assert_eq!(segment.read(COLOR, &[2, 0]).unwrap().value(1), Value::Text("red".into()));
        assert_eq!(segment.read(NOTE, &[1]).unwrap().value(0), Value::Null);
        assert_eq!(segment.read(LATER, &[1]).unwrap().null_count(), 1);
        let count = |text: &str| {
            let predicate = filter::bind(&filter::parse(text).unwrap(), &later_schema(), &[].into()).unwrap();
            segment.matches(Some(&predicate), Timestamp(9)).unwrap().count()
        };
        assert_eq!(
            [count("color == 'red'"), count("note is null"), count("note > 0")],
            [segment.rows(), segment.rows(), 0]
        );
        let mask = segment.matches(None, Timestamp(9)).unwrap();
        assert!(nearest(segment, LATER, &[0.0; 4], &mask, true).unwrap()[0].is_empty());
    }

    #[test]
    fn fields_that_came_later_hold_their_default_or_nothing() {
        let blobs = blobs();
        let young = growing(&schema());
        young.append(batch(0..5), Timestamp(1)).unwrap();
        let sealed = seal(&young, &blobs, "old");
        young.adopt(&later_schema());
        sealed.adopt(&later_schema());
        let reopened = Sealed::open(&blobs, "old", SegmentId(1), PartitionId(1), later_schema()).unwrap();
        let young = Segment::Growing(Arc::new(young));
        let sources = [young, Segment::Sealed(Arc::new(sealed)), Segment::Sealed(Arc::new(reopened))];
        sources.iter().for_each(check_later_fields);

        merge(&sources, Timestamp::ZERO, &later_schema(), &blobs, "new", &Cancel::new()).unwrap();
        let merged = Sealed::open(&blobs, "new", SegmentId(2), PartitionId(1), later_schema()).unwrap();
        merged.verify().unwrap();
        assert_eq!(merged.rows(), 15);
        check_later_fields(&Segment::Sealed(Arc::new(merged)));
    }

    #[test]
    fn appends_go_on_under_the_later_schema() {
        let segment = growing(&schema());
        segment.append(batch(0..5), Timestamp(1)).unwrap();
        segment.adopt(&later_schema());
        assert!(
            matches!(segment.append(batch(5..6), Timestamp(2)), Err(Error::Shape(_))),
            "columns are missing"
        );
        let [id, vector] = rows(5..6).try_into().unwrap();
        let note = Column::new(Values::Int32(vec![7].into()), None).unwrap();
        let later = Column::from_vectors(4, vec![1.0; 4]).unwrap();
        let columns = vec![id, Column::from_texts(["blue"]), vector, note, later];
        segment.append(Batch::new(1, columns).unwrap(), Timestamp(2)).unwrap();
        let segment = Segment::Growing(Arc::new(segment));
        let colors = segment.read(COLOR, &[4, 5]).unwrap();
        assert_eq!(
            (colors.value(0), colors.value(1)),
            (Value::Text("red".into()), Value::Text("blue".into()))
        );
        let mask = segment.matches(None, Timestamp(2)).unwrap();
        assert_eq!(nearest(&segment, LATER, &[0.0; 4], &mask, true).unwrap()[0].rows, [5]);
    }

    #[test]
    fn questions_that_make_no_sense_are_errors() {
        let blobs = blobs();
        let young = growing(&schema());
        young.append(batch(0..5), Timestamp(1)).unwrap();
        let sealed = Segment::Sealed(Arc::new(seal(&young, &blobs, "file")));
        for segment in [Segment::Growing(Arc::new(young)), sealed] {
            let mask = segment.matches(None, Timestamp(1)).unwrap();
            assert!(matches!(segment.read(NOTE, &[0]), Err(Error::NoField { field: NOTE, .. })));
            assert!(matches!(nearest(&segment, NOTE, &[0.0], &mask, true), Err(Error::NoField { .. })));
            assert!(matches!(nearest(&segment, ID, &[0.0], &mask, true), Err(Error::NotSearchable { .. })));
            assert!(matches!(nearest(&segment, VECTOR, &[0.0], &mask, true), Err(Error::Index(_))));
            assert!(segment.find(&[KeyRef::Text(b"3")], Timestamp(1)).unwrap().is_empty());
            let texts = Keys::new(Column::from_texts(["3"])).unwrap();
            assert_eq!(segment.delete(&texts, Timestamp(5)).unwrap(), 0);
        }
        let cancel = Cancel::new();
        cancel.cancel();
        let young = growing(&schema());
        young.append(batch(0..5), Timestamp(1)).unwrap();
        assert!(matches!(write(&young.freeze(), &blobs, "never", &cancel), Err(Error::Cancelled(_))));
        assert_eq!(blobs.list("never").unwrap(), Vec::<String>::new());
    }

    #[test]
    fn an_index_answers_while_it_is_attached() {
        let blobs = blobs();
        let young = growing(&schema());
        young.append(batch(0..300), Timestamp(1)).unwrap();
        let sealed = Arc::new(seal(&young, &blobs, "file"));
        sealed.delete(&keys([7, 9]), Timestamp(2)).unwrap();
        let params =
            [("index_type".to_owned(), "FLAT".to_owned()), ("metric_type".to_owned(), "L2".to_owned())];
        let spec = Spec::parse(Element::F32, 2, &params).unwrap();
        let column = sealed.column(VECTOR).unwrap();
        let vectors = segment::vectors_of(&column).unwrap();
        let image =
            index::build(&spec, vectors, 1, &Pool::inline(), &Cancel::new(), &Progress::new()).unwrap();
        let index = Arc::new(Index::open(&spec, image, 300).unwrap());

        let segment = Segment::Sealed(Arc::clone(&sealed));
        for (at, want) in [(1, [8, 7, 9]), (2, [8, 6, 10])] {
            let mask = segment.matches(None, Timestamp(at)).unwrap();
            let scanned = nearest(&segment, VECTOR, &[8.0, -8.0], &mask, true).unwrap();
            sealed.attach_index(VECTOR, Arc::clone(&index));
            let indexed = nearest(&segment, VECTOR, &[8.0, -8.0], &mask, true).unwrap();
            assert!(sealed.detach_index(VECTOR).is_some_and(|same| Arc::ptr_eq(&same, &index)));
            assert_eq!(scanned[0].rows, want);
            assert_eq!(scanned, indexed);
        }
        assert!(sealed.index(VECTOR).is_none());
    }

    #[test]
    fn what_a_search_goes_through_is_known_before() {
        let vector = Field { id: VECTOR, ..Field::new("vector", Type::FloatVector).with_dim(64) };
        let id = Field { id: ID, ..Field::new("id", Type::Int64).primary() };
        let schema = Arc::new(Schema { fields: vec![id, vector.clone()], ..Schema::default() });
        let (blobs, young) = (blobs(), growing(&schema));
        let vectors = (0..100 * 64).map(|i| (i % 97) as f32).collect();
        let columns = vec![Column::from_ints((0..100).collect()), Column::from_vectors(64, vectors).unwrap()];
        young.append(Batch::new(100, columns).unwrap(), Timestamp(1)).unwrap();
        let sealed = Arc::new(seal(&young, &blobs, "file"));
        let bytes = |segment: &Segment, awaits| segment.scanned_bytes(VECTOR, vector.kind(), awaits);
        let (young, old) = (Segment::Growing(Arc::new(young)), Segment::Sealed(Arc::clone(&sealed)));
        // Half a byte an element and five floats, or the rows.
        assert_eq!([bytes(&young, false), bytes(&young, true)], [Some(100 * (32 + 20)); 2]);
        assert_eq!([bytes(&old, false), bytes(&old, true)], [Some(100 * 256), Some(100 * (32 + 20))]);

        for (kind, want) in [("FLAT", Some(100 * (32 + 20))), ("HNSW", None)] {
            let params =
                [("index_type".to_owned(), kind.to_owned()), ("metric_type".to_owned(), "L2".to_owned())];
            let spec = Spec::parse(Element::F32, 64, &params).unwrap();
            let column = sealed.column(VECTOR).unwrap();
            let vectors = segment::vectors_of(&column).unwrap();
            let (pool, cancel, progress) = (Pool::inline(), Cancel::new(), Progress::new());
            let image = index::build(&spec, vectors, 1, &pool, &cancel, &progress).unwrap();
            sealed.attach_index(VECTOR, Arc::new(Index::open(&spec, image, 100).unwrap()));
            assert_eq!(bytes(&old, true), want, "{kind}");
            sealed.detach_index(VECTOR);
        }
    }

    #[test]
    fn an_outline_made_ahead_changes_no_answer() {
        let blobs = blobs();
        let young = growing(&schema());
        young.append(batch(0..300), Timestamp(1)).unwrap();
        let [plain, ahead] = ["plain", "ahead"].map(|name| seal(&young, &blobs, name));
        ahead.outline_ahead(VECTOR).unwrap();
        assert!(ahead.outline_ahead(COLOR).is_err(), "no such field");
        let answers = [plain, ahead].map(|sealed| {
            let segment = Segment::Sealed(Arc::new(sealed));
            let mask = segment.matches(None, Timestamp(1)).unwrap();
            nearest(&segment, VECTOR, &[8.0, -8.0], &mask, true).unwrap()
        });
        assert_eq!(answers[0], answers[1]);
        assert_eq!(answers[0][0].rows, [8, 7, 9]);
    }

    /// One writer inserts keys and upserts them again; at every time each key up to the newest is there exactly once.
    #[test]
    fn readers_see_whole_moments_beside_the_writer() {
        let segment = Arc::new(growing(&schema()));
        let applied = AtomicU64::new(0);
        let moments = 400_u64;
        std::thread::scope(|scope| {
            for reader in 0..2_u64 {
                let (segment, applied) = (Segment::Growing(Arc::clone(&segment)), &applied);
                scope.spawn(move || {
                    loop {
                        let now = applied.load(Ordering::Acquire);
                        let at = now.saturating_sub(reader * 3);
                        let mask = segment.matches(None, Timestamp(at)).unwrap();
                        assert_eq!(mask.count() as u64, at * 5, "rows at {at}");
                        let rows: Vec<u32> = mask.iter().collect();
                        let keys = segment.keys(&rows).unwrap();
                        let mut keys: Vec<i64> = keys.ints().unwrap().to_vec();
                        keys.sort_unstable();
                        assert_eq!(keys, (0..at as i64 * 5).collect::<Vec<_>>());
                        let stamps = segment.stamps(&rows).unwrap();
                        assert!(stamps.iter().all(|stamp| stamp.0 <= at));
                        if let Some(last) = keys.last() {
                            assert_eq!(segment.find(&[KeyRef::Int(*last)], Timestamp(at)).unwrap().len(), 1);
                        }
                        if now == moments {
                            break;
                        }
                    }
                });
            }
            for moment in 1..=moments as i64 {
                let stamp = Timestamp(moment as u64);
                let again = (moment - 1) * 5 / 2..(moment - 1) * 5;
                segment.delete(&keys(again.clone()), stamp);
                segment.append(batch(again.start..moment * 5), stamp).unwrap();
                applied.store(moment as u64, Ordering::Release);
            }
        });
    }

    #[test]
    fn rows_that_come_one_by_one_end_up_in_few_chunks() {
        let segment = growing(&schema());
        for id in 0..10_000 {
            segment.append(batch(id..id + 1), Timestamp(id as u64 + 1)).unwrap();
        }
        let segment = Segment::Growing(Arc::new(segment));
        let pieces = segment.pieces(ID).unwrap();
        assert!(pieces.len() < 16, "{} chunks", pieces.len());
        let ids: Vec<i64> = pieces
            .iter()
            .flat_map(|(_, column)| Keys::new(column.clone()).unwrap().ints().unwrap().to_vec())
            .collect();
        assert_eq!(ids, (0..10_000).collect::<Vec<_>>());
        assert_eq!(segment.stamps(&[0, 9_999]).unwrap(), [Timestamp(1), Timestamp(10_000)]);
    }
}
