//! The names on a disk in memory, and which changes of names a power cut may undo.
//!
//! Invariant: a folder's durable names, changed by all of its pending changes in order, are its names now.

use std::collections::BTreeMap;
use std::io;

use host::Rng;

use super::node::Node;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Entry {
    File(u64),
    Folder,
}

#[derive(Debug, Clone)]
enum NameChange {
    Add(String, Entry),
    Rename(String, String),
    Remove(String),
}

type Names = BTreeMap<String, Entry>;

#[derive(Debug, Clone, Default)]
struct NamedFolder {
    now: Names,
    durable: Names,
    pending: Vec<NameChange>,
}

impl NamedFolder {
    fn change(&mut self, change: NameChange) {
        apply(&mut self.now, &change);
        self.pending.push(change);
    }
}

fn apply(names: &mut Names, change: &NameChange) {
    match change {
        NameChange::Add(name, entry) => {
            names.insert(name.clone(), *entry);
        }
        NameChange::Remove(name) => {
            names.remove(name);
        }
        NameChange::Rename(from, to) => {
            if let Some(entry) = names.remove(from) {
                names.insert(to.clone(), entry);
            }
        }
    }
}

/// Files and folders of a disk.
#[derive(Debug, Clone)]
pub(super) struct Tree {
    folders: BTreeMap<String, NamedFolder>,
    nodes: BTreeMap<u64, Node>,
    next_node: u64,
}

impl Default for Tree {
    fn default() -> Self {
        let folders = BTreeMap::from([(String::new(), NamedFolder::default())]);
        Self { folders, nodes: BTreeMap::new(), next_node: 0 }
    }
}

/// The folder part of a path.
pub(super) fn parent(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(folder, _)| folder)
}

fn last(path: &str) -> &str {
    path.rsplit_once('/').map_or(path, |(_, name)| name)
}

fn fail(kind: io::ErrorKind, path: &str) -> io::Error {
    io::Error::new(kind, format!("{path}: {kind}"))
}

impl Tree {
    fn folder(&mut self, path: &str) -> io::Result<&mut NamedFolder> {
        self.folders.get_mut(path).ok_or_else(|| fail(io::ErrorKind::NotFound, path))
    }

    fn entry(&self, path: &str) -> Option<Entry> {
        self.folders.get(parent(path))?.now.get(last(path)).copied()
    }

    pub(super) fn exists(&self, path: &str) -> bool {
        path.is_empty() || self.entry(path).is_some()
    }

    pub(super) fn file(&self, path: &str) -> io::Result<u64> {
        match self.entry(path) {
            Some(Entry::File(id)) => Ok(id),
            Some(Entry::Folder) => Err(fail(io::ErrorKind::IsADirectory, path)),
            None => Err(fail(io::ErrorKind::NotFound, path)),
        }
    }

    pub(super) fn node(&mut self, id: u64) -> io::Result<&mut Node> {
        self.nodes.get_mut(&id).ok_or_else(|| fail(io::ErrorKind::NotFound, "a file of another disk"))
    }

    pub(super) fn create(&mut self, path: &str) -> io::Result<u64> {
        if self.entry(path).is_some() {
            let id = self.file(path)?;
            self.node(id)?.truncate(0);
            return Ok(id);
        }
        let id = self.next_node;
        self.folder(parent(path))?.change(NameChange::Add(last(path).to_owned(), Entry::File(id)));
        self.next_node += 1;
        self.nodes.insert(id, Node::default());
        Ok(id)
    }

    pub(super) fn rename(&mut self, from: &str, to: &str) -> io::Result<()> {
        self.file(from)?;
        if parent(from) != parent(to) {
            return Err(fail(io::ErrorKind::CrossesDevices, to));
        }
        if self.entry(to) == Some(Entry::Folder) {
            return Err(fail(io::ErrorKind::IsADirectory, to));
        }
        let change = NameChange::Rename(last(from).to_owned(), last(to).to_owned());
        self.folder(parent(from))?.change(change);
        Ok(())
    }

    pub(super) fn remove(&mut self, path: &str) -> io::Result<()> {
        self.file(path)?;
        self.folder(parent(path))?.change(NameChange::Remove(last(path).to_owned()));
        Ok(())
    }

    pub(super) fn list(&mut self, folder: &str) -> io::Result<Vec<String>> {
        let names = self.folder(folder)?.now.iter();
        let mut names: Vec<String> = names
            .map(|(name, entry)| if *entry == Entry::Folder { format!("{name}/") } else { name.clone() })
            .collect();
        names.sort_unstable();
        Ok(names)
    }

    pub(super) fn create_folder(&mut self, path: &str) -> io::Result<()> {
        match self.entry(path) {
            Some(Entry::Folder) => return Ok(()),
            Some(Entry::File(_)) => return Err(fail(io::ErrorKind::AlreadyExists, path)),
            None => {}
        }
        self.folder(parent(path))?.change(NameChange::Add(last(path).to_owned(), Entry::Folder));
        self.folders.insert(path.to_owned(), NamedFolder::default());
        Ok(())
    }

    pub(super) fn remove_folder(&mut self, path: &str) -> io::Result<()> {
        if !self.folder(path)?.now.is_empty() {
            return Err(fail(io::ErrorKind::DirectoryNotEmpty, path));
        }
        self.folder(parent(path))?.change(NameChange::Remove(last(path).to_owned()));
        Ok(())
    }

    pub(super) fn sync_folder(&mut self, path: &str) -> io::Result<()> {
        let folder = self.folder(path)?;
        folder.durable.clone_from(&folder.now);
        folder.pending.clear();
        Ok(())
    }

    /// The tree as it may be found after a power cut: each folder kept the first so many changes of names, each
    /// file what [`Node::after_power_cut`] leaves.
    pub(super) fn after_power_cut(&self, rng: &mut Rng) -> Self {
        let mut found = Self { next_node: self.next_node, ..Self::default() };
        let mut left = vec![String::new()];
        while let Some(path) = left.pop() {
            let folder = self.folders.get(&path).cloned().unwrap_or_default();
            let kept = rng.below(folder.pending.len() as u64 + 1) as usize;
            let mut names = folder.durable;
            folder.pending.iter().take(kept).for_each(|change| apply(&mut names, change));
            for (name, entry) in &names {
                match entry {
                    Entry::File(id) => {
                        let node = self.nodes.get(id).map(|node| node.after_power_cut(rng));
                        found.nodes.insert(*id, node.unwrap_or_default());
                    }
                    Entry::Folder if path.is_empty() => left.push(name.clone()),
                    Entry::Folder => left.push(format!("{path}/{name}")),
                }
            }
            let folder = NamedFolder { durable: names.clone(), now: names, pending: Vec::new() };
            found.folders.insert(path, folder);
        }
        found
    }
}
