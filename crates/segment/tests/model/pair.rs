//! A segment beside its model; every question to both.

use crate::truth::{
    ID, NUMBER, Row, TEXT, Truth, VECTOR, batch, key_name, key_number, keys, number, schema, text, vector,
};
use data::{FieldId, KeyRef, PartitionId, SegmentId, Timestamp};
use host::Cancel;
use index::{Metric, Query, Vectors};
use segment::{Growing, Mask, Nearest, Sealed, Segment, merge, write};
use std::sync::Arc;
use store::{Blobs, MemoryDisk, Store};

/// One record of the log.
#[derive(Debug, Clone)]
pub(crate) enum Step {
    Insert(Vec<u8>),
    Upsert(Vec<u8>),
    Delete(Vec<u8>),
}

/// A segment under test and what it should hold.
pub(crate) struct Pair {
    pub(crate) segment: Segment,
    truth: Truth,
    is_text: bool,
}

impl Pair {
    pub(crate) fn growing(id: i64, is_text: bool) -> Self {
        let growing = Growing::new(SegmentId(id), PartitionId(1), schema(is_text));
        Self { segment: Segment::Growing(Arc::new(growing)), truth: Truth::default(), is_text }
    }

    pub(crate) fn apply(&mut self, step: &Step, stamp: Timestamp) {
        let (Step::Insert(names) | Step::Upsert(names) | Step::Delete(names)) = step;
        if !matches!(step, Step::Insert(_)) {
            let died = self.segment.delete(&keys(names, self.is_text), stamp).unwrap();
            assert_eq!(died, self.truth.delete(names, stamp));
        }
        let Segment::Growing(growing) = &self.segment else { return };
        if !matches!(step, Step::Delete(_)) {
            self.truth.append(names, stamp);
            let first = self.truth.rows.len() - names.len();
            let numbers = growing.append(batch(&self.truth.rows[first..], self.is_text), stamp).unwrap();
            assert_eq!((numbers.start as usize, numbers.end as usize), (first, self.truth.rows.len()));
        }
    }

    /// Asks every question at every interesting time from `since` on.
    pub(crate) fn check(&self, since: u64, until: u64) {
        assert_eq!(self.segment.rows(), self.truth.rows.len());
        assert_eq!(
            self.segment.deleted_rows(),
            self.truth.rows.iter().filter(|row| row.died.is_some()).count()
        );
        for at in (since..=until).chain([u64::MAX]).map(Timestamp) {
            self.check_at(at);
        }
        self.check_values();
    }

    fn check_at(&self, at: Timestamp) {
        let live = self.truth.live(at);
        let mask = self.segment.matches(None, at).unwrap();
        assert_eq!(mask.iter().collect::<Vec<_>>(), live, "rows visible at {at:?}");
        assert_eq!(mask.count(), live.len());
        assert_eq!(self.segment.live_rows(at).unwrap(), live.len());
        for key in 0..40 {
            let name = key_name(key);
            let key_ref =
                if self.is_text { KeyRef::Text(name.as_bytes()) } else { KeyRef::Int(key_number(key)) };
            let mut found = self.segment.find(&[key_ref], at).unwrap();
            found.sort_unstable();
            let want: Vec<u32> =
                live.iter().copied().filter(|row| self.truth.rows[*row as usize].key == key).collect();
            assert_eq!(found, want, "rows of key {key} at {at:?}");
        }
        self.check_filters(at, &live);
        self.check_search(at, &mask);
    }

    fn check_filters(&self, at: Timestamp, live: &[u32]) {
        for (text, holds) in Truth::filters(self.is_text) {
            let ast = filter::parse(&text).unwrap();
            let predicate = filter::bind(&ast, &self.segment.schema(), &[].into()).unwrap();
            let mask = self.segment.matches(Some(&predicate), at).unwrap();
            let rows = live.iter().copied();
            let want: Vec<u32> = rows.filter(|row| holds(&self.truth.rows[*row as usize])).collect();
            assert_eq!(mask.iter().collect::<Vec<_>>(), want, "{text} at {at:?}");
        }
    }

