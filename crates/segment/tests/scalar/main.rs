//! Indexes on scalar fields: whatever index there is, a filter's answer is that of the columns.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on may stop")]

mod packed;
mod rows;

use data::{FieldId, IndexId, Timestamp};
use filter::{Answer, Predicate, Probe, Rows, bind, parse};
use host::{Cancel, Progress, Rng};
use proptest::prelude::*;
use rows::{KINDS, expression, schema, seal};
use segment::{Error, ScalarIndex, ScalarSpec, Sealed, build_scalar};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use store::{Blobs, MemoryDisk, Store};

fn blobs() -> Blobs {
    Store::open(Arc::new(MemoryDisk::new())).unwrap().blobs().clone()
}

fn spec(kind: &rows::Kind) -> ScalarSpec {
    let schema = schema();
    let params: Vec<_> = kind.1.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    ScalarSpec::parse(schema.field(kind.0).unwrap(), &schema, &params).unwrap()
}

fn build(spec: &ScalarSpec, sealed: &Sealed, blobs: &Blobs, name: &str) -> ScalarIndex {
    let place = (blobs, name);
    let bytes = build_scalar(spec, sealed, place, &mut |_| Ok(()), &Cancel::new(), &Progress::new()).unwrap();
    let index = ScalarIndex::open(spec, blobs, name, sealed.rows()).unwrap();
    assert_eq!((index.bytes() as u64, index.field()), (bytes, spec.field()));
    index
}

fn predicate(text: &str) -> Predicate {
    let bound = bind(&parse(text).unwrap(), &schema(), &BTreeMap::new());
    assert!(bound.is_ok(), "{text}: {bound:?}");
    bound.unwrap()
}

fn columns_of(sealed: &Sealed) -> BTreeMap<FieldId, data::Column> {
    schema().fields.iter().map(|field| (field.id, sealed.column(field.id).unwrap())).collect()
}

/// Columns, and nothing else.
struct Plain(BTreeMap<FieldId, data::Column>);

impl Rows for Plain {
    fn len(&self) -> usize {
        self.0.values().next().unwrap().len()
    }

    fn column(&self, field: FieldId) -> Option<&data::Column> {
        self.0.get(&field)
    }
}

/// Columns of a segment, with an index that answers whatever it costs, and counts what it answers.
struct Counted<'a> {
    columns: BTreeMap<FieldId, data::Column>,
    index: &'a ScalarIndex,
    answers: AtomicUsize,
}

impl Rows for Counted<'_> {
    fn len(&self) -> usize {
        self.columns.values().next().unwrap().len()
    }

    fn column(&self, field: FieldId) -> Option<&data::Column> {
        self.columns.get(&field)
    }

    fn answer(&self, probe: &Probe<'_>) -> Option<Answer> {
        let answer = self.index.insist(probe)?;
        self.answers.fetch_add(1, Ordering::Relaxed);
        Some(answer)
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn no_index_changes_an_answer(
        seed in any::<u64>(), row_count in prop_oneof![Just(1_usize), 60..70_usize, 500..2500_usize]
    ) {
        let blobs = blobs();
        let sealed = seal(seed, row_count, &blobs, "rows");
        let indexes: Vec<_> = KINDS
            .iter()
            .zip(0_i64..)
            .map(|(kind, i)| (IndexId(i), Arc::new(build(&spec(kind), &sealed, &blobs, &format!("index-{i}")))))
            .collect();
        let ask = |predicate: &Predicate| {
            sealed.matches(Some(predicate), Timestamp(9)).unwrap().iter().collect::<Vec<u32>>()
        };
        let plain = Plain(columns_of(&sealed));
        let mut rng = Rng::new(seed);
        for _ in 0..60 {
            let text = expression(&mut rng, 3);
            let predicate = predicate(&text);
            let want: Vec<u32> = predicate.eval(&plain).iter().map(|row| row as u32).collect();
            prop_assert_eq!(ask(&predicate), &want[..], "{} without an index", text);
            for (id, index) in &indexes {
                let counted = Counted { columns: plain.0.clone(), index, answers: AtomicUsize::new(0) };
                let got: Vec<u32> = predicate.eval(&counted).iter().map(|row| row as u32).collect();
                prop_assert_eq!(&got, &want, "{} by {:?}", text, KINDS[id.0 as usize]);
                sealed.attach_scalar(*id, Arc::clone(index));
                prop_assert_eq!(&ask(&predicate), &want, "{} with {:?}", text, KINDS[id.0 as usize]);
                prop_assert!(sealed.detach_scalar(*id).is_some());
            }
            for (id, index) in &indexes {
                sealed.attach_scalar(*id, Arc::clone(index));
            }
            prop_assert_eq!(ask(&predicate), want, "{} with all of them", text);
            for (id, _) in &indexes {
                sealed.detach_scalar(*id);
            }
        }
    }
}

