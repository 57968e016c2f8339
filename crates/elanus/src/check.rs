//! `elanus check`: reads every byte of a data folder and holds it against its checksum, and the files against the
//! catalogue. Changes nothing.

use crate::{inspect, show};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use store::Recognised;

/// What `check` can be told.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The data folder.
    folder: PathBuf,
}

/// What a check has found.
#[derive(Debug, Default)]
struct Findings {
    files: u64,
    bytes: u64,
    /// Files that the catalogue names.
    named: BTreeSet<String>,
    /// Files that are there.
    present: BTreeSet<String>,
    bad: Vec<String>,
    notes: Vec<String>,
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), String> {
    let folder = &arguments.folder;
    if !folder.join("FORMAT").exists() {
        return Err(format!("{} is no data folder: it has no file FORMAT", folder.display()));
    }
    let mut findings = Findings::default();
    let files = inspect::files_below(folder)?;
    for (done, file) in files.iter().enumerate() {
        findings.look(folder, file);
        show::bar("check", done as u64 + 1, files.len() as u64);
    }
    show::clear_bar();
    findings.compare();
    for note in &findings.notes {
        show::line(format!("note: {note}"));
    }
    let (files, bytes) = (show::number(findings.files), show::bytes(findings.bytes));
    if findings.bad.is_empty() {
        show::line(format!("{}: {files} files, {bytes}, every checksum fits", folder.display()));
        return Ok(());
    }
    for bad in &findings.bad {
        show::error(bad);
    }
    Err(format!("{} of {files} files are damaged or missing", findings.bad.len()))
}

impl Findings {
    fn look(&mut self, folder: &Path, file: &Path) {
        let name = file.strip_prefix(folder).unwrap_or(file).display().to_string();
        if name == "LOCK" || name == "FORMAT" {
            return;
        }
        self.files += 1;
        self.bytes += std::fs::metadata(file).map(|data| data.len()).unwrap_or_default();
        if let Some(blob) = name.strip_prefix("blobs/") {
            // Blobs lie flat in their folder.
            self.present.insert(blob.replace('+', "/"));
        }
        if name.ends_with(".tmp") {
            self.notes
                .push(format!("{name} is a leftover of a write that was cut off; the next start removes it"));
            return;
        }
        match inspect::read(file) {
            Ok(Recognised::Container(reader)) => {
                if let Err(error) = reader.verify() {
                    self.bad.push(error.to_string());
                }
            }
            Ok(Recognised::Register { value, .. }) => match engine::files_named_by(&value) {
                Ok(files) => self.named.extend(files),
                Err(error) => self.bad.push(format!("{name}: {error}")),
            },
            Ok(Recognised::Log { records, torn }) => {
                for (lsn, record) in &records {
                    if let Err(error) = engine::describe_record(record) {
                        self.bad.push(format!("{name}: record {lsn}: {error}"));
                    }
                }
                if let Some((at, why)) = torn {
                    self.notes
                        .push(format!("{name} ends torn at byte {at} ({why}); the next start cuts it off"));
                }
            }
            Err(error) => self.bad.push(error),
        }
    }

    fn compare(&mut self) {
        for missing in self.named.difference(&self.present) {
            self.bad.push(format!("blobs/{missing} is named by the catalogue and not there"));
        }
        for leftover in self.present.difference(&self.named) {
            self.notes.push(format!("blobs/{leftover} is a leftover; the next start removes it"));
        }
    }
}
