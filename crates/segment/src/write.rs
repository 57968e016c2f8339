//! Rows into one file. Invariant: rows come in the order of their blocks, every column with the same rows.

use crate::blocks::Block;
use crate::column::{Encoded, encode_column, write_zones};
use crate::files::{FieldHead, Head, SectionWriter};
use crate::key_order::write_keys;
use crate::{Error, Frozen};
use data::{Schema, Timestamp};
use host::Cancel;
use std::sync::Arc;
use store::Blobs;

/// What has been written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Written {
    /// How many rows.
    pub rows: usize,
    /// The size of the file.
    pub file_bytes: u64,
    /// The smallest stamp of a row; [`Timestamp::MAX`] when there are none.
    pub min_stamp: Timestamp,
    /// The largest stamp of a row; zero when there are none.
    pub max_stamp: Timestamp,
}

/// Writes all rows of `frozen` into file `name`, each under the number it has, dead ones too: deletes that go on in
/// the meantime carry over by number ([`crate::Growing::deletes`], [`crate::Sealed::apply_deletes`]).
///
/// # Errors
/// [`Error::Store`] when the disk refuses or the name is taken; [`Error::Cancelled`]. No file is left behind.
pub fn write(frozen: &Frozen, blobs: &Blobs, name: &str, cancel: &Cancel) -> Result<Written, Error> {
    let blocks: Vec<_> = frozen.view.chunks.iter().map(|chunk| Block::of_chunk(Arc::clone(chunk))).collect();
    write_blocks(&blocks, &frozen.view.schema, blobs, name, cancel)
}

/// Writes the kept rows of `blocks` as columns of `schema`.
pub(crate) fn write_blocks(
    blocks: &[Block],
    schema: &Schema,
    blobs: &Blobs,
    name: &str,
    cancel: &Cancel,
) -> Result<Written, Error> {
    let mut file = SectionWriter::create(blobs, name)?;
    let rows = blocks.iter().map(Block::kept).sum::<usize>();
    let (min_stamp, max_stamp) = write_stamps(blocks, &mut file)?;
    let (mut fields, mut zones) = (Vec::new(), Vec::new());
    for field in &schema.fields {
        let Encoded { has_nulls, packing, zones: known } = encode_column(field, blocks, &mut file, cancel)?;
        let (id, data_type, dim, element) = (field.id, field.data_type, field.dim, field.element);
        let has_zones = known.is_some();
        fields.push(FieldHead { id, data_type, dim, element, has_nulls, packing, has_zones });
        zones.extend(known);
    }
    write_zones(&zones, &mut file)?;
    let keys = write_keys(schema, blocks, &mut file)?;
    let head = Head::new(rows as u32, (min_stamp, max_stamp), keys, fields);
    head.write(&mut file)?;
    let file_bytes = file.finish()?;
    Ok(Written { rows, file_bytes, min_stamp, max_stamp })
}

/// Writes one stamp a row, unless all are the same; gives the smallest and the largest.
fn write_stamps(blocks: &[Block], file: &mut SectionWriter) -> Result<(Timestamp, Timestamp), Error> {
    let (mut min, mut max) = (Timestamp::MAX, Timestamp::ZERO);
    for block in blocks {
        block.each_stamp(|stamp| (min, max) = (min.min(stamp), max.max(stamp)))?;
    }
    if min < max {
        file.begin("stamps")?;
        for block in blocks {
            let mut bytes = Vec::with_capacity(block.kept() * 8);
            block.each_stamp(|stamp| bytes.extend_from_slice(&stamp.0.to_le_bytes()))?;
            file.put(&bytes)?;
        }
        file.end()?;
    }
    Ok((min, max))
}
