//! Moments in replies: in which zone they are written, and which parts of them are wanted in their place.

use super::Call;
use crate::status::Fault;
use data::{Column, ColumnBuilder, Field, Kind, Type, Value, Values, Zone};
use engine::api::Target;
use wire::params::{Params, take};

/// What a request says of moments.
#[derive(Debug, Clone, Default)]
pub(super) struct Wish {
    /// Their zone; `None` = the collection's.
    pub(super) zone: Option<Zone>,
    parts: Vec<Part>,
}

/// A part of a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Year,
    Month,
    Day,
    Hour,
    Minute,
    Second,
    Microsecond,
}

/// How moments are told.
#[derive(Debug, Clone, Default)]
pub(super) struct Moments {
    /// In which zone.
    pub(super) zone: Zone,
    /// Which parts of them, as whole numbers; empty = the moments themselves.
    parts: Vec<Part>,
}

impl Wish {
    /// Takes what is about moments out of a request's parameters.
    pub(super) fn take(params: &mut Params) -> Result<Self, Fault> {
        let name = take(params, "timezone").filter(|name| !name.is_empty());
        let zone = name.map(|name| Zone::named(&name).map_err(Fault::invalid)).transpose()?;
        let parts = take(params, "time_fields").unwrap_or_default();
        let is_between = |c: char| c.is_whitespace() || [',', '[', ']', '"', '\''].contains(&c);
        let parts = parts.split(is_between).filter(|name| !name.is_empty()).map(Part::named);
        Ok(Self { zone, parts: parts.collect::<Result<_, Fault>>()? })
    }

    /// With the collection's zone where the request names none.
    pub(super) fn resolve(self, call: &Call, target: Target) -> Result<Moments, Fault> {
        let zone = match self.zone {
            Some(zone) => zone,
            None => call.engine().describe(engine::api::TimeZone { target })?,
        };
        Ok(Moments { zone, parts: self.parts })
    }
}

impl Part {
    fn named(name: &str) -> Result<Self, Fault> {
        Ok(match name.to_ascii_lowercase().as_str() {
            "year" => Self::Year,
            "month" => Self::Month,
            "day" => Self::Day,
            "hour" => Self::Hour,
            "minute" => Self::Minute,
            "second" => Self::Second,
            "microsecond" => Self::Microsecond,
            _ => {
                return Err(Fault::invalid(format_args!(
                    "time_fields: {name} is not supported, use year, month, day, hour, minute, second or microsecond"
                )));
            }
        })
    }

    /// This part of a moment that is written as `2025-01-31T08:00:00.5+08:00`.
    fn of(self, text: &str) -> i64 {
        let digits = |range: std::ops::Range<usize>| text.get(range).and_then(|digits| digits.parse().ok());
        let number = match self {
            Self::Year => digits(0..4),
            Self::Month => digits(5..7),
            Self::Day => digits(8..10),
            Self::Hour => digits(11..13),
            Self::Minute => digits(14..16),
            Self::Second => digits(17..19),
            Self::Microsecond => {
                let fraction = text.get(19..).and_then(|rest| rest.strip_prefix('.')).unwrap_or_default();
                let fraction: String = fraction.chars().take_while(char::is_ascii_digit).take(6).collect();
                format!("{fraction:0<6}").parse().ok()
            }
        };
        number.unwrap_or_default()
    }
}

impl Moments {
    /// The parts of the moments of a field, in the field's place; `None` where they are wanted whole, or it holds others.
    pub(super) fn parts(&self, field: &Field, column: &Column) -> Option<(Field, Column)> {
        let Values::Timestamptz(moments) = column.values() else { return None };
        if self.parts.is_empty() {
            return None;
        }
        let mut builder = ColumnBuilder::of(Kind::array(Type::Int64, 0));
        for (row, micros) in moments.iter().enumerate() {
            if !column.is_valid(row) {
                builder.push_null();
                continue;
            }
            let text = self.zone.format(*micros);
            builder.push(&Value::List(self.parts.iter().map(|part| Value::Int(part.of(&text))).collect()));
        }
        let kind =
            Field { element: Some(Type::Int64), data_type: Type::Array, default: None, ..field.clone() };
        Some((kind, builder.finish()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_moments() {
        let mut params =
            vec![("time_fields".to_owned(), "year, month,day, hour, minute, second, microsecond".to_owned())];
        let wish = Wish::take(&mut params).map_err(|fault| fault.into_status().reason);
        let zone = Zone::named("Asia/Shanghai").unwrap();
        let moments = Moments { parts: wish.unwrap().parts, zone: zone.clone() };
        let mut builder = ColumnBuilder::new(Type::Timestamptz, 0);
        builder.push(&Value::Int(zone.parse("2025-01-31T08:09:10.25").unwrap()));
        builder.push_null();
        let (field, column) = moments.parts(&Field::new("at", Type::Timestamptz), &builder.finish()).unwrap();
        let ints = [2025, 1, 31, 8, 9, 10, 250_000].map(Value::Int).to_vec();
        assert_eq!(
            (field.element, column.value(0), column.value(1)),
            (Some(Type::Int64), Value::List(ints), Value::Null)
        );
        let mut params = vec![("time_fields".to_owned(), "week".to_owned())];
        assert!(Wish::take(&mut params).is_err());
        assert!(params.is_empty());
    }
}
