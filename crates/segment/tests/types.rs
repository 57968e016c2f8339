//! Every type there is, through a growing segment, a file and a merge, against the columns that were put in.

#[cfg(test)]
mod tests {
    use data::{
        Batch, Column, ColumnBuilder, Field, FieldId, Keys, Kind, PartitionId, ScalarBuffer, Schema,
        SegmentId, Timestamp, Type, Value, Values, VarLen,
    };
    use host::{Budget, Cancel};
    use proptest::prelude::*;
    use segment::{BlockCache, Growing, Sealed, Segment, merge, write};
    use std::sync::Arc;
    use store::{MemoryDisk, Store};

    const DIM: usize = 16;

    /// A key, every type, and arrays of every type there can be arrays of.
    fn schema() -> Arc<Schema> {
        let mut fields = vec![Field::new("id", Type::Int64).primary()];
        for data_type in Type::ALL.into_iter().filter(|data_type| *data_type != Type::Array) {
            let dim = if data_type.is_dense() { DIM } else { 0 };
            fields.push(Field::new(&format!("{data_type:?}"), data_type).with_dim(dim));
            if data_type.is_element() || data_type.is_dense() {
                let array = Field::new(&format!("{data_type:?}s"), Type::Array).with_elements(data_type, 9);
                fields.push(array.with_dim(dim));
            }
        }
        let numbered = fields.into_iter().zip(100..);
        let fields = numbered.map(|(field, id)| Field { id: FieldId(id), nullable: id > 100, ..field });
        Arc::new(Schema { fields: fields.collect(), ..Schema::default() })
    }

    /// A key and nullable fields of `types`, numbered from 100 on.
    fn schema_of(types: &[Type]) -> Arc<Schema> {
        let fields = types.iter().zip(100..).map(|(data_type, id)| {
            let field =
                Field { id: FieldId(id), nullable: id > 100, ..Field::new(&format!("f{id}"), *data_type) };
            if id == 100 { field.primary() } else { field }
        });
        Arc::new(Schema { fields: fields.collect(), ..Schema::default() })
    }

    /// One value of `kind`, made of `seed`.
    fn one(kind: Kind, seed: u8) -> Column {
        let (dim, byte) = (kind.dim, |i: usize| seed.wrapping_mul(31).wrapping_add(i as u8));
        let bytes = |count: usize| data::Buffer::from((0..count).map(byte).collect::<Vec<_>>());
        let text = "é".repeat(usize::from(seed % 7)).into_bytes();
        let values = match kind.data_type {
            Type::FloatVector => {
                Values::FloatVector { dim, values: (0..dim).map(|i| f32::from(byte(i)) / 8.0).collect() }
            }
            Type::Int8Vector => Values::Int8Vector { dim, values: ScalarBuffer::new(bytes(dim), 0, dim) },
            Type::BinaryVector => Values::BinaryVector { dim, bytes: bytes(dim / 8) },
            Type::Float16Vector => Values::Float16Vector { dim, bytes: bytes(dim * 2) },
            Type::BFloat16Vector => Values::BFloat16Vector { dim, bytes: bytes(dim * 2) },
            Type::SparseVector => {
                Values::SparseVector(VarLen::from_values([bytes(usize::from(seed % 5) * 8)]))
            }
            Type::Geometry => Values::Geometry(VarLen::from_values([bytes(21)])),
            Type::Text | Type::VarChar => Values::Text(VarLen::from_values([text])),
            Type::Array => {
                let mut builder = ColumnBuilder::of(kind);
                let mut items = ColumnBuilder::of(kind.item().unwrap());
                (0..seed % 6)
                    .for_each(|i| items.push_from(&one(kind.item().unwrap(), seed.wrapping_add(i)), 0));
                builder.push_items(&items.finish());
                return builder.finish();
            }
            Type::Bool => Values::Bool([seed.is_multiple_of(2)].into_iter().collect()),
            Type::Json => Values::Json(VarLen::from_values([format!("[{seed}]")])),
            _ => {
                let mut builder = ColumnBuilder::of(kind);
                let number = i64::from(seed as i8);
                let is_float = matches!(kind.data_type, Type::Float | Type::Double);
                builder.push(&if is_float { Value::Double(number as f64 / 2.0) } else { Value::Int(number) });
                return builder.finish();
            }
        };
        Column::new(values, None).unwrap()
    }

