//! MinHash signatures by hashes of their bands: rows that have a whole band in common are likely alike. Invariant: as many
//! rows come back as match and were asked for; what the hashes do not find is found by looking at every row.
//!
//! (Indyk and Motwani, "Approximate nearest neighbors: towards removing the curse of dimensionality", STOC 1998; bands as
//! in Leskovec, Rajaraman and Ullman, "Mining of massive datasets", chapter 3.)

use host::{Cancel, Pool};
use simd::Bits;

use crate::course::Course;
use crate::image::{Array, Image};
use crate::refine::Refiner;
use crate::{Error, Hits, Query, Spec, Vectors, scan};

/// So few rows are measured in no time.
const ENOUGH: usize = 256;

/// Hashes made by one task, and percent of the work that is done when all are.
const CHUNK: usize = 4096;
const HASHED: u64 = 50;

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
    (cancel, course): (&Cancel, &mut Course<'_>),
    image: &mut Image,
) -> Result<(), Error> {
    let (bands, rows) = (spec.value("mh_lsh_band"), vectors.len());
    let (mut hashes, mut members) = (vec![0u64; rows * bands], vec![0u32; rows * bands]);
    course.stage(HASHED);
    let chunks = (rows * bands).div_ceil(CHUNK);
    // One after the other, band by band, and some at a time so that it is told how far this has come.
    for (i, hashes) in hashes.chunks_mut(CHUNK * pool.threads()).enumerate() {
        cancel.check()?;
        pool.fill(hashes, CHUNK, |c, hashes| {
            for (place, hash) in ((i * pool.threads() + c) * CHUNK..).zip(hashes) {
                *hash = hash_of(vectors.bytes(place % rows), place / rows, bands);
            }
        });
        course.at((i + 1) * pool.threads(), chunks);
    }
    course.stage(100);
    let threads = pool.threads();
    let waves = hashes.chunks_mut((rows * threads).max(1)).zip(members.chunks_mut((rows * threads).max(1)));
    for (i, (hashes, members)) in waves.enumerate() {
        cancel.check()?;
        let sorted = pool.map(hashes.len() / rows.max(1), |band| {
            let mut sorted: Vec<(u64, u32)> =
                hashes[band * rows..][..rows].iter().copied().zip(0..).collect();
            sorted.sort_unstable();
            sorted
        });
        for ((hash, member), sorted) in hashes.iter_mut().zip(members).zip(sorted.iter().flatten()) {
            (*hash, *member) = *sorted;
        }
        course.at((i + 1) * threads, bands);
    }
    image.push("hashes", hashes);
    image.push("members", members);
    Ok(())
}

/// Bytes that [`build`] takes of `rows` rows: hashes and members, and those that the threads sort.
pub(crate) fn need_bytes(spec: &Spec, rows: usize, threads: usize) -> usize {
    let bands = spec.value("mh_lsh_band");
    rows * (12 * bands + 16 * threads.min(bands))
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
