//! Postings at rest. Invariant: what [`Inverted::read`] accepts names only rows that exist, each dimension's rising.

use std::ops::Range;

use crate::Error;
use crate::image::{Array, Image};

/// Postings of a dimension that share one bound.
pub(super) const BLOCK: usize = 64;

/// Which rows have a dimension, and with what value.
#[derive(Debug)]
pub(crate) struct Inverted {
    /// Dimensions that some row has, rising.
    dims: Array<u32>,
    /// Where the postings of each start, and where the last end.
    starts: Array<u64>,
    /// Where the blocks of each start.
    blocks: Vec<u32>,
    pub(super) rows: Array<u32>,
    pub(super) values: Array<f32>,
    /// The largest size of a value in each block, and the smallest sum of a row in it.
    pub(super) peaks: Array<f32>,
    pub(super) floors: Array<f32>,
    /// The sum of each row's values.
    pub(super) lengths: Array<f32>,
}

impl Inverted {
    /// Reads the sections back.
    pub(crate) fn read(rows: usize, image: &Image) -> Result<Self, Error> {
        let corrupt = |what| Err(Error::Corrupt { what });
        let dims: Array<u32> = image.list("dims")?;
        let starts: Array<u64> = image.array("starts", dims.len() + 1)?;
        let members: Array<u32> = image.list("rows")?;
        let values: Array<f32> = image.array("values", members.len())?;
        let rising = starts.windows(2).all(|pair| pair[0] < pair[1]);
        let whole = starts.first() == Some(&0) && starts.last() == Some(&(members.len() as u64));
        if !rising || !whole {
            return corrupt("starts");
        }
        if !dims.windows(2).all(|pair| pair[0] < pair[1]) {
            return corrupt("dims");
        }
        let mut blocks = vec![0u32];
        for pair in starts.windows(2) {
            let group = &members[pair[0] as usize..pair[1] as usize];
            let rising = group.windows(2).all(|pair| pair[0] < pair[1]);
            if !rising || group.last().is_some_and(|row| *row as usize >= rows) {
                return corrupt("rows");
            }
            blocks.push(blocks[blocks.len() - 1] + group.len().div_ceil(BLOCK) as u32);
        }
        let count = blocks[blocks.len() - 1] as usize;
        let (peaks, floors) = (image.array("peaks", count)?, image.array("floors", count)?);
        let lengths = image.array("lengths", rows)?;
        Ok(Self { dims, starts, blocks, rows: members, values, peaks, floors, lengths })
    }

    /// Bytes of the sections.
    pub(crate) fn memory_bytes(&self) -> u64 {
        let numbers = self.dims.len() + 2 * self.starts.len() + self.rows.len() + self.values.len();
        (4 * (numbers + self.peaks.len() + self.floors.len() + self.lengths.len())) as u64
    }

    /// The postings of dimension `dim`, and the number of its first block.
    pub(super) fn of(&self, dim: u32) -> Option<(Range<usize>, usize)> {
        let place = self.dims.binary_search(&dim).ok()?;
        let range = self.starts[place] as usize..self.starts[place + 1] as usize;
        Some((range, self.blocks[place] as usize))
    }
}