    fn batch(schema: &Schema, first: i64, seeds: &[u8]) -> Batch {
        let column = |field: &Field| {
            if field.is_primary {
                return Column::from_ints((first..first + seeds.len() as i64).collect());
            }
            let mut builder = ColumnBuilder::of(field.kind());
            for seed in seeds {
                if seed % 4 == 3 {
                    builder.push_null();
                } else {
                    builder.push_from(&one(field.kind(), seed.wrapping_add(field.id.0 as u8)), 0);
                }
            }
            builder.finish()
        };
        Batch::new(seeds.len(), schema.fields.iter().map(column).collect()).unwrap()
    }

    /// A file with every type opens, and is what is written today; `ELANUS_BLESS=1` writes it anew.
    #[test]
    fn the_fixture_opens() {
        let schema = schema();
        let seeds: Vec<u8> = (0..40).collect();
        let growing = Growing::new(SegmentId(1), PartitionId(2), Arc::clone(&schema));
        growing.append(batch(&schema, 0, &seeds), Timestamp(5)).unwrap();
        let disk = Store::open(Arc::new(MemoryDisk::new())).unwrap();
        write(&growing.freeze(), disk.blobs(), "now", &Cancel::new()).unwrap();
        let now = disk.blobs().open("now").unwrap();
        let path = |version: u32| {
            let file = format!("fixtures/segment-v{version}-types.bin");
            std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(file)
        };
        if std::env::var_os("ELANUS_BLESS").is_some() {
            std::fs::write(path(3), &now).unwrap();
        }
        let fixture = std::fs::read(path(3)).unwrap();
        assert!(now == fixture, "the fixture is not what is written today; a new format needs a new fixture");
        for version in [2, 3] {
            let name = format!("fixture-{version}");
            disk.blobs().put(&name, &[std::fs::read(path(version)).unwrap().into()]).unwrap();
            let (id, partition) = (SegmentId(1), PartitionId(2));
            let sealed = Sealed::open(disk.blobs(), &name, id, partition, Arc::clone(&schema)).unwrap();
            sealed.verify().unwrap();
            for (field, want) in schema.fields.iter().zip(batch(&schema, 0, &seeds).columns()) {
                assert_eq!(&sealed.column(field.id).unwrap(), want, "{}", field.name);
            }
        }
    }

    /// Texts far larger than a frame, read one by one, some at a time and all at once.
    #[test]
    fn long_texts_are_read_from_their_frames() {
        let id = Field { id: FieldId(100), ..Field::new("id", Type::Int64).primary() };
        let body = Field { id: FieldId(101), nullable: true, ..Field::new("body", Type::Text) };
        let schema = Arc::new(Schema { fields: vec![id, body], ..Schema::default() });
        let mut texts = ColumnBuilder::new(Type::Text, 0);
        for row in 0..600_usize {
            let length = match row % 50 {
                7 => 200_000,
                8 => 0,
                n => n * 40,
            };
            let unit = format!("row {row} ☂ ");
            if row % 11 == 3 {
                texts.push_null()
            } else {
                texts.push_bytes(unit.repeat(length / unit.len() + 1).as_bytes())
            }
        }
        let texts = texts.finish();
        let rows = Batch::new(600, vec![Column::from_ints((0..600).collect()), texts.clone()]).unwrap();
        let growing = Growing::new(SegmentId(1), PartitionId(2), Arc::clone(&schema));
        growing.append(rows, Timestamp(5)).unwrap();
        let disk = Store::open(Arc::new(MemoryDisk::new())).unwrap();
        let written = write(&growing.freeze(), disk.blobs(), "file", &Cancel::new()).unwrap();
        assert!(
            written.file_bytes < texts.bytes() as u64 / 10,
            "{} of {} bytes",
            written.file_bytes,
            texts.bytes()
        );
        let open =
            || Sealed::open(disk.blobs(), "file", SegmentId(1), PartitionId(2), Arc::clone(&schema)).unwrap();
        let sealed = open();
        for picks in [vec![7], vec![599, 0, 7, 8, 3, 57, 58], (0..600).rev().collect::<Vec<u32>>()] {
            assert_eq!(sealed.read(FieldId(101), &picks).unwrap(), texts.take(&picks));
        }
        assert_eq!(open().column(FieldId(101)).unwrap(), texts);
    }

