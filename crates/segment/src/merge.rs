//! Several segments into one file without the dead. Invariant: kept rows keep their order, their values and their
//! stamps; memory in use is bounded by row numbers and keys (some 40 bytes a row), not by the columns.

use crate::blocks::Block;
use crate::write::write_blocks;
use crate::{DeleteList, Error, Segment, Written};
use data::{Schema, Timestamp};
use host::Cancel;
use simd::Bits;
use std::sync::Arc;
use store::Blobs;

/// Stands for "not in the new file".
const DROPPED: u32 = u32::MAX;

/// Where the rows of one source went.
#[derive(Debug, Clone)]
pub struct RowMap {
    new_rows: Vec<u32>,
}

impl RowMap {
    /// The new number of `row`; `None` when it was dropped, or is none of the source's.
    pub fn get(&self, row: u32) -> Option<u32> {
        self.new_rows.get(row as usize).copied().filter(|row| *row != DROPPED)
    }

    /// The deletes of the source, as deletes of the new file.
    pub fn carry<'a>(&'a self, list: &'a DeleteList) -> impl Iterator<Item = (u32, Timestamp)> + 'a {
        list.iter().filter_map(|(row, stamp)| self.get(row).map(|row| (row, stamp)))
    }
}

/// What [`merge`] has written.
#[derive(Debug)]
pub struct Merged {
    /// The new file.
    pub written: Written,
    /// For each source, in the order given, where its rows went.
    pub maps: Vec<RowMap>,
}

impl Merged {
    /// All deletes of `sources` (the same ones, in the same order), as deletes of the new file: those that came while
    /// the merge ran, and those too young to have been carried out. To be asked for, and applied to the new segment,
    /// while no delete can come in between. Saying a delete twice does no harm.
    pub fn deletes(&self, sources: &[Segment]) -> DeleteList {
        let lists: Vec<_> = sources.iter().map(|source| source.deletes(Timestamp::MAX)).collect();
        self.maps.iter().zip(&lists).flat_map(|(map, list)| map.carry(list)).collect()
    }
}

/// Writes the rows of `sources`, one after the other, into file `name`, leaving out those that died at or before
/// `keep_deleted_after`: no reader may look at an earlier time any more. Columns are those of `schema`; fields that a
/// source lacks are filled with their default, or nothing. A growing source must no longer be appended to.
///
/// # Errors
/// [`Error::Damaged`] when a source is; [`Error::Store`] when the disk refuses; [`Error::Full`] when the rows are too
/// many for one segment; [`Error::Cancelled`]. No file is left behind.
pub fn merge(
    sources: &[Segment],
    keep_deleted_after: Timestamp,
    schema: &Arc<Schema>,
    blobs: &Blobs,
    name: &str,
    cancel: &Cancel,
) -> Result<Merged, Error> {
    let (mut blocks, mut maps, mut next) = (Vec::new(), Vec::new(), 0_u32);
    for source in sources {
        cancel.check()?;
        if let Segment::Sealed(sealed) = source {
            // What is damaged must not be copied under new checksums.
            sealed.verify()?;
        }
        // In this order, so that every row that has died is among the rows.
        let dropped = source.deletes(keep_deleted_after);
        let mut keep = Bits::ones(source.rows());
        for (row, _) in dropped.iter() {
            keep.set(row as usize, false);
        }
        let mut new_rows = vec![DROPPED; keep.len()];
        for row in keep.iter() {
            new_rows[row] = next;
            next = next.checked_add(1).filter(|next| *next < u32::MAX).ok_or(Error::Full(source.id()))?;
        }
        blocks.extend(Block::of_segment(source, &keep));
        maps.push(RowMap { new_rows });
    }
    let written = write_blocks(&blocks, schema, blobs, name, cancel)?;
    Ok(Merged { written, maps })
}
