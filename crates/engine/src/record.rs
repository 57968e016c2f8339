//! A write as a log record. Format page: `docs/formats/record.md`.
//!
//! Invariant: a record holds everything a write does to one collection, so a write is in the log whole or not at all.

use crate::{Error, ErrorKind};
use bytes::Bytes;
use data::{Batch, Buffers, CollectionId, Column, FieldId, Keys, Kind, PartitionId, Timestamp, Type};
use serde::{Deserialize, Serialize};

const VERSION: u32 = 1;
/// Stamp (u64), version (u32), length of the description (u32).
const HEAD_BYTES: usize = 16;
/// Buffers start at multiples of this, counted from the record's start.
const ALIGNMENT: usize = 8;

/// What one write does to one collection: first the deletes, then the inserts, all at one stamp.
#[derive(Debug, Clone)]
pub(crate) struct Record {
    pub(crate) collection: CollectionId,
    pub(crate) stamp: Timestamp,
    pub(crate) deletes: Option<Deletes>,
    pub(crate) inserts: Vec<Insert>,
}

/// Keys to take out.
#[derive(Debug, Clone)]
pub(crate) struct Deletes {
    /// Of this partition only; `None` = of all.
    pub(crate) partition: Option<PartitionId>,
    pub(crate) keys: Keys,
}

/// Rows to put into one partition.
#[derive(Debug, Clone)]
pub(crate) struct Insert {
    pub(crate) partition: PartitionId,
    /// The fields of the columns.
    pub(crate) fields: Vec<FieldId>,
    pub(crate) batch: Batch,
}

#[derive(Serialize, Deserialize)]
struct Description {
    collection: CollectionId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    deletes: Option<DeletesDescription>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    inserts: Vec<InsertDescription>,
}

#[derive(Serialize, Deserialize)]
struct DeletesDescription {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    partition: Option<PartitionId>,
    keys: ColumnDescription,
}

#[derive(Serialize, Deserialize)]
struct InsertDescription {
    partition: PartitionId,
    rows: usize,
    columns: Vec<(FieldId, ColumnDescription)>,
}

