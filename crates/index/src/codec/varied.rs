//! In which elements rows differ. Invariant: elements that are chosen are named in rising order.

use super::Space;
use crate::Error;
use crate::image::{Array, Image};
use crate::vectors::Chosen;

/// Rows looked at.
const SAMPLE: usize = 4096;

/// The elements of rows by how much these differ in them.
pub(crate) struct Varied {
    /// The mean square of each element of some rows, moved into their space.
    squares: Vec<f64>,
    /// Elements, the one in which rows differ most first.
    order: Vec<u32>,
}

impl Varied {
    /// Looks at some of `vectors`.
    pub(crate) fn of(space: &Space, vectors: Chosen<'_>) -> Self {
        let (rows, dim) = (vectors.len(), vectors.vectors.dim());
        let mut squares = vec![0f64; dim];
        let (mut wide, mut moved) = (Vec::new(), Vec::new());
        for row in (0..rows).step_by(rows.div_ceil(SAMPLE).max(1)) {
            space.moved(vectors.floats(row, &mut wide), &mut moved);
            squares.iter_mut().zip(&moved).for_each(|(sum, value)| *sum += f64::from(value * value));
        }
        let mut order: Vec<u32> = (0..dim as u32).collect();
        order.sort_by(|a, b| squares[*b as usize].total_cmp(&squares[*a as usize]).then(a.cmp(b)));
        Self { squares, order }
    }

    /// How many elements, those in which rows differ most, have this share of the variance.
    pub(crate) fn count(&self, share: f64) -> usize {
        let total: f64 = self.squares.iter().sum();
        let mut sum = 0.0;
        let enough = self.order.iter().take_while(|i| {
            let is_short = sum < share * total;
            sum += self.squares[**i as usize];
            is_short
        });
        enough.count()
    }

    /// The `count` elements in which rows differ most, rising.
    pub(crate) fn most(mut self, count: usize) -> Vec<u32> {
        self.order.truncate(count);
        self.order.sort_unstable();
        self.order
    }
}

/// Reads back which elements of `dim` were chosen, from the section `what`.
pub(crate) fn read_kept(what: &'static str, dim: usize, image: &Image) -> Result<Array<u32>, Error> {
    let kept: Array<u32> = image.list(what)?;
    let rising = kept.windows(2).all(|pair| pair[0] < pair[1]);
    if !rising || kept.is_empty() || kept.last().is_some_and(|last| *last as usize >= dim) {
        return Err(Error::Corrupt { what });
    }
    Ok(kept)
}
