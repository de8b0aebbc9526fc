//! Two stores that give the same results for the same operations.

use std::collections::BTreeMap;
use std::sync::Arc;

use pds::blob::MemoryBlobs;
use pds::crypto::{Curve, SigningKey};
use pds::data::{Cid, Value};
use pds::mst::{Builder, Key};
use pds::store::{MemoryStore, SqliteStore, Store};
use pds::{RecordEntry, Repo, Write};
use proptest::prelude::*;

use super::{actions, did, path};

/// A step: the number of a record, and its new content, or `None` to delete it.
type Step = (u8, Option<u8>);

fn repo(store: Arc<dyn Store>, key: &SigningKey) -> Repo {
    let repo = Repo::with(store, Arc::new(MemoryBlobs::default())).signing_with(key.clone());
    repo.init(&did()).unwrap();
    repo
}

fn place(n: u8) -> String {
    format!("com.example.c{}/{n}", n % 3)
}

fn listing(repo: &Repo) -> Vec<(String, Cid)> {
    let entry = |entry: RecordEntry| (entry.path.to_string(), entry.cid);
    repo.snapshot().unwrap().records().map(|found| entry(found.unwrap())).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_file_and_memory_and_a_map_agree_after_every_batch(
        batches in prop::collection::vec(
            prop::collection::btree_map(0..24_u8, prop::option::weighted(0.7, any::<u8>()), 1..8),
            1..12,
        ),
    ) {
        let key = SigningKey::generate(Curve::K256).unwrap();
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("pds.db");
        let mut in_file = repo(Arc::new(SqliteStore::create(&file).unwrap()), &key);
        let in_memory = repo(Arc::new(MemoryStore::default()), &key);
        let mut model: BTreeMap<String, Value> = BTreeMap::new();
        for (round, batch) in batches.into_iter().enumerate() {
            let steps: Vec<Step> = batch
                .into_iter()
                .filter(|(n, content)| content.is_some() || model.contains_key(&place(*n)))
                .collect();
            let writes: Vec<Write> = steps
                .iter()
                .map(|(n, content)| match content {
                    Some(content) => {
                        let value = Value::from([("n", Value::Int(i64::from(*content)))]);
                        model.insert(place(*n), value.clone());
                        Write::put(path(&place(*n)), value)
                    }
                    None => {
                        model.remove(&place(*n));
                        Write::delete(path(&place(*n)))
                    }
                })
                .collect();
            let (one, other) = (in_file.write(&writes).unwrap(), in_memory.write(&writes).unwrap());
            prop_assert_eq!(&one.changes, &other.changes);
            prop_assert_eq!(one.commit.data(), other.commit.data());

            if round % 3 == 0 {
                // After the store is opened again, all content must exist.
                let store = Arc::new(SqliteStore::open(&file).unwrap());
                in_file = Repo::with(store, Arc::new(MemoryBlobs::default())).signing_with(key.clone());
            }
            let listed = listing(&in_file);
            prop_assert_eq!(&listed, &listing(&in_memory));
            prop_assert_eq!(listed.iter().map(|(path, _)| path).collect::<Vec<_>>(), model.keys().collect::<Vec<_>>());
            let mut builder = Builder::default();
            for (path, cid) in &listed {
                let mut expected = model[path].as_map().unwrap().clone();
                expected.insert("$type", path.split_once('/').unwrap().0);
                let record = in_file.find(&path.parse().unwrap()).unwrap().unwrap();
                prop_assert_eq!(record.value().unwrap(), Value::Map(expected));
                builder.push(Key::new(path.as_bytes()).unwrap().as_bytes(), *cid, |_| {}).unwrap();
            }
            prop_assert_eq!(builder.finish(|_| {}), one.commit.data());
        }
        prop_assert_eq!(actions(&in_file), actions(&in_memory));
    }
}
