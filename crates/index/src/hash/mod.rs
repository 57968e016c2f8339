//! MinHash signatures by hashes of their bands: rows that have a whole band in common are likely alike. Invariant: as many
//! rows come back as match and were asked for; what the hashes do not find is found by looking at every row.
//!
//! (Indyk and Motwani, "Approximate nearest neighbors: towards removing the curse of dimensionality", STOC 1998; bands as
//! in Leskovec, Rajaraman and Ullman, "Mining of massive datasets", chapter 3.)

use host::{Cancel, Pool, Progress};
use simd::Bits;

use crate::image::{Array, Image};
use crate::refine::Refiner;
use crate::{Error, Hits, Query, Spec, Vectors, scan};

/// So few rows are measured in no time.
const ENOUGH: usize = 256;

/// Hashes of bands.
#[derive(Debug)]
pub(crate) struct Bands {
    rows: usize,
    bands: usize,
    /// Band by band the hashes of all rows, rising.
    hashes: Array<u64>,
    /// Which row each hash is of.
    members: Array<u32>,
}

/// Writes the hashes of all rows into `image`.
pub(crate) fn build(
    spec: &Spec,
    vectors: Vectors<'_>,
    pool: &Pool,
    (cancel, progress): (&Cancel, &Progress),
    image: &mut Image,
) -> Result<(), Error> {
    let bands = spec.value("mh_lsh_band");
    let sorted = pool.map(bands, |band| {
        let mut hashes = Vec::new();
        if !cancel.is_cancelled() {
            let hash = |row| hash_of(vectors.bytes(row), band, bands);
            hashes.extend((0..vectors.len()).map(|row| (hash(row), row as u32)));
            hashes.sort_unstable();
        }
        hashes
    });
    cancel.check()?;
    progress.add(vectors.len() as u64);
    image.push("hashes", sorted.iter().flatten().map(|(hash, _)| *hash).collect::<Vec<u64>>());
    image.push("members", sorted.iter().flatten().map(|(_, row)| *row).collect::<Vec<u32>>());
    Ok(())
}

/// FNV-1a of one band, mixed once more.
fn hash_of(row: &[u8], band: usize, bands: usize) -> u64 {
    let width = row.len() / bands;
    let band = &row[band * width..][..width];
    let hash = band.iter().fold(0xcbf2_9ce4_8422_2325u64, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    hash ^ hash >> 32
}

impl Bands {
    /// Reads the sections back.
    pub(crate) fn read(spec: &Spec, rows: usize, image: &Image) -> Result<Self, Error> {
        let bands = spec.value("mh_lsh_band");
        let len = rows.checked_mul(bands).ok_or(Error::Corrupt { what: "hashes" })?;
        let hashes: Array<u64> = image.array("hashes", len)?;
        let members: Array<u32> = image.array("members", len)?;
        let rising =
            rows == 0 || hashes.chunks_exact(rows).all(|band| band.windows(2).all(|pair| pair[0] <= pair[1]));
        if !rising {
            return Err(Error::Corrupt { what: "hashes" });
        }
        if members.iter().any(|row| *row as usize >= rows) {
            return Err(Error::Corrupt { what: "members" });
        }
        Ok(Self { rows, bands, hashes, members })
    }

    /// Bytes of the sections.
    pub(crate) fn memory_bytes(&self) -> u64 {
        (8 * self.hashes.len() + 4 * self.members.len()) as u64
    }

    /// The best rows for every query.
    pub(crate) fn search(
        &self,
        refiner: &Refiner<'_>,
        query: &Query,
        mask: Option<&Bits>,
        cancel: &Cancel,
    ) -> Result<Vec<Hits>, Error> {
        let Refiner { metric, vectors, queries, .. } = *refiner;
        let matching = mask.map_or(self.rows, Bits::count);
        let mut all = Vec::with_capacity(queries.len());
        for q in 0..queries.len() {
            cancel.check()?;
            let mut found = self.candidates(queries.bytes(q));
            if let Some(mask) = mask {
                // Where hardly more rows match than would be measured without a mask, all of them are.
                if matching <= ENOUGH.max(found.len()) {
                    found = mask.iter().map(|row| row as u32).collect();
                } else {
                    found.retain(|row| mask.get(*row as usize));
                }
            }
            let hits = refiner.refine(q, &found, query).hits;
            if hits.len() >= query.k().min(matching) {
                all.push(hits);
                continue;
            }
            let mut hits = [Hits::default()];
            scan(metric, vectors, queries.slice(q..q + 1), 0, mask, query, &mut hits, cancel)?;
            all.extend(hits);
        }
        Ok(all)
    }

    /// Rows that share a band with the query, rising.
    fn candidates(&self, query: &[u8]) -> Vec<u32> {
        let mut found = Vec::new();
        for band in 0..self.bands {
            let hash = hash_of(query, band, self.bands);
            let hashes = &self.hashes[band * self.rows..][..self.rows];
            let first = hashes.partition_point(|other| *other < hash);
            let count = hashes[first..].partition_point(|other| *other == hash);
            found.extend_from_slice(&self.members[band * self.rows + first..][..count]);
        }
        found.sort_unstable();
        found.dedup();
        found
    }
}
