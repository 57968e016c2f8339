//! Names of blobs and registers, and the file names they become.
//!
//! A name is kept flat: `/` becomes `+` in the file name, so one folder sync makes any name durable, and a name may
//! be the beginning of another, as in an object store.

use crate::error::Error;

/// The most bytes of a name.
pub(crate) const NAME_BYTES_MAX: usize = 200;

/// What a file is called while it is being written.
pub(crate) const UNFINISHED: &str = ".tmp";

/// The file name of `name`, or why it cannot be a name.
pub(crate) fn file_name(name: &str) -> Result<String, Error> {
    let bad = |reason| Err(Error::BadName { name: name.to_owned(), reason });
    if name.is_empty() || name.len() > NAME_BYTES_MAX {
        return bad("a name has 1 to 200 characters");
    }
    if !name.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-/".contains(&b)) {
        return bad("a name is made of A-Z a-z 0-9 . _ - and /");
    }
    if name.split('/').any(|part| part.is_empty() || part.starts_with('.')) {
        return bad("no part of a name may be empty or begin with a dot");
    }
    if name.ends_with(UNFINISHED) {
        return bad("the ending .tmp marks unfinished files");
    }
    Ok(name.replace('/', "+"))
}

/// The name behind a file name; none if the file is not one of ours.
pub(crate) fn name_of(file: &str) -> Option<String> {
    let name = file.replace('+', "/");
    file_name(&name).ok().map(|_| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_go_there_and_back_and_bad_ones_are_refused() {
        for name in ["a", "col-7/seg_12.v1", "A/B/c"] {
            assert_eq!(name_of(&file_name(name).unwrap()).as_deref(), Some(name));
        }
        let long = "x".repeat(201);
        for name in ["", "/", "a//b", "../x", "a/.b", "a+b", "ü", "x.tmp", "a b", "a\0", &long] {
            assert!(matches!(file_name(name), Err(Error::BadName { .. })), "{name:?}");
        }
    }
}
