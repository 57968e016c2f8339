//! Settings from a file, the environment and flags, in this order: each overrides the one before.
//!
//! A file is a `milvus.yaml` or one of our own: the same keys, and ours begin with `elanus.`. An environment variable
//! is a key in upper case with `_` for `.`, with or without the prefix `MILVUSCONF_`. Keys that mean nothing to one
//! node are ignored, as Milvus ignores what it does not know.

mod table;

use crate::show;
use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::path::Path;
use table::{KEYS, Key};
use yaml_rust2::{Yaml, YamlLoader};

/// Everything that can be set.
#[derive(Debug, Clone)]
pub(crate) struct Config {
    pub(crate) engine: engine::Settings,
    pub(crate) server: server::Settings,
}

impl Default for Config {
    /// Without authentication nobody but this machine is let in.
    fn default() -> Self {
        let mut config = Self { engine: engine::Settings::default(), server: server::Settings::default() };
        config.server.address.set_ip(Ipv4Addr::LOCALHOST.into());
        if let Some(admin) = &mut config.server.admin_address {
            admin.set_ip(Ipv4Addr::LOCALHOST.into());
        }
        config
    }
}

impl Config {
    /// The defaults, changed by a file and by the environment.
    pub(crate) fn read(file: Option<&Path>, environment: &[(String, String)]) -> Result<Self, String> {
        let mut config = Self::default();
        if let Some(path) = file {
            let text = std::fs::read_to_string(path)
                .map_err(|error| format!("cannot read {}: {error}", path.display()))?;
            let flat =
                flatten(&text).map_err(|error| format!("{} is no YAML file: {error}", path.display()))?;
            for key in KEYS {
                if let Some(value) = key.names.iter().find_map(|name| flat.get(*name)) {
                    config.set(key, value).map_err(|error| format!("{}: {error}", path.display()))?;
                }
            }
        }
        for key in KEYS {
            for name in key.names {
                let variable = name.to_uppercase().replace('.', "_");
                let is_it = |known: &str| known.strip_prefix("MILVUSCONF_").unwrap_or(known) == variable;
                if let Some((_, value)) = environment.iter().find(|(known, _)| is_it(known)) {
                    config
                        .set(key, value)
                        .map_err(|error| format!("environment variable {variable}: {error}"))?;
                }
            }
        }
        Ok(config)
    }

    fn set(&mut self, key: &Key, value: &str) -> Result<(), String> {
        (key.set)(self, value.trim())
            .map_err(|wanted| format!("{} must be {wanted}, got {value:?}", key.names[0]))
    }
}

/// Keys with dots and their values as text.
fn flatten(text: &str) -> Result<BTreeMap<String, String>, String> {
    let documents = YamlLoader::load_from_str(text).map_err(|error| error.to_string())?;
    let mut flat = BTreeMap::new();
    for document in &documents {
        walk("", document, &mut flat);
    }
    Ok(flat)
}

fn walk(prefix: &str, yaml: &Yaml, flat: &mut BTreeMap<String, String>) {
    let value = match yaml {
        Yaml::Hash(hash) => {
            for (key, value) in hash {
                let Some(key) = key.as_str() else { continue };
                let name = if prefix.is_empty() { key.to_owned() } else { format!("{prefix}.{key}") };
                walk(&name, value, flat);
            }
            return;
        }
        Yaml::String(text) | Yaml::Real(text) => text.clone(),
        Yaml::Integer(number) => number.to_string(),
        Yaml::Boolean(flag) => flag.to_string(),
        _ => return,
    };
    flat.insert(prefix.to_owned(), value);
}

/// Prints the table of settings.
pub(crate) fn print() {
    let defaults = Config::default();
    show::line(
        "Keys of a configuration file (`elanus serve --config FILE`); each can also be an environment variable:",
    );
    show::line("upper case, `_` for `.`, as in ROOTCOORD_MINSEGMENTSIZETOENABLEINDEX=512.\n");
    for key in KEYS {
        show::line(format!(
            "{}  {}",
            show::bold(key.names[0]),
            show::dim(&format!("= {}", (key.get)(&defaults)))
        ));
        show::line(format!("    {}", key.doc));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_then_environment() {
        let folder = std::env::temp_dir().join(format!("elanus-config-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let path = folder.join("milvus.yaml");
        let text = "proxy:\n  port: 19999\n  maxDimension: 64\nrootCoord:\n  minSegmentSizeToEnableIndex: 512\nunknown: {a: 1}\ncommon:\n  retentionDuration: 60\nelanus:\n  memoryLimit: 2GiB\n";
        std::fs::write(&path, text).unwrap();
        let environment = [("MILVUSCONF_PROXY_PORT".to_owned(), "20000".to_owned())];
        let config = Config::read(Some(&path), &environment).unwrap();
        assert_eq!(config.server.address.port(), 20_000);
        assert_eq!((config.engine.index_rows_min, config.engine.dim_max), (512, 64));
        assert_eq!((config.engine.retention_ms, config.engine.memory_limit_bytes), (60_000, 2 << 30));
        std::fs::write(&path, "proxy:\n  port: many\n").unwrap();
        let error = Config::read(Some(&path), &[]).unwrap_err();
        assert!(error.contains("proxy.port must be a port from 0 to 65535, got \"many\""), "{error}");
        std::fs::write(&path, ": [").unwrap();
        assert!(Config::read(Some(&path), &[]).unwrap_err().contains("is no YAML file"));
        std::fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn every_default_can_be_set_to_itself() {
        let defaults = Config::default();
        for key in KEYS {
            let mut config = Config::default();
            let value = (key.get)(&defaults);
            config.set(key, &value).unwrap();
            assert_eq!((key.get)(&config), value, "{}", key.names[0]);
        }
    }
}
