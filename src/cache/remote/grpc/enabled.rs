//! The cache and the cluster behind a `grpc://` or `grpcs://` URL.

use std::sync::Arc;

use super::super::execute::{Blob, Execute, Settings};
use super::super::transport::{Body, Failure, Moved, Place, Transport, too_long};
use super::address::{Address, For, read};
use super::calls::Calls;
use super::store::Store;
use super::wire::{About, Network, Wire};
use crate::ctx::Ctx;
use crate::error::Result;

/// A cache.
struct Cache {
    network: Arc<Network>,
    store: Store,
}

/// The cache at `url`, with the credentials of the environment. Connects to nothing yet.
///
/// The second value is a warning.
///
/// # Errors
/// When the URL or a variable of the environment is not usable.
pub(in super::super) fn open(url: &str) -> Result<(Box<dyn Transport>, Option<String>)> {
    let mut address = read(url, For::Cache, None)?;
    let network = Arc::new(Network::new());
    let store = store(&address, &network);
    Ok((Box::new(Cache { network, store }), address.warning.take()))
}

/// The cluster of `settings`, with the credentials of the environment. Connects to nothing yet.
///
/// # Errors
/// When a URL or a variable of the environment is not usable.
pub(in super::super) fn execute(settings: &Settings, ctx: &Ctx) -> Result<Box<dyn Execute>> {
    super::run::open(settings, ctx)
}

/// The server at `address`.
pub(super) fn store(address: &Address, network: &Arc<Network>) -> Store {
    let wire = Arc::new(Wire::new(address, network.clone()));
    Store::new(Calls { wire, instance: address.instance.clone(), about: About::default() })
}

impl Transport for Cache {
    fn get(&self, place: &Place, limit: u64, moved: &Moved) -> Result<Vec<u8>, Failure> {
        let (store, place) = (self.store.counting(moved), place.clone());
        let bytes = self.network.wait(async move {
            match place {
                Place::Entry { action, .. } => store.entry(action).await,
                Place::Blob(blob) => store.read(blob, limit).await,
            }
        })?;
        if bytes.len() as u64 > limit { Err(too_long(limit)) } else { Ok(bytes) }
    }

    fn length(&self, place: &Place) -> Result<Option<u64>, Failure> {
        let blob: Blob = match place {
            Place::Entry { .. } => return Ok(None),
            Place::Blob(blob) => *blob,
        };
        let store = self.store.clone();
        let missing = self.network.wait(async move { store.missing(&[blob]).await })?;
        if missing.is_empty() { Ok(Some(blob.bytes)) } else { Err(Failure::Absent) }
    }

    fn put(&self, place: &Place, body: Body, moved: &Moved) -> Result<(), Failure> {
        let (store, place) = (self.store.counting(moved), place.clone());
        let put = async move {
            match place {
                Place::Entry { action, asked } => store.set_entry(action, &asked, (*body).as_ref()).await,
                Place::Blob(blob) => store.write(blob, &body).await,
            }
        };
        Ok(self.network.wait(put)?)
    }
}