#[derive(Serialize, Deserialize)]
struct ColumnDescription {
    #[serde(rename = "type")]
    data_type: Type,
    #[serde(default, skip_serializing_if = "is_zero")]
    dim: usize,
    /// Arrays: the type of an element.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    element: Option<Type>,
    rows: usize,
    #[serde(default, skip_serializing_if = "is_false")]
    nulls: bool,
    /// Bytes of each buffer.
    lengths: Vec<usize>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
fn is_zero(n: &usize) -> bool {
    *n == 0
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
fn is_false(b: &bool) -> bool {
    !*b
}

/// A record on its way into the log, complete but for its stamp.
#[derive(Debug)]
pub(crate) struct Unstamped {
    head: Vec<u8>,
    buffers: Vec<Bytes>,
}

impl Unstamped {
    /// Lays `record` out. Large buffers are shared, not copied.
    pub(crate) fn new(record: &Record) -> Result<Self, Error> {
        let mut buffers = Vec::new();
        let mut describe = |column: &Column| {
            let of = Buffers::of(column);
            let lengths = of.parts.iter().map(Bytes::len).collect();
            buffers.extend(of.parts);
            ColumnDescription {
                data_type: of.kind.data_type,
                dim: of.kind.dim,
                element: of.kind.element,
                rows: of.rows,
                nulls: of.has_nulls,
                lengths,
            }
        };
        let deletes = record.deletes.as_ref().map(|deletes| DeletesDescription {
            partition: deletes.partition,
            keys: describe(deletes.keys.column()),
        });
        let inserts = record.inserts.iter().map(|insert| InsertDescription {
            partition: insert.partition,
            rows: insert.batch.rows(),
            columns: insert
                .fields
                .iter()
                .zip(insert.batch.columns())
                .map(|(id, c)| (*id, describe(c)))
                .collect(),
        });
        let inserts = inserts.collect();
        let description = Description { collection: record.collection, deletes, inserts };
        let mut head = vec![0; HEAD_BYTES];
        serde_json::to_writer(&mut head, &description)
            .map_err(|error| Error::internal(format!("a log record cannot be written: {error}")))?;
        let length = (head.len() - HEAD_BYTES) as u32;
        head[8..12].copy_from_slice(&VERSION.to_le_bytes());
        head[12..16].copy_from_slice(&length.to_le_bytes());
        head.resize(head.len().next_multiple_of(ALIGNMENT), 0);
        Ok(Self { head, buffers })
    }

    /// The parts to append, once the stamp is known.
    pub(crate) fn stamped(mut self, stamp: Timestamp) -> Vec<Bytes> {
        const ZEROS: [u8; ALIGNMENT] = [0; ALIGNMENT];
        self.head[..8].copy_from_slice(&stamp.0.to_le_bytes());
        let mut parts = Vec::with_capacity(1 + 2 * self.buffers.len());
        parts.push(Bytes::from(self.head));
        for buffer in self.buffers {
            let padding = buffer.len().next_multiple_of(ALIGNMENT) - buffer.len();
            parts.push(buffer);
            if padding > 0 {
                parts.push(Bytes::from_static(&ZEROS[..padding]));
            }
        }
        parts
    }
}

impl Record {
    /// Reads a record back.
    pub(crate) fn decode(bytes: &Bytes) -> Result<Self, Error> {
        let head = bytes.get(..HEAD_BYTES).ok_or_else(|| damaged("it is cut short"))?;
        let word = |at: usize| head[at..at + 4].try_into().map(u32::from_le_bytes).unwrap_or_default();
        let stamp = head[..8].try_into().map(u64::from_le_bytes).unwrap_or_default();
        if word(8) != VERSION {
            return Err(damaged(&format!("version {} is unknown, this program writes {VERSION}", word(8))));
        }
        let end = HEAD_BYTES.saturating_add(word(12) as usize);
        let description =
            bytes.get(HEAD_BYTES..end).ok_or_else(|| damaged("its description is cut short"))?;
        let description: Description =
            serde_json::from_slice(description).map_err(|error| damaged(&error.to_string()))?;
        let mut rest = Rest { bytes: bytes.clone(), at: end.next_multiple_of(ALIGNMENT) };
        let deletes = description.deletes.map(|deletes| {
            let column = rest.column(deletes.keys)?;
            let keys = Keys::new(column).ok_or_else(|| damaged("its keys are of no key type"))?;
            Ok::<_, Error>(Deletes { partition: deletes.partition, keys })
        });
        let deletes = deletes.transpose()?;
        let mut inserts = Vec::with_capacity(description.inserts.len());
        for insert in description.inserts {
            let (mut fields, mut columns) = (Vec::new(), Vec::new());
            for (field, column) in insert.columns {
                fields.push(field);
                columns.push(rest.column(column)?);
            }
            let batch =
                Batch::new(insert.rows, columns).ok_or_else(|| damaged("its columns differ in length"))?;
            inserts.push(Insert { partition: insert.partition, fields, batch });
        }
        Ok(Self { collection: description.collection, stamp: Timestamp(stamp), deletes, inserts })
    }
}

/// The buffers not read yet.
struct Rest {
    bytes: Bytes,
    at: usize,
}

impl Rest {
    fn column(&mut self, of: ColumnDescription) -> Result<Column, Error> {
        let mut parts = Vec::with_capacity(of.lengths.len());
        for length in of.lengths {
            let end = self.at.checked_add(length).filter(|end| *end <= self.bytes.len());
            let end = end.ok_or_else(|| damaged("its buffers are cut short"))?;
            parts.push(self.bytes.slice(self.at..end));
            self.at = end.next_multiple_of(ALIGNMENT);
        }
        let kind = match of.element {
            Some(element) if of.data_type == Type::Array => Kind::array(element, of.dim),
            _ => Kind::new(of.data_type, of.dim),
        };
        let buffers = Buffers { kind, rows: of.rows, has_nulls: of.nulls, parts };
        buffers.into_column().map_err(|error| damaged(&error.to_string()))
    }
}

fn damaged(why: &str) -> Error {
    Error::new(ErrorKind::Corrupt, format!("a log record is damaged: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record() -> Record {
        let keys = Column::from_ints(vec![1, 2, 3]);
        let columns = vec![
            keys.clone(),
            Column::from_texts(["a", "bb", ""]),
            Column::from_vectors(2, vec![0.5; 6]).unwrap(),
        ];
        Record {
            collection: CollectionId(7),
            stamp: Timestamp(99),
            deletes: Some(Deletes { partition: Some(PartitionId(4)), keys: Keys::new(keys).unwrap() }),
            inserts: vec![Insert {
                partition: PartitionId(4),
                fields: vec![FieldId(100), FieldId(101), FieldId(102)],
                batch: Batch::new(3, columns).unwrap(),
            }],
        }
    }

    fn bytes(record: &Record) -> Bytes {
        let parts = Unstamped::new(record).unwrap().stamped(record.stamp);
        Bytes::from(parts.concat())
    }

    #[test]
    fn there_and_back() {
        let (before, after) = (record(), Record::decode(&bytes(&record())).unwrap());
        assert_eq!((after.collection, after.stamp), (before.collection, before.stamp));
        assert_eq!(after.deletes.unwrap().keys.ints(), Some(&[1, 2, 3][..]));
        let insert = &after.inserts[0];
        assert_eq!((insert.partition, insert.batch.rows()), (PartitionId(4), 3));
        assert_eq!(insert.batch.columns()[1].value(1), data::Value::Text("bb".into()));
    }

    /// The format of the version that was released stays readable; and as long as there is one version, what is
    /// written is that, byte for byte. `ELANUS_BLESS=1` writes the fixture when there is none.
    #[test]
    fn the_fixture_opens() {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../../fixtures/formats/engine/record-1.bin");
        if std::env::var_os("ELANUS_BLESS").is_some() && !path.exists() {
            std::fs::write(&path, bytes(&record())).unwrap();
        }
        let kept = Bytes::from(std::fs::read(&path).unwrap());
        assert_eq!(kept, bytes(&record()));
        assert_eq!(Record::decode(&kept).unwrap().inserts[0].batch.rows(), 3);
    }

    #[test]
    fn a_cut_record_is_an_error_at_every_length() {
        let whole = bytes(&record());
        for length in 0..whole.len() - ALIGNMENT {
            assert!(Record::decode(&whole.slice(..length)).is_err(), "{length} of {} bytes", whole.len());
        }
    }
}
