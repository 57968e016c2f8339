//! Numbers of two kinds and what the language does with them. Invariant: a whole number is compared with a floating
//! one exactly, never by rounding it.

use crate::ast::Binary;
use std::cmp::Ordering;
use std::fmt;
use std::ops::Bound;

/// A number, whole or floating.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Num {
    Int(i64),
    Float(f64),
}

impl Num {
    /// The order of the two; `None` with a NaN.
    pub(crate) fn order(self, other: Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Int(a), Self::Int(b)) => Some(a.cmp(&b)),
            (Self::Float(a), Self::Float(b)) => a.partial_cmp(&b),
            (Self::Int(a), Self::Float(b)) => order_exactly(a, b),
            (Self::Float(a), Self::Int(b)) => order_exactly(b, a).map(Ordering::reverse),
        }
    }

    pub(crate) fn to_f64(self) -> f64 {
        match self {
            Self::Int(value) => value as f64,
            Self::Float(value) => value,
        }
    }

    /// The double equal to this number; `None` for whole numbers that may have none.
    #[inline]
    pub(crate) fn to_plain(self) -> Option<f64> {
        match self {
            Self::Int(value) => (value.unsigned_abs() < 1 << 53).then_some(value as f64),
            Self::Float(value) => Some(value),
        }
    }

    /// The whole number equal to this one.
    pub(crate) fn to_int(self) -> Option<i64> {
        match self {
            Self::Int(value) => Some(value),
            Self::Float(value) => {
                let int = value as i64;
                (order_exactly(int, value) == Some(Ordering::Equal)).then_some(int)
            }
        }
    }
}

impl fmt::Display for Num {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Int(value) => value.fmt(f),
            Self::Float(value) => f.write_str(&crate::literal::write_float(*value)),
        }
    }
}

fn order_exactly(int: i64, float: f64) -> Option<Ordering> {
    const ABOVE_MAX: f64 = 9_223_372_036_854_775_808.0;
    if float.is_nan() {
        None
    } else if float >= ABOVE_MAX {
        Some(Ordering::Less)
    } else if float < -ABOVE_MAX {
        Some(Ordering::Greater)
    } else {
        let by_fraction = 0.0_f64.partial_cmp(&float.fract()).unwrap_or(Ordering::Equal);
        Some(int.cmp(&(float.trunc() as i64)).then(by_fraction))
    }
}

/// Values between two bounds.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Interval<T> {
    pub(crate) low: Bound<T>,
    pub(crate) high: Bound<T>,
}

impl<T> Interval<T> {
    /// The values `x` with `x op bound`; `!=` gives those of `==`, for the caller to turn around.
    pub(crate) fn of(op: Binary, bound: T) -> Self
    where
        T: Clone,
    {
        let (low, high) = match op {
            Binary::Less => (Bound::Unbounded, Bound::Excluded(bound)),
            Binary::LessEqual => (Bound::Unbounded, Bound::Included(bound)),
            Binary::Greater => (Bound::Excluded(bound), Bound::Unbounded),
            Binary::GreaterEqual => (Bound::Included(bound), Bound::Unbounded),
            _ => (Bound::Included(bound.clone()), Bound::Included(bound)),
        };
        Self { low, high }
    }

    /// Whether a value lies inside, by how it compares to a bound; what does not compare lies outside.
    pub(crate) fn contains(&self, order: impl Fn(&T) -> Option<Ordering>) -> bool {
        let above = match &self.low {
            Bound::Unbounded => true,
            Bound::Included(low) => order(low).is_some_and(Ordering::is_ge),
            Bound::Excluded(low) => order(low).is_some_and(Ordering::is_gt),
        };
        above
            && match &self.high {
                Bound::Unbounded => true,
                Bound::Included(high) => order(high).is_some_and(Ordering::is_le),
                Bound::Excluded(high) => order(high).is_some_and(Ordering::is_lt),
            }
    }
}

impl Interval<Num> {
    /// The whole numbers inside, both ends included; `None` when there are none.
    pub(crate) fn ints(&self, (least, most): (i64, i64)) -> Option<(i64, i64)> {
        let low = match self.low {
            Bound::Unbounded => least.into(),
            Bound::Included(Num::Int(low)) => i128::from(low),
            Bound::Excluded(Num::Int(low)) => i128::from(low) + 1,
            Bound::Included(Num::Float(low)) => whole(low.ceil())?,
            Bound::Excluded(Num::Float(low)) => whole(low.floor())?.saturating_add(1),
        };
        let high = match self.high {
            Bound::Unbounded => most.into(),
            Bound::Included(Num::Int(high)) => i128::from(high),
            Bound::Excluded(Num::Int(high)) => i128::from(high) - 1,
            Bound::Included(Num::Float(high)) => whole(high.floor())?,
            Bound::Excluded(Num::Float(high)) => whole(high.ceil())?.saturating_sub(1),
        };
        let (low, high) = (low.max(least.into()), high.min(most.into()));
        (low <= high).then_some((i64::try_from(low).ok()?, i64::try_from(high).ok()?))
    }

    /// The same with both ends included, for numbers that are doubles ([`Num::to_plain`]); `None` when a bound is not.
    pub(crate) fn plain(&self) -> Option<(f64, f64)> {
        let is_plain = |bound: &Bound<Num>| match bound {
            Bound::Unbounded => true,
            Bound::Included(bound) | Bound::Excluded(bound) => bound.to_plain().is_some(),
        };
        (is_plain(&self.low) && is_plain(&self.high)).then(|| self.floats(false)).flatten()
    }

