//! A disk in memory that can fail, fill up, and lose power.
//!
//! Invariant: what a sync made durable is found after every [`MemoryDisk::crash`]; anything else may be found, whole,
//! torn or not at all. That is weaker than what real disks do, so what survives here survives there.

mod faults;
mod node;
mod tree;

use std::any::Any;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use host::Rng;

use crate::disk::{Disk, DiskFile, lock};
use crate::error::Error;
use faults::{Faults, Verdict};
use tree::Tree;

/// A [`Disk`] in memory with crash semantics and injected faults. Clones are the same disk.
#[derive(Debug, Clone, Default)]
pub struct MemoryDisk {
    world: Arc<Mutex<World>>,
    locked: Arc<AtomicBool>,
}

#[derive(Debug, Default)]
struct World {
    tree: Tree,
    faults: Faults,
}

impl MemoryDisk {
    /// An empty disk that works.
    pub fn new() -> Self {
        Self::default()
    }

    /// The disk as it may be found after a power cut now. The choice is drawn from `rng`. The new disk works, and
    /// everything on it is durable.
    pub fn crash(&self, rng: &mut Rng) -> Self {
        Self::holding(lock(&self.world).tree.after_power_cut(rng))
    }

    /// The disk as it is found when only the process died: nothing is lost, and what was not synced still may be.
    pub fn killed(&self) -> Self {
        Self::holding(lock(&self.world).tree.clone())
    }

    fn holding(tree: Tree) -> Self {
        let world = World { tree, faults: Faults::default() };
        Self { world: Arc::new(Mutex::new(world)), locked: Arc::default() }
    }

    /// Lets `operations` more changes happen; then every change fails, until [`MemoryDisk::heal`].
    pub fn fail_after(&self, operations: u64) {
        lock(&self.world).faults.fail_after(operations);
    }

    /// Takes `bytes` more; then the disk is full, until [`MemoryDisk::heal`]. A write is cut where the space ends.
    pub fn full_after(&self, bytes: u64) {
        lock(&self.world).faults.full_after(bytes);
    }

    /// Makes the next `count` syncs of files or folders fail. As on Linux, what such a sync should have written may
    /// be lost even if a later sync succeeds.
    pub fn fail_sync(&self, count: u64) {
        lock(&self.world).faults.fail_sync(count);
    }

    /// Lets the changes numbered below `operation` happen (see [`MemoryDisk::operations`]); the one with that number
    /// gets half-way, and from then on everything fails: the machine is off.
    pub fn crash_after(&self, operation: u64) {
        lock(&self.world).faults.crash_at(operation);
    }

    /// Ends all injected faults.
    pub fn heal(&self) {
        lock(&self.world).faults.heal();
    }

    /// How many changes were asked of this disk so far: creates, appends, truncations, renames, removals, syncs.
    pub fn operations(&self) -> u64 {
        lock(&self.world).faults.operations()
    }

    /// Flips one bit of a stored byte, as a bad disk would. False if the file is not that long.
    pub fn flip(&self, path: &str, bit: u64) -> io::Result<bool> {
        let mut world = lock(&self.world);
        let id = world.tree.file(path)?;
        Ok(world.tree.node(id)?.flip(bit))
    }

    /// Puts a file there, durably, with these bytes.
    pub fn put(&self, path: &str, bytes: &[u8]) -> io::Result<()> {
        let mut world = lock(&self.world);
        let id = world.tree.create(path)?;
        let node = world.tree.node(id)?;
        node.append(bytes);
        node.sync();
        world.tree.sync_folder(tree::parent(path))
    }

    /// Runs a change, unless a fault says otherwise.
    fn change<T>(&self, path: &str, run: impl FnOnce(&mut Tree) -> io::Result<T>) -> io::Result<T> {
        let mut world = lock(&self.world);
        match world.faults.next_change(path) {
            Verdict::Go => run(&mut world.tree),
            Verdict::GoThenFail(error) => run(&mut world.tree).and(Err(error)),
            Verdict::Fail(error) => Err(error),
        }
    }

    fn look<T>(&self, path: &str, run: impl FnOnce(&mut Tree) -> io::Result<T>) -> io::Result<T> {
        let mut world = lock(&self.world);
        world.faults.check_power(path)?;
        run(&mut world.tree)
    }

    fn handle(&self, path: &str, id: u64, length: u64) -> Box<dyn DiskFile> {
        Box::new(MemoryFile { disk: self.clone(), path: path.to_owned(), id, length })
    }
}

