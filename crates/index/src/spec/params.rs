//! Reading values out of name-value pairs. Invariant: a number may stand in quotes; the last of equal names counts.

use super::param::{Form, Param, Value};
use crate::Error;

/// The value of `name`, without quotes and spaces around it; `None` also if it is empty.
pub(super) fn text<'a>(params: &'a [(String, String)], name: &str) -> Option<&'a str> {
    let (_, value) = params.iter().rfind(|(key, _)| key == name)?;
    let value = value.trim().trim_matches(['"', '\'']).trim();
    (!value.is_empty() && value != "null").then_some(value)
}

/// The value of `param`, if it is given and may be that.
pub(super) fn value(params: &[(String, String)], param: &Param) -> Result<Option<Value>, Error> {
    let name = param.name;
    let given = param.also.and_then(|also| text(params, also)).or_else(|| text(params, name));
    let Some(given) = given else { return Ok(None) };
    let not_a = |what| Error::NotA { what, name, value: given.into() };
    let value = match param.form {
        Form::Whole(low, high) => {
            let number = whole(given).ok_or_else(|| not_a("integer"))?;
            if number < low || number > high {
                return Err(Error::OutOfRange { name, value: given.into(), low, high });
            }
            Value::Whole(number)
        }
        Form::Real(low, high) => {
            let number = given.parse::<f32>().ok().filter(|number| number.is_finite());
            let number = number.ok_or_else(|| not_a("float"))?;
            if number < low || number > high {
                let (low, high) = (low.floor() as i64, high.ceil() as i64);
                return Err(Error::OutOfRange { name, value: given.into(), low, high });
            }
            Value::Real(number)
        }
        Form::Flag => match given.to_ascii_lowercase().as_str() {
            "true" | "1" => Value::Flag(true),
            "false" | "0" => Value::Flag(false),
            _ => return Err(not_a("bool")),
        },
        Form::Names(names) => {
            let known = names.iter().find(|known| known.eq_ignore_ascii_case(given));
            Value::Name(known.ok_or_else(|| Error::NotOneOf { name, value: given.into(), allowed: names })?)
        }
    };
    Ok(Some(value))
}

/// `16` and also `16.0`, which some clients write.
fn whole(value: &str) -> Option<i64> {
    value.parse().ok().or_else(|| {
        let number: f64 = value.parse().ok()?;
        (number.fract() == 0.0 && number.abs() < 1e15).then_some(number as i64)
    })
}

/// The finite float `name`.
pub(super) fn float(params: &[(String, String)], name: &'static str) -> Result<Option<f32>, Error> {
    let Some(value) = text(params, name) else { return Ok(None) };
    let number = value.parse().ok().filter(|number: &f32| number.is_finite());
    number.map(Some).ok_or(Error::NotA { what: "float", name, value: value.into() })
}
