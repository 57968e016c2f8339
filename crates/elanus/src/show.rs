//! Words and numbers on a terminal, plain when piped. The only file that prints.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "this is where the binary talks")]

use std::fmt::Display;
use std::io::{IsTerminal, Write};
use std::time::Duration;

/// Prints a line. A reader that went away (`| head`) is no reason to stop working, or to panic.
pub(crate) fn line(text: impl Display) {
    let _ = writeln!(std::io::stdout(), "{text}");
}

/// Prints an error.
pub(crate) fn error(text: impl Display) {
    eprintln!("elanus: {text}");
}

fn styled(text: &str, code: &str) -> String {
    if std::io::stdout().is_terminal() { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
}

/// Text to stand out.
pub(crate) fn bold(text: &str) -> String {
    styled(text, "1")
}

/// Text to step back.
pub(crate) fn dim(text: &str) -> String {
    styled(text, "2")
}

/// A step of several: its name, and what came of it.
pub(crate) fn step(name: &str, text: impl Display) {
    line(format_args!("  {}{text}", bold(&format!("{name:<10}"))));
}

/// A line below a step.
pub(crate) fn below(text: impl Display) {
    line(format_args!("  {:<10}{text}", ""));
}

/// A progress bar that stays on its line; nothing when piped.
pub(crate) fn bar(name: &str, done: u64, total: u64) {
    const WIDTH: u64 = 32;
    if !std::io::stdout().is_terminal() {
        return;
    }
    let full = (WIDTH * done.min(total)).checked_div(total).unwrap_or(0) as usize;
    let empty = WIDTH as usize - full;
    let percent = (100 * done.min(total)).checked_div(total).unwrap_or(0);
    let (full, empty) = ("━".repeat(full), dim(&"─".repeat(empty)));
    print!("\r  {}{full}{empty} {percent:>3} %", bold(&format!("{name:<10}")));
    // A terminal that went away is no reason to stop working.
    let _ = std::io::stdout().flush();
}

/// Takes the progress bar away.
pub(crate) fn clear_bar() {
    if std::io::stdout().is_terminal() {
        print!("\r\x1b[2K");
    }
}

/// A number with thin groups: 12,345.
pub(crate) fn number(value: u64) -> String {
    let digits = value.to_string();
    let mut grouped = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// Bytes as people say them.
pub(crate) fn bytes(value: u64) -> String {
    match value {
        0..1_000 => format!("{value} B"),
        1_000..1_000_000 => format!("{:.1} kB", value as f64 / 1e3),
        1_000_000..1_000_000_000 => format!("{:.1} MB", value as f64 / 1e6),
        _ => format!("{:.2} GB", value as f64 / 1e9),
    }
}

/// A time as people say it.
pub(crate) fn time(value: Duration) -> String {
    let seconds = value.as_secs_f64();
    match seconds {
        s if s < 1e-3 => format!("{:.0} µs", s * 1e6),
        s if s < 1.0 => format!("{:.1} ms", s * 1e3),
        s => format!("{s:.2} s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_as_people_say_them() {
        assert_eq!(number(0), "0");
        assert_eq!(number(999), "999");
        assert_eq!(number(1_234_567), "1,234,567");
        assert_eq!(bytes(1_500), "1.5 kB");
        assert_eq!(time(Duration::from_micros(250)), "250 µs");
        assert_eq!(time(Duration::from_millis(1_500)), "1.50 s");
    }
}
