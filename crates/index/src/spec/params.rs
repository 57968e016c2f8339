//! Reading values out of name-value pairs. Invariant: a number may stand in quotes; the last of equal names counts.

use super::table::Param;
use crate::Error;

/// The value of `name`, without quotes and spaces around it; `None` also if it is empty.
pub(super) fn text<'a>(params: &'a [(String, String)], name: &str) -> Option<&'a str> {
    let (_, value) = params.iter().rfind(|(key, _)| key == name)?;
    let value = value.trim().trim_matches(['"', '\'']).trim();
    (!value.is_empty() && value != "null").then_some(value)
}

/// The whole number `param`, in its range.
pub(super) fn number(params: &[(String, String)], param: &Param) -> Result<Option<i64>, Error> {
    let Some(value) = text(params, param.name) else { return Ok(None) };
    let number =
        whole(value).ok_or(Error::NotA { what: "integer", name: param.name, value: value.into() })?;
    if number < param.low || number > param.high {
        let (low, high) = (param.low, param.high);
        return Err(Error::OutOfRange { name: param.name, value: value.into(), low, high });
    }
    Ok(Some(number))
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
