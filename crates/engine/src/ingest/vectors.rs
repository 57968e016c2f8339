//! Vectors a client sent: every component a finite number, sparse ones in order.

use crate::Error;
use data::VarLen;

/// An index that no sparse vector has; there is one less of them than 32 bits can say.
const INDEX_END: u32 = u32::MAX;

/// A kind of 16-bit floats, told by the bits of its exponent: all of them set means infinite, or no number.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Half {
    /// IEEE half precision.
    F16,
    /// The upper half of a 32-bit float.
    Bf16,
}

/// Checks that 16-bit floats are finite.
pub(crate) fn halves(name: &str, bytes: &[u8], half: Half) -> Result<(), Error> {
    let (exponent, fraction) = match half {
        Half::F16 => (0x7c00_u16, 0x03ff_u16),
        Half::Bf16 => (0x7f80, 0x007f),
    };
    let halves = bytes.as_chunks::<2>().0.iter().map(|two| u16::from_le_bytes(*two));
    for half in halves {
        if half & exponent == exponent {
            let is_nan = half & fraction != 0;
            return Err(not_finite(name, if is_nan { f64::NAN } else { f64::INFINITY }));
        }
    }
    Ok(())
}

/// Checks that numbers are finite.
pub(crate) fn finite(name: &str, mut values: impl Iterator<Item = f64>) -> Result<(), Error> {
    values.find(|value| !value.is_finite()).map_or(Ok(()), |value| Err(not_finite(name, value)))
}

fn not_finite(name: &str, value: f64) -> Error {
    let text = if value.is_nan() { "NaN".to_owned() } else { value.to_string() };
    Error::invalid(format!("value '{text}' is not a number or infinity, field: {name}"))
}

/// Checks sparse rows: whole pairs, indices that rise, values that are finite and not negative.
pub(crate) fn sparse(name: &str, rows: &VarLen) -> Result<(), Error> {
    for (row, bytes) in rows.iter().enumerate() {
        sparse_row(bytes)
            .map_err(|what| Error::invalid(format!("{what}, field: {name}, row number: {row}")))?;
    }
    Ok(())
}

fn sparse_row(bytes: &[u8]) -> Result<(), String> {
    let (pairs, rest) = bytes.as_chunks::<8>();
    if !rest.is_empty() {
        return Err(format!(
            "invalid data length in sparse float vector: {}, should be a multiple of 8",
            bytes.len()
        ));
    }
    let mut last = None;
    for [a, b, c, d, e, f, g, h] in pairs {
        let (index, value) = (u32::from_le_bytes([*a, *b, *c, *d]), f32::from_le_bytes([*e, *f, *g, *h]));
        if last.is_some_and(|last| last >= index) {
            return Err("unsorted or same indices in sparse float vector".to_owned());
        }
        if index == INDEX_END {
            return Err(format!(
                "invalid index in sparse float vector: must be less than 2^32-1, got {index}"
            ));
        }
        if !value.is_finite() {
            return Err(format!("value '{value}' is not a number or infinity in sparse float vector"));
        }
        if value < 0.0 {
            return Err(format!("negative value in sparse float vector: {value}"));
        }
        last = Some(index);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(pairs: &[(u32, f32)]) -> Vec<u8> {
        pairs.iter().flat_map(|(index, value)| [index.to_le_bytes(), value.to_le_bytes()].concat()).collect()
    }

    #[test]
    fn sparse_rows() {
        let check = |bytes: &[u8]| sparse_row(bytes).err().unwrap_or_default();
        assert_eq!(check(&row(&[])), "");
        assert_eq!(check(&row(&[(0, 0.0), (7, 1.5), (u32::MAX - 1, 2.0)])), "");
        assert!(check(&row(&[(7, 1.0), (7, 1.0)])).contains("unsorted or same indices"));
        assert!(check(&row(&[(8, 1.0), (7, 1.0)])).contains("unsorted or same indices"));
        assert!(check(&row(&[(u32::MAX, 1.0)])).contains("must be less than 2^32-1"));
        assert!(check(&row(&[(1, -1.0)])).contains("negative value in sparse float vector"));
        assert!(check(&row(&[(1, f32::NAN)])).contains("is not a number or infinity"));
        assert!(check(&row(&[(1, 1.0)])[..7]).contains("multiple of 8"));
    }

    #[test]
    fn halves_that_are_no_numbers() {
        let check =
            |half: u16, of| halves("v", &[0, 0, half.to_le_bytes()[0], half.to_le_bytes()[1]], of).is_ok();
        for (half, f16, bf16) in [
            (0x3c00, true, true),
            (0x7bff, true, true),
            (0x7c00, false, true),
            (0xfe00, false, true),
            (0x7f7f, false, true),
            (0x7f80, false, false),
            (0xffff, false, false),
        ] {
            assert_eq!((check(half, Half::F16), check(half, Half::Bf16)), (f16, bf16), "{half:#x}");
        }
    }
}
