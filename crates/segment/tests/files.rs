//! Files: what was released must open, what is damaged must say so and never bring anything down.

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use data::{
        Batch, Column, ColumnBuilder, Field, FieldId, KeyRef, Keys, PartitionId, Schema, SegmentId,
        Timestamp, Type, Value,
    };
    use host::Cancel;
    use index::{Metric, Query, Vectors};
    use segment::{DeleteList, Error, Growing, Nearest, Sealed, write};
    use std::path::Path;
    use std::sync::Arc;
    use store::file::{Reader, Writer};
    use store::{Blobs, MemoryDisk, Store};

    const ROWS: usize = 70;
    const FLOATS: FieldId = FieldId(109);
    const BITS: FieldId = FieldId(110);

    fn blobs() -> Blobs {
        Store::open(Arc::new(MemoryDisk::new())).unwrap().blobs().clone()
    }

    /// One field of every type, every second one nullable.
    fn schema(keys: Type) -> Arc<Schema> {
        let types = [
            keys,
            Type::Bool,
            Type::Int8,
            Type::Int16,
            Type::Int32,
            Type::Int64,
            Type::Float,
            Type::Double,
            Type::Json,
            Type::FloatVector,
            Type::BinaryVector,
            Type::VarChar,
        ];
        let field = |(i, data_type): (usize, Type)| Field {
            id: FieldId(100 + i as i64),
            nullable: i % 2 == 1,
            dim: if data_type.is_vector() { 8 } else { 0 },
            is_primary: i == 0,
            ..Field::new(&format!("f{i}"), data_type)
        };
        Arc::new(Schema { fields: types.into_iter().enumerate().map(field).collect(), ..Schema::default() })
    }

    fn key(row: usize) -> i64 {
        (row as i64 * 37) % 71 - 20
    }

    fn value(field: &Field, row: usize) -> Value {
        let n = row as i64 * 3 - 50;
        match field.data_type {
            _ if field.nullable && row % 3 == 1 => Value::Null,
            Type::Bool => Value::Bool(row.is_multiple_of(4)),
            Type::VarChar if field.is_primary => Value::Text(format!("k{}", key(row))),
            Type::Int64 if field.is_primary => Value::Int(key(row)),
            Type::Int8 | Type::Int16 | Type::Int32 | Type::Int64 => Value::Int(n),
            Type::Float | Type::Double => Value::Double(n as f64 / 4.0),
            Type::VarChar => Value::Text("é".repeat(row % 5)),
            Type::Json => Value::Json(format!("{{\"n\": {n}}}")),
            _ => Value::Null,
        }
    }

    fn column(field: &Field, rows: std::ops::Range<usize>) -> Column {
        let mut builder = ColumnBuilder::new(field.data_type, field.dim);
        for row in rows {
            let floats = (0..8).map(|i| (row * 8 + i) as f32 / 2.0).collect();
            let bits = data::Values::BinaryVector { dim: 8, bytes: vec![row as u8].into() };
            match field.data_type {
                _ if field.nullable && row % 3 == 1 => builder.push_null(),
                Type::FloatVector => builder.push_from(&Column::from_vectors(8, floats).unwrap(), 0),
                Type::BinaryVector => builder.push_from(&Column::new(bits, None).unwrap(), 0),
                _ => builder.push(&value(field, row)),
            }
        }
        builder.finish()
    }

    fn rows(schema: &Schema, rows: std::ops::Range<usize>) -> Batch {
        Batch::new(rows.len(), schema.fields.iter().map(|field| column(field, rows.clone())).collect())
            .unwrap()
    }

    fn write_one(blobs: &Blobs, name: &str, keys: Type) {
        let schema = schema(keys);
        let growing = Growing::new(SegmentId(1), PartitionId(2), Arc::clone(&schema));
        growing.append(rows(&schema, 0..40), Timestamp(5)).unwrap();
        growing.append(rows(&schema, 40..ROWS), Timestamp(8)).unwrap();
        write(&growing.freeze(), blobs, name, &Cancel::new()).unwrap();
    }

    fn open(blobs: &Blobs, name: &str, keys: Type) -> Result<Sealed, Error> {
        Sealed::open(blobs, name, SegmentId(1), PartitionId(2), schema(keys))
    }

    /// Asks everything there is to ask; answers may be errors.
    fn ask_everything(sealed: &Sealed, keys: Type) {
        let _ = sealed.verify();
        let schema = sealed.schema();
        for field in &schema.fields {
            let _ = sealed.read(field.id, &[0, 69, 3]);
            if let Ok(column) = sealed.column(field.id) {
                (0..column.len()).for_each(|row| drop(column.value(row)));
            }
        }
        let names: Vec<String> = (0..ROWS).map(|row| format!("k{}", key(row))).collect();
        let refs: Vec<KeyRef<'_>> = match keys {
            Type::VarChar => names.iter().map(|name| KeyRef::Text(name.as_bytes())).collect(),
            _ => (0..ROWS).map(|row| KeyRef::Int(key(row))).collect(),
        };
        let _ = sealed.find(&refs, Timestamp(6));
        let ast = filter::parse("f2 > 3 or f11 == 'é' or f8['n'] == 7").unwrap();
        let predicate = filter::bind(&ast, &schema, &[].into()).unwrap();
        if let Ok(mask) = sealed.matches(Some(&predicate), Timestamp(6)) {
            let request = Nearest {
                field: FLOATS,
                queries: Vectors::F32 { dim: 8, values: &[1.0; 8] },
                query: &Query::exact(Metric::L2, 3),
                metric: Metric::L2,
                mask: &mask,
                use_index: true,
                awaits_index: true,
                cancel: &Cancel::new(),
            };
            let _ = sealed.search(&request);
            let bits = Vectors::Bits { dim: 8, bytes: &[7] };
            let query = Query::exact(Metric::Hamming, 3);
            let _ = sealed.search(&Nearest {
                field: BITS,
                queries: bits,
                query: &query,
                metric: Metric::Hamming,
                ..request
            });
        }
        let _ = sealed.delete(&Keys::new(column(&schema.fields[0], 0..ROWS)).unwrap(), Timestamp(7));
    }

    fn check_contents(sealed: &Sealed) {
        sealed.verify().unwrap();
        assert_eq!(
            (sealed.rows(), sealed.min_stamp(), sealed.max_stamp()),
            (ROWS, Timestamp(5), Timestamp(8))
        );
        assert_eq!(sealed.matches(None, Timestamp(7)).unwrap().count(), 40);
        for field in &sealed.schema().fields {
            let want = column(field, 0..ROWS);
            let got = sealed.column(field.id).unwrap();
            assert_eq!(got.len(), ROWS);
            for row in 0..ROWS {
                assert_eq!(
                    (got.is_valid(row), got.value(row)),
                    (want.is_valid(row), want.value(row)),
                    "{}",
                    field.name
                );
            }
            if let (Some(got), Some(want)) = (segment::vectors_of(&got), segment::vectors_of(&want)) {
                assert_eq!(format!("{got:?}"), format!("{want:?}"), "{}", field.name);
            }
        }
    }

    #[test]
    fn every_released_version_opens_and_the_latest_is_what_is_written() {
        for (name, keys) in [("int", Type::Int64), ("text", Type::VarChar)] {
            let blobs = blobs();
            write_one(&blobs, "now", keys);
            let path = |version: u32| {
                let file = format!("fixtures/segment-v{version}-{name}.bin");
                Path::new(env!("CARGO_MANIFEST_DIR")).join(file)
            };
            let now = blobs.open("now").unwrap();
            if std::env::var_os("ELANUS_BLESS").is_some() {
                std::fs::write(path(3), &now).unwrap();
            }
            let fixture = std::fs::read(path(3)).unwrap();
            assert!(
                now == fixture,
                "{} is not what is written today; a new format needs a new fixture",
                path(3).display()
            );
            blobs.put("fixture", &[fixture.into()]).unwrap();
            check_contents(&open(&blobs, "fixture", keys).unwrap());
            for version in [1, 2] {
                let old = format!("old-{version}");
                blobs.put(&old, &[std::fs::read(path(version)).unwrap().into()]).unwrap();
                check_contents(&open(&blobs, &old, keys).unwrap());
            }
        }
    }

    #[test]
    fn every_flipped_bit_is_found_and_its_section_named() {
        let blobs = blobs();
        write_one(&blobs, "good", Type::VarChar);
        let good = blobs.open("good").unwrap();
        let sections: Vec<_> = {
            let reader = Reader::open(good.clone()).unwrap();
            let all = reader.sections();
            all.map(|section| (section.name.to_owned(), section.offset..section.offset + section.length))
                .collect()
        };
        for byte in 0..good.len() {
            let mut bad = good.to_vec();
            bad[byte] ^= 1 << (byte % 8);
            blobs.put("bad", &[bad.into()]).unwrap();
            let opened = open(&blobs, "bad", Type::VarChar);
            let error = match &opened {
                Ok(sealed) => sealed.verify().unwrap_err(),
                Err(error) => Error::Shape(error.to_string()),
            };
            let inside = sections.iter().find(|section| section.1.contains(&(byte as u64)));
            if let Some((name, _)) = inside {
                assert!(error.to_string().contains(name), "byte {byte} of {name}: {error}");
            }
            if let Ok(sealed) = opened
                && byte % 5 == 0
            {
                ask_everything(&sealed, Type::VarChar);
            }
            blobs.delete("bad").unwrap();
        }
    }

    #[test]
    fn short_files_are_refused() {
        let blobs = blobs();
        write_one(&blobs, "good", Type::Int64);
        let good = blobs.open("good").unwrap();
        for length in (0..good.len()).step_by(61) {
            blobs.put("short", &[good.slice(..length)]).unwrap();
            assert!(
                matches!(open(&blobs, "short", Type::Int64), Err(Error::Damaged { .. })),
                "{length} bytes"
            );
            blobs.delete("short").unwrap();
        }
        assert!(matches!(
            open(&blobs, "none", Type::Int64),
            Err(Error::Store(store::Error::NotFound { .. }))
        ));
    }

    /// The file with one section replaced, or left out, and all checksums right.
    fn forge(blobs: &Blobs, section: &str, bytes: Option<Vec<u8>>) {
        let reader = Reader::open(blobs.open("good").unwrap()).unwrap();
        let mut file = Writer::new(blobs.create("forged").unwrap(), reader.kind(), reader.version()).unwrap();
        for old in reader.sections() {
            let kept = reader.section(old.name).unwrap().unwrap();
            match &bytes {
                _ if old.name != section => file.section(old.name, &[kept]).unwrap(),
                Some(bytes) => file.section(section, &[Bytes::from(bytes.clone())]).unwrap(),
                None => {}
            }
        }
        file.finish().unwrap();
    }

    #[test]
    fn nonsense_under_right_checksums_is_an_error_at_worst() {
        let ints = |values: &[i64]| values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>();
        let head = |text: &str| Some(text.as_bytes().to_vec());
        let falling = ints(&(0..=ROWS as i64).rev().collect::<Vec<_>>());
        let far = ints(&[i64::MAX; ROWS + 1]);
        let bits = r#"{"rows":70,"min_stamp":5,"max_stamp":8,"keys":"rising","fields":[{"id":110,"type":"binary_vector","dim":12}]}"#;
        let flat = r#"{"rows":0,"min_stamp":5,"max_stamp":8,"keys":"none","fields":[{"id":109,"type":"float_vector","dim":0}]}"#;
        let cases = [
            ("head", None, true),
            ("head", head(""), true),
            ("head", head("{}"), true),
            ("head", head(r#"{"rows":70,"min_stamp":5,"max_stamp":8,"keys":"sorted","fields":[]}"#), true),
            ("head", head(bits), true),
            ("head", head(flat), true),
            ("stamps", None, false),
            ("stamps", Some(vec![0; 8 * ROWS - 1]), false),
            ("stamps", Some(vec![255; 8 * ROWS]), false),
            ("keys/codes", None, false),
            ("keys/codes", Some(falling[..8 * ROWS].to_vec()), false),
            ("keys/rows", Some(vec![255; 4 * ROWS]), false),
            ("field/100/offsets", None, true),
            ("field/100/offsets", Some(falling.clone()), false),
            ("field/108/offsets", Some(far), false),
            ("field/108/bytes", None, false),
            ("field/108/bytes", Some(vec![255; 5]), false),
            ("field/101/values", Some(vec![255; 8]), true),
            ("field/101/validity", None, true),
            ("field/109/values", Some(vec![255; 8 * 4 * ROWS]), false),
            ("field/109/values", Some(Vec::new()), true),
        ];
        let blobs = blobs();
        write_one(&blobs, "good", Type::VarChar);
        for (section, bytes, is_refused) in cases {
            forge(&blobs, section, bytes);
            let opened = open(&blobs, "forged", Type::VarChar);
            assert_eq!(matches!(&opened, Err(Error::Damaged { .. })), is_refused, "{section}: {opened:?}");
            if let Ok(sealed) = opened {
                ask_everything(&sealed, Type::VarChar);
            }
            blobs.delete("forged").unwrap();
        }
    }

    #[test]
    fn a_damaged_key_order_is_made_again() {
        let blobs = blobs();
        write_one(&blobs, "good", Type::VarChar);
        forge(&blobs, "keys/codes", None);
        let sealed = open(&blobs, "forged", Type::VarChar).unwrap();
        let name = format!("k{}", key(33));
        assert_eq!(sealed.find(&[KeyRef::Text(name.as_bytes())], Timestamp(9)).unwrap(), [33]);
    }

    #[test]
    fn delete_lists_go_there_and_back_and_damage_is_found() {
        let blobs = blobs();
        let list: DeleteList =
            (0..50_u32).map(|row| (row * 3 % 50, Timestamp(u64::from(row % 7) + 1))).collect();
        list.save(&blobs, "deletes").unwrap();
        assert_eq!(DeleteList::open(&blobs, "deletes").unwrap(), list);
        DeleteList::default().save(&blobs, "none").unwrap();
        assert!(DeleteList::open(&blobs, "none").unwrap().is_empty());
        assert!(
            matches!(open(&blobs, "deletes", Type::Int64), Err(Error::Damaged { .. })),
            "another kind of file"
        );
        let good = blobs.open("deletes").unwrap();
        for byte in 0..good.len() {
            let mut bad = good.to_vec();
            bad[byte] ^= 4;
            blobs.put("bad", &[bad.into()]).unwrap();
            match DeleteList::open(&blobs, "bad") {
                Ok(same) => assert_eq!(same, list, "byte {byte} is padding"),
                Err(error) => assert!(matches!(error, Error::Damaged { .. } | Error::Store(_)), "{error}"),
            }
            blobs.delete("bad").unwrap();
        }
    }
}
