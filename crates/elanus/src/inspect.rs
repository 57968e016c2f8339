//! `elanus inspect`: prints any file of a data folder, or an overview of the folder. Only reads; a server may be using
//! the folder meanwhile.

use crate::show;
use bytes::Bytes;
use std::path::{Path, PathBuf};
use store::{Recognised, recognise};

/// How many records of a log file are listed.
const RECORDS_SHOWN: usize = 20;

/// What `inspect` can be told.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// A data folder, or any file in it.
    path: PathBuf,
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), String> {
    if arguments.path.is_dir() {
        for file in files_below(&arguments.path)? {
            let shown = file.strip_prefix(&arguments.path).unwrap_or(&file).display();
            if file.ends_with("LOCK") || file.ends_with("FORMAT") {
                continue;
            }
            let size = std::fs::metadata(&file).map(|data| data.len()).unwrap_or_default();
            let what = match read(&file) {
                Ok(recognised) => summary(&recognised),
                Err(error) => error,
            };
            show::line(format!("{:>10}  {shown}  {}", show::bytes(size), show::dim(&what)));
        }
        return Ok(());
    }
    let recognised = read(&arguments.path)?;
    show::line(show::bold(&summary(&recognised)));
    details(&recognised);
    Ok(())
}

/// All files below a folder, in the order of their names.
pub(crate) fn files_below(folder: &Path) -> Result<Vec<PathBuf>, String> {
    let failed = |error: std::io::Error| format!("cannot read {}: {error}", folder.display());
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if path.is_dir() {
            files.extend(files_below(&path)?);
        } else {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// Reads a file as one of ours.
pub(crate) fn read(path: &Path) -> Result<Recognised, String> {
    let shown = path.display().to_string();
    let bytes = std::fs::read(path).map_err(|error| format!("cannot read {shown}: {error}"))?;
    recognise(&shown, Bytes::from(bytes)).map_err(|error| error.to_string())
}

fn kind_text(kind: [u8; 8]) -> String {
    String::from_utf8_lossy(&kind).trim_end_matches(['\0', '\n', ' ']).to_owned()
}

fn summary(recognised: &Recognised) -> String {
    match recognised {
        Recognised::Container(reader) => {
            let (kind, version, sections) =
                (kind_text(reader.kind()), reader.version(), reader.sections().count());
            format!("container {kind} version {version}, {sections} sections")
        }
        Recognised::Register { version, value } => {
            format!("register, version {}, {} of value", version.0, show::bytes(value.len() as u64))
        }
        Recognised::Log { records, torn } => {
            let span = match (records.first(), records.last()) {
                (Some((first, _)), Some((last, _))) => format!("records {first} to {last}"),
                _ => "no records".to_owned(),
            };
            let torn = torn.as_ref().map(|(at, why)| format!(", torn at byte {at}: {why}"));
            format!("log file, {span}{}", torn.unwrap_or_default())
        }
    }
}

fn details(recognised: &Recognised) {
    match recognised {
        Recognised::Container(reader) => {
            for section in reader.sections() {
                let size = show::bytes(section.length);
                show::line(format!("  {:<24} {size:>10} at byte {}", section.name, section.offset));
                if let Some(text) = small_text(reader.section(section.name).ok().flatten()) {
                    show::line(format!("    {text}"));
                }
            }
        }
        Recognised::Register { value, .. } => match serde_json::from_slice::<serde_json::Value>(value) {
            Ok(json) => show::line(format!("{json:#}")),
            Err(_) => show::line(format!("{} bytes that are no JSON", value.len())),
        },
        Recognised::Log { records, .. } => {
            for (lsn, bytes) in records.iter().take(RECORDS_SHOWN) {
                let text = engine::describe_record(bytes).unwrap_or_else(|error| error.to_string());
                show::line(format!("  {:>10}  {:>10}  {text}", lsn.0, show::bytes(bytes.len() as u64)));
            }
            if records.len() > RECORDS_SHOWN {
                show::line(format!("  and {} more", show::number((records.len() - RECORDS_SHOWN) as u64)));
            }
        }
    }
}

/// A section that is short text, as JSON heads are.
fn small_text(bytes: Option<Bytes>) -> Option<String> {
    const SHOWN_MAX: usize = 2_000;
    let bytes = bytes.filter(|bytes| bytes.len() <= SHOWN_MAX && bytes.starts_with(b"{"))?;
    std::str::from_utf8(&bytes).ok().map(str::to_owned)
}
