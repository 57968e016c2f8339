//! The kernels for AArch64, compiled for it and run by an emulator. Where the emulator, the linker or the target is missing, it
//! says so and counts nothing.

use crate::step::{Failure, Tally, cargo, quietly, run};
use crate::workspace::count_cargo;

const TARGET: &str = "aarch64-unknown-linux-gnu";
const LINKER: &str = "aarch64-linux-gnu-gcc";
/// Debian's emulator, and where its cross compiler keeps the C library.
const EMULATOR: &str = "qemu-aarch64";
const LIBRARIES: &str = "/usr/aarch64-linux-gnu";

/// Runs the tests of `simd`.
pub(crate) fn check(tally: &mut Tally) -> Result<(), Failure> {
    if let Some(missing) = missing()? {
        println!("== arm: skipped, {missing}");
        return Ok(());
    }
    let runner = format!("{EMULATOR} -L {LIBRARIES}");
    let mut command = cargo();
    command
        .args(["test", "-p", "simd", "--tests", "--target", TARGET])
        .env("CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER", LINKER)
        .env("CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUNNER", runner);
    let said = run("arm", &mut command)?;
    count_cargo("arm", &said, tally);
    Ok(())
}

/// What is not here, and how to get it.
fn missing() -> Result<Option<String>, Failure> {
    for (program, package) in [(EMULATOR, "qemu-user"), (LINKER, "gcc-aarch64-linux-gnu")] {
        if quietly(std::process::Command::new(program).arg("--version")).is_err() {
            return Ok(Some(format!("there is no {program} here (apt-get install {package})")));
        }
    }
    let paths =
        quietly(std::process::Command::new("rustc").args(["--print", "target-libdir", "--target", TARGET]))?;
    let is_there = paths.ok && std::path::Path::new(paths.text.trim()).exists();
    Ok((!is_there).then(|| format!("there is no standard library for it (rustup target add {TARGET})")))
}
