//! What a bench keeps for the next time: true neighbours and indexes, each a container file whose name tells what it is of.
//! Invariant: losing any of it costs time, nothing else.

use crate::show;
use bytes::Bytes;
use std::path::PathBuf;
use std::sync::Arc;
use store::{Blobs, Folder, file};

const KIND: [u8; 8] = *b"bench\0\0\0";
const VERSION: u32 = 1;
/// Where in the folder.
const KEPT: &str = "kept";

/// A folder, or nothing if there is none.
pub(super) struct Cache {
    blobs: Option<Blobs>,
}

impl Cache {
    /// The cache in `folder`. One that cannot be written is told, and does without.
    pub(super) fn open(folder: Option<PathBuf>) -> Self {
        let blobs = folder.and_then(|path| {
            let made = std::fs::create_dir_all(path.join(KEPT)).and_then(|()| Folder::open(&path));
            let opened = made.map_err(|error| error.to_string());
            let opened = opened
                .and_then(|folder| Blobs::over(Arc::new(folder), KEPT).map_err(|error| error.to_string()));
            opened
                .map_err(|error| show::error(format!("nothing is kept in {}: {error}", path.display())))
                .ok()
        });
        Self { blobs }
    }

    /// The sections of `name`, mapped; nothing if they are not there or damaged.
    pub(super) fn read(&self, name: &str) -> Option<Vec<(String, Bytes)>> {
        let reader = file::Reader::open_blob(self.blobs.as_ref()?, name).ok()?;
        if reader.kind() != KIND || reader.version() != VERSION || reader.verify().is_err() {
            return None;
        }
        let section = |name: &str| Some((name.to_owned(), reader.section(name).ok()??));
        reader.sections().map(|found| section(found.name)).collect()
    }

    /// Keeps `sections` as `name`.
    pub(super) fn write(&self, name: &str, sections: &[(String, Bytes)]) {
        let Some(blobs) = &self.blobs else { return };
        let written = || -> Result<u64, store::Error> {
            if blobs.exists(name)? {
                blobs.delete(name)?;
            }
            let mut writer = file::Writer::new(blobs.create(name)?, KIND, VERSION)?;
            for (section, bytes) in sections {
                writer.section(section, std::slice::from_ref(bytes))?;
            }
            writer.finish()
        };
        if let Err(error) = written() {
            show::error(format!("{name} is not kept: {error}"));
        }
    }
}