    fn check_search(&self, at: Timestamp, mask: &Mask) {
        let queries = [0.5_f32, 0.25, -0.5, 0.0, 3.0, -1.0, 0.0, 1.0];
        let query = Query::exact(Metric::L2, 7);
        let request = Nearest {
            field: VECTOR,
            queries: Vectors::F32 { dim: 4, values: &queries },
            query: &query,
            metric: Metric::L2,
            mask,
            use_index: true,
            awaits_index: true,
            cancel: &Cancel::new(),
        };
        let hits = self.segment.search(&request).unwrap();
        for (query, hits) in queries.chunks(4).zip(hits) {
            assert_eq!(hits.rows, self.truth.nearest(query, at, 7), "nearest to {query:?} at {at:?}");
        }
    }

    fn check_values(&self) {
        let rows: Vec<u32> = (0..self.truth.rows.len() as u32).rev().collect();
        let read = |field: FieldId| self.segment.read(field, &rows).unwrap();
        let (numbers, texts, vectors) = (read(NUMBER), read(TEXT), read(VECTOR));
        let stamps = self.segment.stamps(&rows).unwrap();
        let keys = self.segment.keys(&rows).unwrap();
        for (place, row) in rows.iter().enumerate() {
            let Row { key, stamp, .. } = self.truth.rows[*row as usize];
            let serial = self.truth.rows[*row as usize].serial;
            assert_eq!(numbers.value(place), number(serial));
            assert_eq!(texts.value(place), text(serial));
            assert_eq!(vectors.is_valid(place), vector(serial).is_some());
            assert_eq!(stamps[place], stamp);
            let name = key_name(key);
            let want =
                if self.is_text { KeyRef::Text(name.as_bytes()) } else { KeyRef::Int(key_number(key)) };
            assert_eq!(keys.get(place), want);
        }
        let pieces = self.segment.pieces(ID).unwrap();
        assert_eq!(pieces.iter().map(|piece| piece.1.len()).sum::<usize>(), rows.len());
    }

    /// Writes and opens it; `meanwhile` happens between the writing and the opening.
    pub(crate) fn seal(mut self, blobs: &Blobs, name: &str, meanwhile: &[(Step, Timestamp)]) -> Self {
        let Segment::Growing(growing) = self.segment.clone() else { return self };
        let written = write(&growing.freeze(), blobs, name, &Cancel::new()).unwrap();
        assert_eq!(written.rows, self.truth.rows.len());
        assert_eq!((written.min_stamp, written.max_stamp), (growing.min_stamp(), growing.max_stamp()));
        for (step, stamp) in meanwhile {
            if let Step::Delete(_) = step {
                self.apply(step, *stamp);
            }
        }
        let sealed = Sealed::open(blobs, name, growing.id(), growing.partition(), growing.schema()).unwrap();
        sealed.verify().unwrap();
        sealed.apply_deletes(&growing.deletes(Timestamp::MAX));
        self.segment = Segment::Sealed(Arc::new(sealed));
        self
    }
}

/// Merges `pairs`, leaving out what died at or before `keep_after`; `late` deletes arrive while it runs.
pub(crate) fn merge_pairs(
    mut pairs: Vec<Pair>,
    keep_after: Timestamp,
    late: &Step,
    stamp: Timestamp,
    blobs: &Blobs,
) -> Pair {
    let is_text = pairs[0].is_text;
    let sources: Vec<Segment> = pairs.iter().map(|pair| pair.segment.clone()).collect();
    let merged = merge(&sources, keep_after, &schema(is_text), blobs, "merged", &Cancel::new()).unwrap();
    let mut truth = Truth::default();
    for pair in &mut pairs {
        truth.rows.extend(
            pair.truth.rows.iter().filter(|row| row.died.is_none_or(|died| died > keep_after)).cloned(),
        );
    }
    let (Step::Insert(names) | Step::Upsert(names) | Step::Delete(names)) = late;
    for source in &sources {
        source.delete(&keys(names, is_text), stamp).unwrap();
    }
    truth.delete(names, stamp);
    assert_eq!(merged.written.rows, truth.rows.len());
    let sealed = Sealed::open(blobs, "merged", SegmentId(9), PartitionId(1), schema(is_text)).unwrap();
    sealed.verify().unwrap();
    sealed.apply_deletes(&merged.deletes(&sources));
    Pair { segment: Segment::Sealed(Arc::new(sealed)), truth, is_text }
}

pub(crate) fn blobs() -> Blobs {
    Store::open(Arc::new(MemoryDisk::new())).unwrap().blobs().clone()
}
