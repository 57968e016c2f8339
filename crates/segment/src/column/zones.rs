//! What is known of every few thousand rows of a column, in the file. Invariant: it can only spare work; what is missing or
//! damaged is as good as nothing.

use crate::Error;
use crate::files::{FieldHead, Opened, SectionWriter};
use data::FieldId;
use filter::{ZONE_ROWS, Zone, Zones};

const SECTION: &str = "zones";

/// Writes the zones of all fields that have some, one field after the other: of each zone its least and its greatest
/// key, and how many values are absent (low half) and NaN (high half).
pub(crate) fn write_zones(fields: &[Zones], file: &mut SectionWriter) -> Result<(), Error> {
    if fields.is_empty() {
        return Ok(());
    }
    let zones = fields.iter().flat_map(|zones| zones.zones());
    let numbers =
        zones.flat_map(|zone| [zone.low, zone.high, u64::from(zone.nulls) | u64::from(zone.nans) << 32]);
    let bytes: Vec<u8> = numbers.flat_map(u64::to_le_bytes).collect();
    file.whole(SECTION, &bytes)
}

/// The zones of the fields of a file of `rows` rows.
pub(super) fn read_zones(file: &Opened, fields: &[FieldHead], rows: usize) -> Vec<(FieldId, Zones)> {
    let known = || fields.iter().filter(|field| field.has_zones);
    let count = rows.div_ceil(ZONE_ROWS);
    if known().next().is_none() || count == 0 {
        return Vec::new();
    }
    let Ok(numbers) = file.numbers::<u64>(SECTION, known().count() * count * 3) else { return Vec::new() };
    let zones = numbers.as_chunks::<3>().0.chunks(count).map(|zones| {
        let zone = |[low, high, counts]: &[u64; 3]| Zone {
            low: *low,
            high: *high,
            nulls: *counts as u32,
            nans: (*counts >> 32) as u32,
        };
        Zones::new(zones.iter().map(zone).collect())
    });
    known().map(|field| field.id).zip(zones).collect()
}