    /// JSON and VARCHAR long enough to be packed, with absent and empty values: read, filtered with a cache and without, merged.
    #[test]
    fn packed_columns_answer_as_plain_ones() {
        const ROWS: i64 = 7_000;
        let types = [Type::Int64, Type::Json, Type::VarChar, Type::Text, Type::Json];
        let schema = schema_of(&types);
        let column = |field: &Field| {
            let mut builder = ColumnBuilder::of(field.kind());
            for row in 0..ROWS {
                let words = "several words that come again and again, ".repeat(row as usize % 5 + 1);
                match field.id.0 {
                    100 => builder.push(&Value::Int(row)),
                    _ if row % 13 == 4 => builder.push_null(),
                    101 => builder.push(&Value::Json(format!(
                        r#"{{"n": {row}, "words": "{words}", "color": "c{}", "list": [{row}, 1]}}"#,
                        row % 7
                    ))),
                    104 => builder.push(&Value::Json(format!(r#"{{"n":{row}}}"#))),
                    _ if row % 17 == 0 => builder.push(&Value::Text(String::new())),
                    _ => builder.push(&Value::Text(format!("{words}{row}"))),
                }
            }
            builder.finish()
        };
        let columns: Vec<Column> = schema.fields.iter().map(column).collect();
        let growing = Growing::new(SegmentId(1), PartitionId(2), Arc::clone(&schema));
        growing.append(Batch::new(ROWS as usize, columns.clone()).unwrap(), Timestamp(5)).unwrap();
        let disk = Store::open(Arc::new(MemoryDisk::new())).unwrap();
        let written = write(&growing.freeze(), disk.blobs(), "file", &Cancel::new()).unwrap();
        let all: usize = columns.iter().map(Column::bytes).sum();
        assert!(written.file_bytes < all as u64 / 3, "{} of {all} bytes", written.file_bytes);
        let open = |name| {
            let opened = Sealed::open(disk.blobs(), name, SegmentId(1), PartitionId(2), Arc::clone(&schema));
            Arc::new(opened.unwrap())
        };
        let budget = Budget::new(1 << 30);
        let (large, small) =
            (BlockCache::new(budget.clone(), 1 << 29), BlockCache::new(budget.clone(), 1 << 20));
        let (large, small) = (Arc::new(large), Arc::new(small));
        let (cached, pressed) = (open("file"), open("file"));
        cached.keep_blocks_in(&large);
        pressed.keep_blocks_in(&small);
        let segments = [Segment::Growing(Arc::new(growing)), Segment::Sealed(open("file"))];
        let dead = Keys::new(Column::from_ints((2000..2100).collect())).unwrap();
        assert_eq!(segments[1].delete(&dead, Timestamp(7)).unwrap(), 100);
        merge(&segments[1..], Timestamp(8), &schema, disk.blobs(), "merged", &Cancel::new()).unwrap();
        let merged = open("merged");
        for (field, column) in schema.fields.iter().zip(&columns) {
            assert_eq!(&cached.column(field.id).unwrap(), column);
            let picks = [6999, 0, 2047, 2048, 4, 17];
            for _ in 0..2 {
                assert_eq!(cached.read(field.id, &picks).unwrap(), column.take(&picks));
            }
            let kept: Vec<u32> = (0..ROWS as u32).filter(|row| !(2000..2100).contains(row)).collect();
            assert_eq!(merged.column(field.id).unwrap(), column.take(&kept));
        }
        for text in [
            "f101['n'] > 3000",
            "f101['color'] == 'c3' or f101['n'] < 100 or f104['n'] == 17",
            "f101['color'] in ['c1', 'c2'] and f104['n'] < 5000",
            "f101 is null or f102 is null",
            "json_contains(f101['list'], 1) and f100 > 4000",
            "array_length(f101['list']) == 2",
            "f102 like '%again, 1%'",
            "f102 > f103 or f102 == f103",
            "f102 == '' and f103 != 'x'",
            "not (f102 like 'several%')",
        ] {
            let predicate = filter::bind(&filter::parse(text).unwrap(), &schema, &[].into()).unwrap();
            let at = Timestamp(6);
            let want: Vec<u32> = segments[0].matches(Some(&predicate), at).unwrap().iter().collect();
            assert!(!want.is_empty(), "{text}");
            for sealed in [&cached, &pressed, &cached, &pressed] {
                let got: Vec<u32> = sealed.matches(Some(&predicate), at).unwrap().iter().collect();
                assert!(got == want, "{text}: {} rows, {} would be right", got.len(), want.len());
            }
            let got = merged.matches(Some(&predicate), Timestamp(9)).unwrap().count();
            assert_eq!(got, want.iter().filter(|row| !(2000..2100).contains(*row)).count(), "{text}, merged");
        }
        assert!(large.bytes() > 1 << 20 && small.bytes() <= 1 << 20);
        assert_eq!(budget.used_bytes(), large.bytes() + small.bytes());
        drop((cached, pressed));
        assert_eq!(budget.used_bytes(), 0);
    }

    /// A file with packed JSON opens, and is what is written today.
    #[test]
    fn the_packed_fixture_opens() {
        let id = Field { id: FieldId(100), ..Field::new("id", Type::Int64).primary() };
        let doc = Field { id: FieldId(101), nullable: true, ..Field::new("doc", Type::Json) };
        let schema = Arc::new(Schema { fields: vec![id, doc], ..Schema::default() });
        let mut docs = ColumnBuilder::new(Type::Json, 0);
        for row in 0..300 {
            let text =
                format!(r#"{{"row": {row}, "text": "{}"}}"#, "what is said again is packed well, ".repeat(5));
            if row % 9 == 5 { docs.push_null() } else { docs.push(&Value::Json(text)) }
        }
        let columns = vec![Column::from_ints((0..300).collect()), docs.finish()];
        let growing = Growing::new(SegmentId(1), PartitionId(2), Arc::clone(&schema));
        growing.append(Batch::new(300, columns.clone()).unwrap(), Timestamp(5)).unwrap();
        let disk = Store::open(Arc::new(MemoryDisk::new())).unwrap();
        write(&growing.freeze(), disk.blobs(), "now", &Cancel::new()).unwrap();
        let now = disk.blobs().open("now").unwrap();
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/segment-v3-packed.bin");
        if std::env::var_os("ELANUS_BLESS").is_some() {
            std::fs::write(&path, &now).unwrap();
        }
        let fixture = std::fs::read(&path).unwrap();
        assert!(now == fixture, "the fixture is not what is written today; a new format needs a new fixture");
        let sealed =
            Sealed::open(disk.blobs(), "now", SegmentId(1), PartitionId(2), Arc::clone(&schema)).unwrap();
        sealed.verify().unwrap();
        assert_eq!(sealed.column(FieldId(101)).unwrap(), columns[1]);
        assert!(now.len() < columns[1].bytes() / 4, "it is packed: {} bytes", now.len());
        // Whatever is wrong with it, it is an error at worst.
        for byte in 0..now.len() {
            let mut bad = now.to_vec();
            bad[byte] ^= 1 << (byte % 8);
            disk.blobs().put("bad", &[bad.into()]).unwrap();
            if let Ok(sealed) =
                Sealed::open(disk.blobs(), "bad", SegmentId(1), PartitionId(2), Arc::clone(&schema))
            {
                assert!(sealed.verify().is_err());
                let _ = sealed.read(FieldId(101), &[0, 299, 5, 6]);
                let predicate = filter::parse("doc['row'] > 7").unwrap();
                let predicate = filter::bind(&predicate, &schema, &[].into()).unwrap();
                let _ = sealed.matches(Some(&predicate), Timestamp(9));
            }
            disk.blobs().delete("bad").unwrap();
        }
    }

    /// Enough rows for several zones, rising in the key: a file and what is merged of it answer as rows in memory do.
    #[test]
    fn zones_of_a_file_change_no_answer() {
        const ROWS: i64 = 10_000;
        let types = [Type::Int64, Type::Float, Type::VarChar, Type::Bool, Type::Timestamptz];
        let schema = schema_of(&types);
        let column = |field: &Field| {
            let mut builder = ColumnBuilder::of(field.kind());
            for row in 0..ROWS {
                let is_absent = row % 7 == 3 && row > ROWS / 2;
                match field.data_type {
                    _ if field.nullable && is_absent => builder.push_null(),
                    Type::Float if row % 911 == 5 => builder.push(&Value::Double(f64::NAN)),
                    Type::Float => builder.push(&Value::Double(row as f64)),
                    Type::VarChar => builder.push(&Value::Text(format!("text {:03}", row / 100))),
                    Type::Bool => builder.push(&Value::Bool(row > 6000)),
                    _ => builder.push(&Value::Int(row)),
                }
            }
            builder.finish()
        };
        let growing = Growing::new(SegmentId(1), PartitionId(2), Arc::clone(&schema));
        let rows = Batch::new(ROWS as usize, schema.fields.iter().map(column).collect()).unwrap();
        growing.append(rows, Timestamp(5)).unwrap();
        let disk = Store::open(Arc::new(MemoryDisk::new())).unwrap();
        write(&growing.freeze(), disk.blobs(), "file", &Cancel::new()).unwrap();
        let open = |name| {
            let opened = Sealed::open(disk.blobs(), name, SegmentId(1), PartitionId(2), Arc::clone(&schema));
            Segment::Sealed(Arc::new(opened.unwrap()))
        };
        let segments = [Segment::Growing(Arc::new(growing)), open("file")];
        let dead = Keys::new(Column::from_ints((3000..5000).collect())).unwrap();
        segments.iter().for_each(|segment| assert_eq!(segment.delete(&dead, Timestamp(7)).unwrap(), 2000));
        merge(&segments[1..], Timestamp(8), &schema, disk.blobs(), "merged", &Cancel::new()).unwrap();
        let merged = open("merged");
        for text in [
            "f100 < 10",
            "f100 >= 4096 and f101 < 4200",
            "f101 != 7 or f102 is null",
            "not (f101 < 9990)",
            "f102 like 'text 00%'",
            "f102 > 'text 05'",
            "f102 in ['text 010', 'text 099']",
            "f103 == false",
            "f104 > ISO '1970-01-01T00:00:00.009Z'",
            "f104 is not null and f103 == true",
        ] {
            let predicate = filter::bind(&filter::parse(text).unwrap(), &schema, &[].into()).unwrap();
            for at in [Timestamp(6), Timestamp(9)] {
                let rows = |segment: &Segment| {
                    let mask = segment.matches(Some(&predicate), at).unwrap();
                    segment.keys(&mask.iter().collect::<Vec<_>>()).unwrap().column().clone()
                };
                assert!(rows(&segments[0]) == rows(&segments[1]), "{text} at {at:?}");
                assert!(at == Timestamp(6) || rows(&segments[0]) == rows(&merged), "{text}, merged");
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(40))]

        #[test]
        fn every_type_survives(parts in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..60), 1..5)) {
            let schema = schema();
            let growing = Growing::new(SegmentId(1), PartitionId(2), Arc::clone(&schema));
            let mut first = 0;
            for (part, stamp) in parts.iter().zip(5..) {
                growing.append(batch(&schema, first, part), Timestamp(stamp)).unwrap();
                first += part.len() as i64;
            }
            let whole = batch(&schema, 0, &parts.concat());
            let picks: Vec<u32> = (0..first as u32).rev().step_by(2).collect();
            let disk = Store::open(Arc::new(MemoryDisk::new())).unwrap();
            write(&growing.freeze(), disk.blobs(), "file", &Cancel::new()).unwrap();
            let open = |name| {
                let opened = Sealed::open(disk.blobs(), name, SegmentId(1), PartitionId(2), Arc::clone(&schema));
                Segment::Sealed(Arc::new(opened.unwrap()))
            };
            let sealed = open("file");
            merge(std::slice::from_ref(&sealed), Timestamp(9), &schema, disk.blobs(), "merged", &Cancel::new()).unwrap();
            for segment in [Segment::Growing(Arc::new(growing)), sealed, open("merged")] {
                for (field, want) in schema.fields.iter().zip(whole.columns()) {
                    let all: Vec<u32> = (0..first as u32).collect();
                    prop_assert_eq!(&segment.read(field.id, &all).unwrap(), want);
                    prop_assert_eq!(segment.read(field.id, &picks).unwrap(), want.take(&picks));
                }
            }
        }
    }
}