    /// The same with both ends included, bounds rounded to `f32` first if `single`; `None` when nothing lies inside.
    pub(crate) fn floats(&self, single: bool) -> Option<(f64, f64)> {
        let round = |value: Num| if single { f64::from(value.to_f64() as f32) } else { value.to_f64() };
        let low = match self.low {
            Bound::Unbounded => f64::NEG_INFINITY,
            Bound::Included(low) => round(low),
            Bound::Excluded(low) if round(low) == f64::INFINITY => return None,
            Bound::Excluded(low) if single => f64::from((round(low) as f32).next_up()),
            Bound::Excluded(low) => round(low).next_up(),
        };
        let high = match self.high {
            Bound::Unbounded => f64::INFINITY,
            Bound::Included(high) => round(high),
            Bound::Excluded(high) if round(high) == f64::NEG_INFINITY => return None,
            Bound::Excluded(high) if single => f64::from((round(high) as f32).next_down()),
            Bound::Excluded(high) => round(high).next_down(),
        };
        // NaN bounds fail this comparison.
        (low <= high).then_some((low, high))
    }
}

fn whole(value: f64) -> Option<i128> {
    (!value.is_nan()).then_some(value as i128)
}

/// One step of arithmetic on a field: `value op constant`, or `constant op value`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Step {
    pub(crate) op: Binary,
    pub(crate) constant: Num,
    /// Whether the constant stands on the left.
    pub(crate) reversed: bool,
}

impl Step {
    /// The step on whole numbers; wraps around at 64 bits. Division by zero does not get here.
    #[inline]
    pub(crate) fn on_int(self, value: i64, constant: i64) -> i64 {
        let (a, b) = if self.reversed { (constant, value) } else { (value, constant) };
        match self.op {
            Binary::Add => a.wrapping_add(b),
            Binary::Subtract => a.wrapping_sub(b),
            Binary::Multiply => a.wrapping_mul(b),
            Binary::Divide if b != 0 => a.wrapping_div(b),
            Binary::Modulo if b != 0 => a.wrapping_rem(b),
            Binary::BitAnd => a & b,
            Binary::BitXor => a ^ b,
            Binary::BitOr => a | b,
            _ => a,
        }
    }

    /// The step on floating numbers.
    #[inline]
    pub(crate) fn on_float(self, value: f64, constant: f64) -> f64 {
        let (a, b) = if self.reversed { (constant, value) } else { (value, constant) };
        match self.op {
            Binary::Add => a + b,
            Binary::Subtract => a - b,
            Binary::Multiply => a * b,
            Binary::Divide => a / b,
            _ => f64::NAN,
        }
    }

    /// The step on a number of either kind; `None` where floats have no such operation.
    pub(crate) fn on_num(self, value: Num) -> Option<Num> {
        match (value, self.constant) {
            (Num::Int(value), Num::Int(constant)) => Some(Num::Int(self.on_int(value, constant))),
            _ if is_integral(self.op) => None,
            (value, constant) => Some(Num::Float(self.on_float(value.to_f64(), constant.to_f64()))),
        }
    }
}

/// Whether the operator is one of whole numbers only.
pub(crate) fn is_integral(op: Binary) -> bool {
    matches!(op, Binary::Modulo | Binary::BitAnd | Binary::BitXor | Binary::BitOr)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_and_floating_numbers_compare_exactly() {
        let large = (1_i64 << 53) + 1;
        assert_eq!(Num::Int(large).order(Num::Float(9_007_199_254_740_992.0)), Some(Ordering::Greater));
        assert_eq!(Num::Int(i64::MAX).order(Num::Float(9_223_372_036_854_775_808.0)), Some(Ordering::Less));
        assert_eq!(Num::Int(i64::MIN).order(Num::Float(-9.3e18)), Some(Ordering::Greater));
        assert_eq!(Num::Float(-1.5).order(Num::Int(-1)), Some(Ordering::Less));
        assert_eq!(Num::Int(0).order(Num::Float(f64::NAN)), None);
        assert_eq!(Num::Float(3.0).to_int(), Some(3));
        assert_eq!(Num::Float(3.5).to_int(), None);
        assert_eq!(Num::Float(9_223_372_036_854_775_808.0).to_int(), None);
    }

    #[test]
    fn intervals_of_whole_numbers() {
        let ints = |op, bound| Interval::of(op, bound).ints((-128, 127));
        assert_eq!(ints(Binary::Less, Num::Float(1.5)), Some((-128, 1)));
        assert_eq!(ints(Binary::Greater, Num::Float(1.0)), Some((2, 127)));
        assert_eq!(ints(Binary::Equal, Num::Float(1.5)), None);
        assert_eq!(ints(Binary::Less, Num::Int(1000)), Some((-128, 127)));
        assert_eq!(ints(Binary::Greater, Num::Float(f64::INFINITY)), None);
        assert_eq!(Interval::of(Binary::Less, Num::Int(i64::MIN)).ints((i64::MIN, i64::MAX)), None);
    }

    #[test]
    fn intervals_of_floating_numbers() {
        assert_eq!(
            Interval::of(Binary::Equal, Num::Float(0.1)).floats(true),
            Some((0.1_f32.into(), 0.1_f32.into()))
        );
        assert_eq!(Interval::of(Binary::Greater, Num::Float(f64::INFINITY)).floats(false), None);
        assert_eq!(Interval::of(Binary::Less, Num::Float(f64::NAN)).floats(false), None);
        let (low, high) = Interval::of(Binary::Greater, Num::Int(0)).floats(false).unwrap();
        assert!(low > 0.0 && high == f64::INFINITY);
    }
}
