//! Literals between text and value. Invariant: what [`quote`] writes, [`unquote`] reads back unchanged.

use std::fmt::Write as _;

/// The text a string literal (quotes, prefix and all) stands for; `None` when its escapes make no UTF-8.
pub(crate) fn unquote(literal: &str) -> Option<String> {
    let open = literal.find(['"', '\''])?;
    let body = literal.get(open + 1..literal.len().checked_sub(1)?)?;
    if matches!(literal.get(..open), Some("r" | "R")) || !body.contains('\\') {
        return Some(body.to_owned());
    }
    let mut bytes = Vec::with_capacity(body.len());
    let mut rest = body;
    while let Some(slash) = rest.find('\\') {
        bytes.extend_from_slice(rest.get(..slash)?.as_bytes());
        rest = unescape(rest.get(slash + 1..)?, &mut bytes)?;
    }
    bytes.extend_from_slice(rest.as_bytes());
    String::from_utf8(bytes).ok()
}

/// Reads one escape, the text after its backslash; gives what follows it.
fn unescape<'a>(rest: &'a str, bytes: &mut Vec<u8>) -> Option<&'a str> {
    let mut chars = rest.chars();
    let plain = match chars.next()? {
        'a' => 7,
        'b' => 8,
        'f' => 12,
        'n' => b'\n',
        'r' => b'\r',
        't' => b'\t',
        'v' => 11,
        quoted @ ('\'' | '"' | '?' | '\\') => quoted as u8,
        '0'..='7' => {
            let digits = rest.bytes().take(3).take_while(|b| (b'0'..=b'7').contains(b)).count();
            bytes.push(u8::try_from(u16::from_str_radix(rest.get(..digits)?, 8).ok()?).ok()?);
            return rest.get(digits..);
        }
        'x' => return hex(rest, 2, bytes),
        'u' => return hex(rest, 4, bytes),
        'U' => return hex(rest, 8, bytes),
        _ => {
            // An unknown escape stays as it is: `like` has escapes of its own.
            bytes.push(b'\\');
            return Some(rest);
        }
    };
    bytes.push(plain);
    rest.get(1..)
}

fn hex<'a>(rest: &'a str, digits: usize, bytes: &mut Vec<u8>) -> Option<&'a str> {
    let Some(number) = rest.get(1..=digits).filter(|text| text.bytes().all(|b| b.is_ascii_hexdigit())) else {
        bytes.push(b'\\');
        return Some(rest);
    };
    let number = u32::from_str_radix(number, 16).ok()?;
    if digits == 2 {
        bytes.push(u8::try_from(number).ok()?);
    } else {
        bytes.extend_from_slice(char::from_u32(number)?.encode_utf8(&mut [0; 4]).as_bytes());
    }
    rest.get(digits + 1..)
}

/// A string literal that stands for `text`.
pub(crate) fn quote(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for c in text.chars() {
        match c {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            c if c.is_control() => {
                let _ = write!(quoted, "\\u{:04x}", c as u32);
            }
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

/// The whole number a literal without sign stands for: decimal, `0x`, `0b`, or octal after a zero.
pub(crate) fn unsigned(literal: &str) -> Option<u64> {
    let radix = |skip: usize, radix| u64::from_str_radix(literal.get(skip..)?, radix).ok();
    match literal.as_bytes() {
        [b'0', b'x' | b'X', ..] => radix(2, 16),
        [b'0', b'b' | b'B', ..] => radix(2, 2),
        [b'0', _, ..] => radix(1, 8),
        _ => radix(0, 10),
    }
}

/// The floating number a literal without sign stands for, hexadecimal ones included.
pub(crate) fn float(literal: &str) -> Option<f64> {
    let Some(hex) = literal.strip_prefix("0x").or_else(|| literal.strip_prefix("0X")) else {
        return literal.parse().ok();
    };
    let (digits, exponent) = hex.split_once(['p', 'P'])?;
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let mut value = 0.0_f64;
    for digit in whole.chars().chain(fraction.chars()) {
        value = value * 16.0 + f64::from(digit.to_digit(16)?);
    }
    let scale = exponent.parse::<i32>().ok()?.clamp(-5000, 5000) - 4 * i32::try_from(fraction.len()).ok()?;
    Some(value * 2.0_f64.powi(scale))
}

/// A literal that [`float`] reads back as the same number (after a leading minus, which is an operator). No literal is
/// infinite; the product of two is.
pub(crate) fn write_float(value: f64) -> String {
    if value.is_infinite() {
        return if value > 0.0 { "(1e308 * 10)" } else { "(-1e308 * 10)" }.to_owned();
    }
    format!("{value:?}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings() {
        for (literal, text) in [
            (r#""a""#, "a"),
            (r"'a\'b'", "a'b"),
            (r#""\%\_\\\q""#, r"\%\_\\q"),
            (r#"u8"\u00e9\x41\101\n""#, "éAA\n"),
            (r#"r"a\nb""#, r"a\nb"),
            (r#""\xc3\xa9""#, "é"),
            (r#""\xg\u12""#, r"\xg\u12"),
            (r#""""#, ""),
        ] {
            assert_eq!(unquote(literal).as_deref(), Some(text), "{literal}");
        }
        assert_eq!(unquote(r#""\xff""#), None);
        assert_eq!(unquote(r#""\ud800""#), None);
        for text in ["", "a\"b\\", "\u{0}\n\u{7f}\u{85}é%_", "\\%"] {
            assert_eq!(unquote(&quote(text)).as_deref(), Some(text));
        }
    }

    #[test]
    fn numbers() {
        assert_eq!(["0", "10", "017", "0x1F", "0b101"].map(unsigned), [0, 10, 15, 31, 5].map(Some));
        assert_eq!(["08", "99999999999999999999"].map(unsigned), [None, None]);
        assert_eq!(["1.5", ".5", "1.", "1e5", "0x1.8p1"].map(float), [1.5, 0.5, 1.0, 1e5, 3.0].map(Some));
        for value in [0.1, -0.0, 5e-324, 1e300, f64::MAX] {
            assert_eq!(float(&write_float(value)).map(f64::to_bits), Some(value.to_bits()), "{value}");
        }
    }
}