/// An index that never answers would pass every comparison.
#[test]
fn indexes_answer_what_they_are_for() {
    let blobs = blobs();
    let sealed = seal(3, 2000, &blobs, "rows");
    for (kind, i) in KINDS.iter().zip(0..) {
        let index = build(&spec(kind), &sealed, &blobs, &format!("index-{i}"));
        let counted = Counted { columns: columns_of(&sealed), index: &index, answers: AtomicUsize::new(0) };
        for text in kind.2 {
            let before = counted.answers.load(Ordering::Relaxed);
            let found = predicate(text).eval(&counted).count();
            assert!(found > 0 && found < 2000, "{text} finds {found} rows");
            assert_eq!(counted.answers.load(Ordering::Relaxed), before + 1, "{text} with {kind:?}");
        }
    }
}

#[test]
fn a_damaged_file_says_so() {
    let blobs = blobs();
    let sealed = seal(5, 300, &blobs, "rows");
    for kind in KINDS {
        let spec = spec(kind);
        drop(build(&spec, &sealed, &blobs, "index"));
        let bytes = blobs.open("index").unwrap();
        let mut rng = Rng::new(11);
        for round in 0..60 {
            let mut damaged = bytes.to_vec();
            let at = rng.below(damaged.len() as u64) as usize;
            damaged[at] ^= 1 << rng.below(8);
            let name = format!("damaged-{round}-{at}");
            let mut blob = blobs.create(&name).unwrap();
            blob.append(&[damaged.into()]).unwrap();
            blob.finish().unwrap();
            // Bytes between two sections are the only ones that opening does not look at.
            let outcome = ScalarIndex::open(&spec, &blobs, &name, 300);
            assert!(matches!(outcome, Ok(_) | Err(Error::Damaged { .. } | Error::Store(_))), "{outcome:?}");
            blobs.delete(&name).unwrap();
        }
        assert!(matches!(ScalarIndex::open(&spec, &blobs, "index", 299), Err(Error::Damaged { .. })));
        blobs.delete("index").unwrap();
    }
}

/// What was released must open; what is written today is what was released.
#[test]
fn the_fixtures_open() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/formats/segment/scalar-1");
    let blobs = blobs();
    let sealed = seal(7, 120, &blobs, "rows");
    for (kind, i) in KINDS.iter().zip(0..) {
        let (spec, name) = (spec(kind), format!("index-{i}"));
        drop(build(&spec, &sealed, &blobs, &name));
        let path = folder.join(format!("{i:02}-{}.bin", kind.0.replace(['[', ']', '$'], "-")));
        let now = blobs.open(&name).unwrap();
        if std::env::var_os("ELANUS_BLESS").is_some() {
            std::fs::create_dir_all(&folder).unwrap();
            std::fs::write(&path, &now).unwrap();
        }
        let fixture = std::fs::read(&path).unwrap();
        assert!(
            now == fixture,
            "{} is not what is written today; a new format needs a new fixture",
            path.display()
        );
        let mut blob = blobs.create(&format!("fixture-{i}")).unwrap();
        blob.append(&[fixture.into()]).unwrap();
        blob.finish().unwrap();
        ScalarIndex::open(&spec, &blobs, &format!("fixture-{i}"), 120).unwrap();
    }
}
