//! Keeps the catalogue in registers: one with the names (`root`), one for each collection. The root is what counts: a
//! collection's register that no name points to is a leftover and is removed.

use super::{Catalog, Collection, DEFAULT_DATABASE, Database, Edit, Root};
use crate::{Error, ErrorKind, Settings};
use data::{CollectionId, Timestamp};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use store::{Registers, Version};

const ROOT: &str = "root";

/// Why nothing is acknowledged any more once a change of a register has failed at its last step.
const IN_DOUBT: &str = "a change of the catalogue failed half-way, and only the next start can tell whether \
                                   it holds: nothing more is taken until the process is restarted";

/// The catalogue and the registers it rests in.
#[derive(Debug)]
pub(crate) struct Registry {
    registers: Registers,
    current: RwLock<Arc<Catalog>>,
    /// Register versions; holding it is the right to edit.
    versions: Mutex<Versions>,
}

#[derive(Debug, Default)]
struct Versions {
    root: Option<Version>,
    collections: BTreeMap<CollectionId, Version>,
}

fn register_of(id: CollectionId) -> String {
    format!("collection-{id}")
}

fn damaged(name: &str, error: impl std::fmt::Display) -> Error {
    Error::new(ErrorKind::Corrupt, format!("the catalogue's register {name} is damaged: {error}"))
}

impl Registry {
    /// Reads the catalogue; an empty store gets the default database.
    pub(crate) fn open(registers: Registers, now: Timestamp) -> Result<Self, Error> {
        let mut versions = Versions::default();
        let mut collections = BTreeMap::new();
        let root = match registers.load(ROOT)? {
            Some((version, bytes)) => {
                versions.root = Some(version);
                serde_json::from_slice(&bytes).map_err(|error| damaged(ROOT, error))?
            }
            None => {
                let root = first_root(now);
                versions.root = Some(registers.commit(ROOT, None, &encode(&root)?)?);
                root
            }
        };
        let named = root.databases.values().flat_map(|database| database.collections.values());
        let named: Vec<CollectionId> = named.copied().collect();
        for id in &named {
            let name = register_of(*id);
            let Some((version, bytes)) = registers.load(&name)? else {
                return Err(damaged(&name, "it is missing"));
            };
            let collection: Collection =
                serde_json::from_slice(&bytes).map_err(|error| damaged(&name, error))?;
            versions.collections.insert(*id, version);
            collections.insert(*id, Arc::new(collection));
        }
        let mut catalog = Catalog { root: Arc::new(root), collections };
        catalog.name_collections();
        for name in registers.list("collection-")? {
            if !named.iter().any(|id| register_of(*id) == name) {
                registers.remove(&name)?;
            }
        }
        let current = RwLock::new(Arc::new(catalog));
        Ok(Self { registers, current, versions: Mutex::new(versions) })
    }

    /// The catalogue as it is now.
    pub(crate) fn current(&self) -> Arc<Catalog> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Whether an edit failed in a way that leaves open which catalogue the next start finds.
    pub(crate) fn is_in_doubt(&self) -> bool {
        self.registers.is_poisoned()
    }

    /// An error while it is in doubt.
    pub(crate) fn check(&self) -> Result<(), Error> {
        if self.is_in_doubt() { Err(Error::new(ErrorKind::Io, IN_DOUBT)) } else { Ok(()) }
    }

    /// Makes the next catalogue and keeps it; gives the one before and the new one. Edits wait for each other.
    ///
    /// `prepare` is called when the edit is durable and before anybody sees it, `visible` right after and before
    /// anybody else can edit.
    pub(crate) fn edit(
        &self,
        edit: Edit,
        now: Timestamp,
        limits: &Settings,
        prepare: impl FnOnce(&Catalog, &Catalog),
        visible: impl FnOnce(&Catalog, &Catalog),
    ) -> Result<Arc<Catalog>, Error> {
        let mut versions = self.versions.lock().unwrap_or_else(PoisonError::into_inner);
        // Not even what changes nothing is acknowledged: the next start may find another catalogue than this one.
        self.check()?;
        let before = self.current();
        let after = Arc::new(before.apply(edit, now, limits)?);
        self.keep(&mut versions, &before, &after)?;
        prepare(&before, &after);
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&after);
        visible(&before, &after);
        Ok(after)
    }

    /// New and changed collections first, then the names, then what no name points to any more: a crash between two
    /// steps leaves leftovers, never a name without a collection.
    fn keep(&self, versions: &mut Versions, before: &Catalog, after: &Catalog) -> Result<(), Error> {
        for (id, collection) in &after.collections {
            if before.collections.get(id).is_some_and(|old| Arc::ptr_eq(old, collection)) {
                continue;
            }
            let expected = versions.collections.get(id).copied();
            let version = self.registers.commit(&register_of(*id), expected, &encode(&**collection)?)?;
            versions.collections.insert(*id, version);
        }
        if before.root != after.root {
            versions.root = Some(self.registers.commit(ROOT, versions.root, &encode(&*after.root)?)?);
        }
        for id in before.collections.keys().filter(|id| !after.collections.contains_key(id)) {
            // The collection is gone with its name; a register that stays is a leftover, which the next start removes.
            drop(self.registers.remove(&register_of(*id)));
            versions.collections.remove(id);
        }
        Ok(())
    }
}

impl Catalog {
    /// Takes the names of collections from the root, where a rename writes them.
    fn name_collections(&mut self) {
        for (database_name, database) in &self.root.databases {
            for (name, id) in &database.collections {
                let Some(collection) = self.collections.get_mut(id) else { continue };
                if collection.name != *name || collection.database != *database_name {
                    let collection = Arc::make_mut(collection);
                    collection.name.clone_from(name);
                    collection.database.clone_from(database_name);
                }
            }
        }
    }
}

fn first_root(now: Timestamp) -> Root {
    let database = Database {
        id: 1,
        created_at: now,
        properties: Vec::new(),
        collections: BTreeMap::new(),
        aliases: BTreeMap::new(),
    };
    Root { databases: BTreeMap::from([(DEFAULT_DATABASE.to_owned(), database)]) }
}

fn encode(value: &impl serde::Serialize) -> Result<Vec<u8>, Error> {
    serde_json::to_vec(value)
        .map_err(|error| Error::internal(format!("the catalogue cannot be written: {error}")))
}