impl Disk for MemoryDisk {
    fn create(&self, path: &str) -> io::Result<Box<dyn DiskFile>> {
        self.change(path, |tree| tree.create(path)).map(|id| self.handle(path, id, 0))
    }

    fn open_append(&self, path: &str) -> io::Result<Box<dyn DiskFile>> {
        let (id, length) = self.look(path, |tree| {
            let id = tree.file(path)?;
            Ok((id, tree.node(id)?.len()))
        })?;
        Ok(self.handle(path, id, length))
    }

    fn read(&self, path: &str) -> io::Result<Bytes> {
        self.map(path)
    }

    fn map(&self, path: &str) -> io::Result<Bytes> {
        self.look(path, |tree| {
            let id = tree.file(path)?;
            Ok(tree.node(id)?.shared())
        })
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.change(from, |tree| tree.rename(from, to))
    }

    fn remove(&self, path: &str) -> io::Result<()> {
        self.change(path, |tree| tree.remove(path))
    }

    fn list(&self, folder: &str) -> io::Result<Vec<String>> {
        self.look(folder, |tree| tree.list(folder))
    }

    fn create_folder(&self, folder: &str) -> io::Result<()> {
        self.change(folder, |tree| tree.create_folder(folder))
    }

    fn remove_folder(&self, folder: &str) -> io::Result<()> {
        self.change(folder, |tree| tree.remove_folder(folder))
    }

    fn sync_folder(&self, folder: &str) -> io::Result<()> {
        let mut world = lock(&self.world);
        world.faults.next_sync(folder)?;
        world.tree.sync_folder(folder)
    }

    fn len(&self, path: &str) -> io::Result<u64> {
        self.look(path, |tree| {
            let id = tree.file(path)?;
            Ok(tree.node(id)?.len())
        })
    }

    fn exists(&self, path: &str) -> io::Result<bool> {
        self.look(path, |tree| Ok(tree.exists(path)))
    }

    fn lock(&self) -> Result<Box<dyn Any + Send + Sync>, Error> {
        if self.locked.swap(true, Ordering::SeqCst) {
            let pid = Some(std::process::id());
            return Err(Error::Locked { folder: "the disk in memory".to_owned(), pid });
        }
        Ok(Box::new(Held(Arc::clone(&self.locked))))
    }

    fn free_bytes(&self) -> Option<u64> {
        lock(&self.world).faults.free_bytes()
    }
}

/// Holds the disk until dropped.
struct Held(Arc<AtomicBool>);

impl Drop for Held {
    fn drop(&mut self) {
        self.0.store(false, Ordering::SeqCst);
    }
}

/// A file of a [`MemoryDisk`], written at its end. It goes on working after the file lost its name.
#[derive(Debug)]
struct MemoryFile {
    disk: MemoryDisk,
    path: String,
    id: u64,
    length: u64,
}

impl DiskFile for MemoryFile {
    fn append(&mut self, parts: &[Bytes]) -> io::Result<()> {
        let mut world = lock(&self.disk.world);
        let World { tree, faults } = &mut *world;
        let verdict = faults.next_change(&self.path);
        if let Verdict::Fail(error) = verdict {
            return Err(error);
        }
        let node = tree.node(self.id)?;
        for part in parts {
            let room = faults.take_space(part.len() as u64);
            let fits = part.get(..usize::try_from(room).unwrap_or(usize::MAX)).unwrap_or(part);
            node.append(fits);
            self.length += fits.len() as u64;
            if fits.len() < part.len() {
                return Err(faults::full(&self.path));
            }
        }
        if let Verdict::GoThenFail(error) = verdict { Err(error) } else { Ok(()) }
    }

    fn sync(&mut self) -> io::Result<()> {
        let mut world = lock(&self.disk.world);
        let World { tree, faults } = &mut *world;
        let node = tree.node(self.id)?;
        if let Err(error) = faults.next_sync(&self.path) {
            if !faults.is_off() {
                node.sync_failed();
            }
            return Err(error);
        }
        node.sync();
        Ok(())
    }

    fn truncate(&mut self, length: u64) -> io::Result<()> {
        let id = self.id;
        self.disk.change(&self.path, |tree| {
            tree.node(id)?.truncate(length);
            Ok(())
        })?;
        self.length = length;
        Ok(())
    }

    fn len(&self) -> u64 {
        self.length
    }
}

#[cfg(test)]
mod tests;
