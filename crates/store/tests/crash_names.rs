//! A data folder under power cuts at every operation: registers have the old or the new value, the new one once
//! commit returned; blobs exist whole or not at all, and once finished until deleted; the folder always opens.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use host::Rng;
use store::file::{Reader, Writer};
use store::{Error, MemoryDisk, Store, Version};

type Value = Option<(Version, Bytes)>;

#[derive(Debug, Default)]
struct Truth {
    registers: BTreeMap<String, Vec<Value>>,
    /// For each blob its bytes and whether it must be there.
    blobs: BTreeMap<String, (Vec<u8>, bool)>,
}

fn content(rng: &mut Rng) -> Bytes {
    let fill = rng.next_u64() as u8;
    Bytes::from(vec![fill; rng.below(3000) as usize])
}

fn change_register(store: &Store, rng: &mut Rng, truth: &mut Truth) -> Result<(), Error> {
    let name = format!("r/{}", rng.below(3));
    let known = truth.registers.entry(name.clone()).or_insert_with(|| vec![None]);
    let seen = known.last().cloned().flatten();
    if rng.chance(0.1) {
        known.push(None);
        store.registers().remove(&name)?;
    } else {
        let value = content(rng);
        let expected = seen.map(|(version, _)| version);
        let next = Version(expected.map_or(0, |v| v.0) + 1);
        known.push(Some((next, value.clone())));
        assert_eq!(store.registers().commit(&name, expected, &value)?, next);
    }
    let known = truth.registers.entry(name).or_default();
    known.drain(..known.len() - 1);
    Ok(())
}

fn change_blobs(store: &Store, rng: &mut Rng, truth: &mut Truth) -> Result<(), Error> {
    let name = format!("b{}", rng.next_u64());
    let parts = [content(rng), content(rng), content(rng)];
    truth.blobs.insert(name.clone(), (Vec::new(), false));
    let mut writer = Writer::new(store.blobs().create(&name)?, *b"crashtst", 1)?;
    writer.section("first", &parts[..2])?;
    if rng.chance(0.1) {
        drop(writer);
        truth.blobs.remove(&name);
        return Ok(());
    }
    truth.blobs.insert(name.clone(), (parts.concat(), false));
    writer.section("second", &parts[2..])?;
    writer.finish()?;
    truth.blobs.insert(name, (parts.concat(), true));
    if rng.chance(0.3) {
        let victims: Vec<String> = truth.blobs.keys().cloned().collect();
        let victim = &victims[rng.below(victims.len() as u64) as usize];
        let must = truth.blobs.get_mut(victim).map(|(_, must)| std::mem::replace(must, false));
        if must == Some(true) {
            store.blobs().delete(victim)?;
        }
    }
    Ok(())
}

fn live(disk: &MemoryDisk, rng: &mut Rng, truth: &mut Truth) -> Result<(), Error> {
    for _ in 0..3 {
        let store = Store::open(Arc::new(disk.clone()))?;
        judge(&store, truth)?;
        for _ in 0..6 {
            change_register(&store, rng, truth)?;
            change_blobs(&store, rng, truth)?;
        }
    }
    Ok(())
}

/// Compares the folder with what may be there, and takes what is found for the truth.
fn judge(store: &Store, truth: &mut Truth) -> Result<(), Error> {
    for (name, allowed) in &mut truth.registers {
        let found = store.registers().load(name)?;
        assert!(allowed.contains(&found), "{name}: {found:?} is none of {allowed:?}");
        *allowed = vec![found];
    }
    for name in store.blobs().list("")? {
        let (bytes, _) = truth.blobs.get(&name).cloned().unwrap_or_default();
        let reader = Reader::open_blob(store.blobs(), &name)?;
        reader.verify()?;
        let sections = [reader.section("first")?, reader.section("second")?].map(Option::unwrap_or_default);
        assert!(sections.concat() == bytes, "{name} is not whole");
    }
    for (name, (_, must)) in &mut truth.blobs {
        let there = store.blobs().exists(name)?;
        assert!(there || !*must, "{name} is lost");
        *must = there;
    }
    Ok(())
}

#[test]
fn a_power_cut_at_every_operation() {
    for seed in 0..6 {
        let whole = MemoryDisk::new();
        assert!(live(&whole, &mut Rng::new(seed), &mut Truth::default()).is_ok());
        for at in 0..whole.operations() {
            let mut truth = Truth::default();
            let disk = MemoryDisk::new();
            disk.crash_after(at);
            let error = live(&disk, &mut Rng::new(seed), &mut truth).err();
            let off = error.is_some_and(|error| error.to_string().contains("power is off"));
            assert!(off, "seed {seed}, cut at {at}");
            let mut rng = Rng::new(seed).child(&at.to_string());
            for _ in 0..3 {
                // Once more during recovery, then for good.
                let found = disk.crash(&mut rng);
                found.crash_after(rng.below(4));
                drop(Store::open(Arc::new(found.clone())));
                let found: Arc<MemoryDisk> = Arc::new(found.crash(&mut rng));
                let mut copy = Truth { registers: truth.registers.clone(), blobs: truth.blobs.clone() };
                let outcome = Store::open(found).and_then(|store| {
                    judge(&store, &mut copy)?;
                    change_register(&store, &mut rng, &mut copy)?;
                    change_blobs(&store, &mut rng, &mut copy)
                });
                assert!(outcome.is_ok(), "seed {seed}, cut at {at}: {outcome:?}");
            }
        }
    }
}
